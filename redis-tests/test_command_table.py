"""COMMAND INFO of every command that Redis 7.0.15 has too, subcommands included, says what
redis-server says: arity, flags, key positions, ACL categories, key specifications."""

import unittest

from cluster import Cluster, RedisServer

FIELDS = {1: "arity", 2: "flags", 3: "first key", 4: "last key", 5: "step", 6: "ACL categories",
          8: "key specifications"}

# (command, field): what ours says, and why.
DIFFERENCES = {
}


def text(value):
    if isinstance(value, list):
        return [text(part) for part in value]
    return value.decode() if isinstance(value, bytes) else value


def without_notes(specifications):
    """Key specifications as maps. Redis's notes are prose of its own."""
    maps = [dict(zip(flat[::2], flat[1::2])) for flat in specifications]
    for entry in maps:
        entry.pop("notes", None)
    return maps


def commands(server):
    """By full name: what COMMAND says of each command and subcommand."""
    found = {}

    def add(row):
        found[row[0]] = row[:8] + [without_notes(row[8])]
        for subcommand in row[9]:
            add(subcommand)
    with server.connect() as connection:
        for row in text(connection.call("COMMAND")):
            add(row)
    return found


class CommandTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Cluster(1) as cluster, RedisServer() as redis:
            cls.ours = commands(cluster.nodes[0])
            cls.theirs = commands(redis)

    def test_what_both_have_is_described_alike(self):
        shared = sorted(self.ours.keys() & self.theirs.keys())
        self.assertGreater(len(shared), 100)
        differing = {}
        for name in shared:
            for field, what in FIELDS.items():
                if self.ours[name][field] != self.theirs[name][field]:
                    differing[name, what] = self.ours[name][field]
        expected = {key: value for key, (value, _) in DIFFERENCES.items()}
        self.maxDiff = None
        self.assertEqual(differing, expected)

    def test_what_redis_has_not_is_known(self):
        """A misspelt name, or a subcommand that only later versions have, would stand out."""
        extra = {name for name in self.ours.keys() - self.theirs.keys()
                 if not name.startswith("dyn.")}
        self.assertEqual(extra, {"client|no-touch", "client|setinfo"})


if __name__ == "__main__":
    unittest.main()
