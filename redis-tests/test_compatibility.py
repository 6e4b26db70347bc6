"""docs/redis-compatibility.md says of every command of Redis 7.0 what the servers say."""

import sys

import compatibility

if __name__ == "__main__":
    sys.argv.append("--check")
    sys.exit(compatibility.main())
