#!/usr/bin/python3
"""What the documents say must be there is there: commands, files that are linked to, make targets.

    docs_test.py SOURCE_DIRECTORY
"""

import pathlib
import re
import sys


def commands(root):
    families = sorted((root / "server").glob("commands_*.cc"))
    return [name for family in families
            for name in re.findall(r'^    \{"([a-z._]+)",', family.read_text(encoding="utf-8"), re.M)]


def missing_commands(root):
    """Both ways: rows that the document lacks, and names in its table that have no row."""
    text = (root / "docs/redis-compatibility.md").read_text(encoding="utf-8")
    known = set(commands(root))
    rows = re.findall(r"^\| `([A-Z._]+)` \| (\w+)", text, re.M)
    listed = {name.lower() for name, works in rows if works != "no"}
    for name in sorted(known - listed):
        yield f"docs/redis-compatibility.md does not name {name.upper()}"
    for name in sorted(listed - known):
        yield f"docs/redis-compatibility.md names {name.upper()}, which is not in the command table"


def broken_links(root):
    for document in [*root.glob("*.md"), *root.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            if not (document.parent / target).exists():
                yield f"{document.relative_to(root)} links to {target}, which is not there"
        # Paths in backquotes, such as `cluster/ring.h`.
        for path in re.findall(r"`((?:base|protocol|storage|values|cluster|server|tests|redis-tests|"
                               r"bench|deploy|examples|docs|scripts)/[\w./-]*)`",
                               document.read_text(encoding="utf-8")):
            if not (root / path).exists():
                yield f"{document.relative_to(root)} names {path}, which is not there"


def missing_targets(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for document in ("README.md", "CONTRIBUTING.md"):
        for name in re.findall(r"`make ([a-z-]+)", (root / document).read_text(encoding="utf-8")):
            if name not in targets:
                yield f"{document} names `make {name}`, which is not in the Makefile"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    findings = [*missing_commands(root), *broken_links(root), *missing_targets(root)]
    for finding in findings:
        print(finding)
    print(f"{len(commands(root))} commands, {len(findings)} findings")
    sys.exit(1 if findings or len(commands(root)) < 10 else 0)


if __name__ == "__main__":
    main()
