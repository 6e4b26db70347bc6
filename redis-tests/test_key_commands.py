#!/usr/bin/python3
"""Commands on keys: RENAME, COPY, MOVE, DUMP, RESTORE and what they carry; RANDOMKEY, OBJECT, SORT,
SAVE; the cluster's maps. On a ring of three, each step through another node.

Where redis-server is installed, one list of commands runs against both, and the replies must be the
same bytes."""

import collections
import os
import random
import shutil
import tempfile
import time
import unittest

import cluster as processes
import power_loss
from cluster import Cluster, RedisServer, ReplyError, pairs
from same_bytes import commands_of, differences

SHIM = os.environ.get("CARTWHEEL_POWER_LOSS", os.path.join(
    processes.ROOT, "build", "redis-tests", "libpower_loss.so"))

# One command a line, as words of a shell; each block leaves its keys behind.
TABLE = r"""
SET a 1
MOVE a
MOVE a x
MOVE a 99
MOVE a -1
MOVE a 99999999999
MOVE a 0
MOVE nosuch 1
MOVE a 1
GET a
SET a 2
MOVE a 1
SELECT 1
GET a
DEL a
SELECT 0

COPY a
COPY a a
COPY nosuch nosuch
COPY nosuch x
COPY nosuch x REPLACE
COPY a b DB
COPY a b DB x
COPY a b DB 99
COPY a b DB -1
COPY a b DB 99999999999999
COPY a b DB 99 FOO
COPY a b FOO
COPY a a DB 1
COPY a a DB 1
COPY a a DB 1 REPLACE
COPY a b db 1 DB 2 replace REPLACE
COPY a b
COPY a b
GET b
SET a 3 EX 1000
COPY a b REPLACE
GET b
TTL b
PERSIST a
COPY a b REPLACE
TTL b
SELECT 1
GET a
FLUSHDB
SELECT 2
GET b
FLUSHDB
SELECT 0

RENAME a
RENAME nosuch nosuch
RENAME nosuch x
RENAME a a
RENAMENX a
RENAMENX a a
RENAMENX nosuch nosuch
RENAMENX nosuch x
RENAMENX a b
RENAMENX a c
GET a
GET c
RENAME c b
GET b
EXISTS c
SET b '' PX 1000000
RENAME b d
STRLEN d
TTL d
EXISTS b

SWAPDB 0
SWAPDB x 1
SWAPDB 0 x
SWAPDB x y
SWAPDB 0 99
SWAPDB -1 0
SWAPDB 99 99
SWAPDB 99999999999 0
SWAPDB 0 0

OBJECT
OBJECT FOO
OBJECT FOO a
OBJECT HELP x
OBJECT ENCODING
OBJECT ENCODING a b
OBJECT ENCODING nosuch
OBJECT REFCOUNT nosuch
OBJECT FREQ nosuch
OBJECT IDLETIME nosuch
OBJECT FREQ d
SET o 9999
OBJECT REFCOUNT o
OBJECT ENCODING o
SET o 10000
object refcount o
SET o -1
OBJECT REFCOUNT o
OBJECT ENCODING o
SET o 9223372036854775807
OBJECT ENCODING o
SET o 9223372036854775808
OBJECT ENCODING o
OBJECT REFCOUNT o
SET o ' 1'
OBJECT ENCODING o
SET o 01
OBJECT ENCODING o
SET o ''
OBJECT ENCODING o
SET o 12345678901234567890123456789012345678901234
OBJECT ENCODING o
SET o 123456789012345678901234567890123456789012345
OBJECT ENCODING o

SORT
SORT nosuch
SORT o
SORT o FOO
SORT nosuch LIMIT 0
SORT nosuch LIMIT a b
SORT nosuch LIMIT 0 b
SORT nosuch LIMIT 99999999999999999999 1
SORT nosuch BY
SORT nosuch GET
SORT nosuch STORE
SORT nosuch BY x GET # GET y ASC DESC ALPHA
SORT nosuch limit 1 2 asc desc alpha
SORT nosuch STORE o
EXISTS o
SORT nosuch STORE o
SET o v
SORT o STORE o
GET o
SORT_RO
SORT_RO nosuch
SORT_RO nosuch LIMIT 0 1 DESC
SORT_RO o
SORT_RO nosuch STORE x
SORT_RO nosuch LIMIT 0 1 STORE x

DUMP
DUMP a b
DUMP nosuch
RESTORE
RESTORE o 0
RESTORE o 0 x
RESTORE e 0 x
RESTORE e 0 ''
RESTORE e -1 x
RESTORE e abc x
RESTORE o -1 x
RESTORE o abc x
RESTORE o -1 x REPLACE
RESTORE o 0 x FOO
RESTORE o 0 x IDLETIME
RESTORE o 0 x IDLETIME -1
RESTORE o 0 x IDLETIME x
RESTORE o 0 x IDLETIME 999999999999999999999
RESTORE o 0 x FREQ 256
RESTORE o 0 x FREQ -1
RESTORE o 0 x FREQ 1 IDLETIME 2
RESTORE o 0 x IDLETIME 2 FREQ 1
RESTORE o 0 x IDLETIME 1 IDLETIME 2
RESTORE o 0 x replace REPLACE absttl
GET o

SAVE x
SAVE
BGSAVE x
BGSAVE SCHEDULE x
LASTSAVE x

TOUCH
TOUCH o o nosuch
EXPIRETIME
EXPIRETIME o
EXPIRETIME nosuch
PEXPIRETIME
PEXPIRETIME o
PEXPIRETIME nosuch
PEXPIREAT o 4102444800500
EXPIRETIME o
PEXPIRETIME o
PEXPIREAT o 4102444800499
EXPIRETIME o
COPY o p
PEXPIRETIME p
RENAME o q
PEXPIRETIME q
MOVE q 4
SELECT 4
PEXPIRETIME q
FLUSHDB
SELECT 0

FLUSHALL
RANDOMKEY x
RANDOMKEY
SET k v
RANDOMKEY
SCAN ''
SCAN +0
SCAN -0
SCAN 000
SCAN ' 0'
SCAN '0 '
SCAN +
SCAN -
SCAN +-0
SCAN 0x1
SCAN 18446744073709551616
"""

# COMMAND INFO must say of these what Redis says: clients route by it.
ROUTED = """copy dump expiretime lastsave pexpiretime rename renamenx restore touch""".split()


class RingOfThree(unittest.TestCase):
    """A ring shared by the tests of a class; each test has a connection to every node."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3).start()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        self.nodes = [node.connect() for node in self.cluster.nodes]
        for connection in self.nodes:
            self.addCleanup(connection.close)


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class SameBytesAsRedis(RingOfThree):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.redis = RedisServer()

    @classmethod
    def tearDownClass(cls):
        cls.redis.stop()
        super().tearDownClass()

    def compare(self, ours, hello):
        with self.redis.connect() as theirs:
            if hello:
                theirs.call("HELLO", hello)
                ours.call("HELLO", hello)
            found = differences(theirs, ours, commands_of(TABLE))
            self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_resp2(self):
        self.compare(self.nodes[0], None)

    def test_resp3(self):
        self.compare(self.nodes[1], "3")

    def test_pipelined(self):
        """All at once: also what one command does to another database is seen by the next."""
        with self.redis.connect() as theirs:
            for connection in (theirs, self.nodes[2]):
                connection.call("FLUSHALL")
                for command in commands_of(TABLE):
                    connection.send(*command)
            for command in commands_of(TABLE):
                self.assertEqual(self.nodes[2].read()[0], theirs.read()[0], command)

    def test_command_info_of_what_clients_route_by(self):
        with self.redis.connect() as theirs:
            for name in ROUTED:
                expected = theirs.call("COMMAND", "INFO", name)[0]
                got = self.nodes[0].call("COMMAND", "INFO", name)[0]
                self.assertEqual(sorted(got[2]), sorted(expected[2]), name)
                self.assertEqual(got[:2] + got[3:6], expected[:2] + expected[3:6], name)

    def test_a_dump_of_the_other_is_refused_by_both(self):
        with self.redis.connect() as theirs:
            for connection in (theirs, self.nodes[0]):
                connection.call("SET", "dumped", "v")
            for giver, taker in ((theirs, self.nodes[0]), (self.nodes[0], theirs)):
                dump = giver.call("DUMP", "dumped")
                self.assertEqual(taker.raw("RESTORE", "other", "0", dump),
                                 b"-ERR DUMP payload version or checksum are wrong\r\n")


class Carried(RingOfThree):
    """Concurrent versions stay two wherever a key goes."""

    def put_two(self, key, first_ttl=None):
        options = [] if first_ttl is None else ["PX", first_ttl]
        self.nodes[0].call("DYN.PUT", key, "", "apples", *options)
        self.nodes[1].call("DYN.PUT", key, "", "pears")

    def versions(self, node, key):
        """The live ones, newest first, with their ttl."""
        found = [pairs(sibling) for sibling in self.nodes[node].call("DYN.SIBLINGS", key)]
        return [(s["value"], s["ttl"]) for s in found if not s["deleted"]]

    def assert_two(self, key):
        for node in range(3):
            found = self.versions(node, key)
            self.assertEqual([value for value, _ in found], [b"pears", b"apples"])
            self.assertEqual(found[0][1], -1)
            self.assertTrue(0 < found[1][1] <= 500000, found)

    def test_rename(self):
        self.put_two("rename:from", 500000)
        self.nodes[2].call("SET", "rename:to", "old")
        self.assertEqual(self.nodes[2].call("RENAME", "rename:from", "rename:to"), "OK")
        self.assert_two("rename:to")
        for node in range(3):
            self.assertEqual(self.versions(node, "rename:from"), [])
            self.assertIsNone(self.nodes[node].call("GET", "rename:from"))
        self.assertEqual(self.nodes[0].call("RENAMENX", "rename:to", "rename:from"), 1)
        self.assert_two("rename:from")
        self.nodes[0].call("SET", "rename:to", "taken")
        self.assertEqual(self.nodes[1].call("RENAMENX", "rename:from", "rename:to"), 0)
        self.assertEqual(self.versions(2, "rename:to"), [(b"taken", -1)])
        self.assert_two("rename:from")

    def test_copy(self):
        self.put_two("copy:from", 500000)
        self.assertEqual(self.nodes[2].call("COPY", "copy:from", "copy:to"), 1)
        self.assert_two("copy:to")
        self.assert_two("copy:from")
        # The copy goes its own way.
        self.nodes[1].call("SET", "copy:to", "one")
        self.assertEqual(self.versions(0, "copy:to"), [(b"one", -1)])
        self.assert_two("copy:from")
        self.assertEqual(self.nodes[0].call("COPY", "copy:from", "copy:to"), 0)
        self.assertEqual(self.nodes[0].call("COPY", "copy:from", "copy:to", "REPLACE"), 1)
        self.assert_two("copy:to")

    def test_move(self):
        self.put_two("move", 500000)
        self.assertEqual(self.nodes[2].call("MOVE", "move", 3), 1)
        self.assertEqual(self.versions(0, "move"), [])
        for connection in self.nodes:
            connection.call("SELECT", 3)
        self.assert_two("move")

    def test_dump_and_restore(self):
        self.put_two("dump", 500000)
        dumps = [node.call("DUMP", "dump") for node in self.nodes]
        self.assertEqual(dumps, dumps[:1] * 3)
        restored = ("RESTORE", "restored")
        self.assertEqual(self.nodes[1].call(*restored, 0, dumps[0]), "OK")
        both = [(b"pears", -1), (b"apples", -1)]
        self.assertEqual(self.versions(2, "restored"), both)
        reply = self.nodes[2].ask(*restored, 0, dumps[0])
        self.assertEqual(str(reply), "BUSYKEY Target key name already exists.")
        self.assertEqual(self.nodes[0].call(*restored, 60000, dumps[0], "REPLACE"), "OK")
        self.assertTrue(all(0 < ttl <= 60000 for _, ttl in self.versions(1, "restored")))
        far = 4102444800123
        self.assertEqual(self.nodes[2].call(*restored, far, dumps[0], "ABSTTL", "REPLACE"), "OK")
        self.assertEqual(self.nodes[0].call("PEXPIRETIME", "restored"), far)
        # The past deletes at once, and that is no error; nor does it come before BUSYKEY.
        reply = self.nodes[0].ask(*restored, 1, dumps[0], "ABSTTL")
        self.assertEqual(str(reply), "BUSYKEY Target key name already exists.")
        self.assertEqual(self.nodes[0].call(*restored, 1, dumps[0], "ABSTTL", "REPLACE"), "OK")
        self.assertEqual(self.nodes[1].call("EXISTS", "restored"), 0)
        self.assertEqual(self.nodes[1].call(*restored, 1, dumps[0], "ABSTTL"), "OK")
        self.assertEqual(self.nodes[2].call("EXISTS", "restored"), 0)
        self.assertEqual(self.nodes[2].call(*restored, 0, dumps[0], "IDLETIME", 5), "OK")
        self.assertEqual(self.versions(0, "restored"), both)

    def test_every_damage_of_a_dump_is_noticed(self):
        self.put_two("damaged")
        dump = self.nodes[0].call("DUMP", "damaged")
        for at in range(len(dump)):
            damaged = dump[:at] + bytes([dump[at] ^ 0x20]) + dump[at + 1:]
            reply = self.nodes[at % 3].ask("RESTORE", "from:damage", 0, damaged)
            self.assertEqual(str(reply), "ERR DUMP payload version or checksum are wrong")
        self.assertEqual(self.nodes[0].call("EXISTS", "from:damage"), 0)

    def test_large_values_are_carried_whole(self):
        value = random.Random(7).randbytes(3 << 20)
        self.nodes[0].call("SET", "large", value)
        self.assertEqual(self.nodes[1].call("RENAME", "large", "large:too"), "OK")
        self.assertEqual(self.nodes[2].call("GET", "large:too"), value)
        dump = self.nodes[0].call("DUMP", "large:too")
        self.assertEqual(self.nodes[0].call("RESTORE", "large", 0, dump), "OK")
        self.assertEqual(self.nodes[1].call("GET", "large"), value)

    def test_a_binary_key_and_value(self):
        key, value = b"k\r\n\x00\xff", b"\x00\r\n*1\r\n\xfe"
        self.nodes[0].call("SET", key, value)
        self.assertEqual(self.nodes[1].call("RENAME", key, key + b"2"), "OK")
        self.assertEqual(self.nodes[2].call("GET", key + b"2"), value)

    def test_more_siblings_than_allowed_are_refused(self):
        with Cluster(1, siblings_max=100) as many, Cluster(1, siblings_max=3) as few:
            with many.nodes[0].connect() as giver, few.nodes[0].connect() as taker:
                for i in range(4):
                    giver.call("DYN.PUT", "k", "", i)
                reply = taker.ask("RESTORE", "k", 0, giver.call("DUMP", "k"))
                self.assertIsInstance(reply, ReplyError)
                self.assertTrue(str(reply).startswith("TOOMANYSIBLINGS"), reply)
                self.assertEqual(taker.call("EXISTS", "k"), 0)


class OverTheRing(RingOfThree):

    def test_randomkey_finds_all_about_as_often(self):
        self.nodes[0].call("SELECT", 5)
        names = {b"random:%d" % i for i in range(10)}
        for name in names:
            self.nodes[0].call("SET", name, "v")
        self.nodes[0].call("SET", "random:over", "v", "PX", 1)
        time.sleep(0.02)
        for connection in self.nodes:
            connection.call("SELECT", 5)
            counts = collections.Counter(connection.call("RANDOMKEY") for _ in range(500))
            self.assertEqual(set(counts), names)
            # 50 each are expected: less than 15 or more than 100 have no chance.
            self.assertGreater(min(counts.values()), 15)
            self.assertLess(max(counts.values()), 100)

    def test_randomkey_of_many_is_spread_over_all(self):
        self.nodes[0].call("SELECT", 6)
        for i in range(1000):
            self.nodes[0].send("SET", "many:%d" % i, "v")
        for _ in range(1000):
            self.assertEqual(self.nodes[0].read()[1], "OK")
        counts = collections.Counter(self.nodes[0].call("RANDOMKEY") for _ in range(2000))
        # Of 2000 draws from 1000 some 865 differ when all are as likely.
        self.assertGreater(len(counts), 650)
        self.assertLess(max(counts.values()), 25)

    def test_randomkey_finds_the_last_key_that_lives(self):
        for connection in self.nodes:
            connection.call("SELECT", 7)
        for i in range(300):
            self.nodes[0].call("SET", "gone:%d" % i, "v")
        self.nodes[0].call("SET", "left", "v")
        self.nodes[0].call("DEL", *("gone:%d" % i for i in range(300)))
        for connection in self.nodes:
            self.assertEqual(connection.call("RANDOMKEY"), b"left")
        self.nodes[0].call("DEL", "left")
        for connection in self.nodes:
            self.assertIsNone(connection.call("RANDOMKEY"))

    def test_object_says_that_no_access_is_noted(self):
        self.nodes[0].call("SET", "object", "v")
        reply = self.nodes[1].ask("OBJECT", "IDLETIME", "object")
        self.assertIsInstance(reply, ReplyError)
        self.assertIn("idle time not tracked", str(reply))
        help_lines = self.nodes[1].call("OBJECT", "HELP")
        self.assertTrue(help_lines[0].startswith("OBJECT <subcommand>"))

    def test_swapdb_says_why_not(self):
        reply = self.nodes[0].ask("SWAPDB", 0, 1)
        self.assertIsInstance(reply, ReplyError)
        self.assertTrue(str(reply).startswith("ERR SWAPDB is not supported"), reply)

    def test_nobody_is_a_replica(self):
        ids = [node.call("CLUSTER", "MYID").decode() for node in self.nodes]
        for connection in self.nodes:
            for word in ("REPLICAS", "SLAVES"):
                for name in ids:
                    self.assertEqual(connection.raw("CLUSTER", word, name), b"*0\r\n")
                self.assertEqual(connection.raw("CLUSTER", word, "abc"),
                                 b"-ERR Unknown node abc\r\n")
                self.assertEqual(connection.raw("CLUSTER", word),
                                 b"-ERR wrong number of arguments for 'cluster|%s' command\r\n" %
                                 word.lower().encode())

    def test_the_maps_merge_equal_neighbours_and_name_every_host(self):
        slots = self.nodes[0].call("CLUSTER", "SLOTS")
        for one, next_one in zip(slots, slots[1:]):
            self.assertEqual(one[1] + 1, next_one[0])
            self.assertNotEqual(one[2:], next_one[2:])
        for run in slots:
            for node in run[2:]:
                self.assertNotEqual(node[0], b"")
        for shard in self.nodes[0].call("CLUSTER", "SHARDS"):
            shard = pairs(shard)
            numbers = shard["slots"]
            self.assertTrue(all(a + 1 < b for a, b in zip(numbers[1::2], numbers[2::2])))
            for node in map(pairs, shard["nodes"]):
                self.assertNotEqual(node["ip"], b"")
                self.assertNotEqual(node["endpoint"], b"")
        for line in self.nodes[0].call("CLUSTER", "NODES").decode().splitlines():
            words = line.split()
            self.assertNotEqual(words[1].split(":")[0], "")
            runs = [[int(end) for end in word.split("-")] for word in words[8:]]
            self.assertTrue(all(a[-1] + 1 < b[0] for a, b in zip(runs, runs[1:])), line)

    def test_a_node_bound_to_every_address_names_a_real_one(self):
        with Cluster(1, bind="0.0.0.0", protected_mode="no", cluster_secret="s") as one:
            with one.nodes[0].connect() as connection:
                host = connection.call("CLUSTER", "SLOTS")[0][2][0]
                self.assertNotIn(host, (b"", b"0.0.0.0"))


class Saving(unittest.TestCase):

    def test_lastsave_tells_when_a_save_was_done(self):
        with Cluster(1) as one, one.nodes[0].connect() as connection:
            before = connection.call("LASTSAVE")
            self.assertLess(abs(before - time.time()), 60)
            time.sleep(1.1)
            self.assertEqual(connection.call("LASTSAVE"), before)
            self.assertEqual(connection.call("SAVE"), "OK")
            saved = connection.call("LASTSAVE")
            self.assertGreater(saved, before)
            time.sleep(1.1)
            connection.call("SET", "k", "v")
            self.assertEqual(connection.call("BGSAVE"), "Background saving started")
            deadline = time.monotonic() + 20
            while connection.call("LASTSAVE") == saved:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.assertEqual(connection.call("BGSAVE", "SCHEDULE"), "Background saving started")

    def test_the_memory_engine_has_nothing_to_save(self):
        with Cluster(1, engine="memory") as one, one.nodes[0].connect() as connection:
            for command in ("SAVE", "BGSAVE"):
                reply = connection.ask(command)
                self.assertIsInstance(reply, ReplyError)
                self.assertIn("memory engine", str(reply))
            self.assertLess(abs(connection.call("LASTSAVE") - time.time()), 60)

    @unittest.skipUnless(os.path.exists(SHIM), "the shim that loses power is not built")
    def test_what_was_saved_survives_power_loss_without_fsync(self):
        luck = random.Random(11)
        directory = tempfile.TemporaryDirectory(prefix="cartwheel-save-")
        self.addCleanup(directory.cleanup)
        scratch = directory.name
        journal, boot = os.path.join(scratch, "journal"), os.path.join(scratch, "boot")
        with open(boot, "w", encoding="ascii") as file:
            file.write("%036x\n" % luck.getrandbits(128))
        power_loss.forget(journal)
        one = Cluster(1, fsync="no")
        self.addCleanup(one.stop)
        node = one.nodes[0]
        node.environment = {"LD_PRELOAD": SHIM, "POWER_LOSS_DIR": node.directory,
                            "POWER_LOSS_JOURNAL": journal, "POWER_LOSS_BOOT": boot}
        one.start()
        with node.connect() as connection:
            for i in range(500):
                connection.send("SET", "saved:%d" % i, i)
            connection.send("SAVE")
            for _ in range(501):
                self.assertEqual(connection.read()[1], "OK")
            for i in range(500):
                connection.ask("SET", "unsaved:%d" % i, "v" * 2000)
        node.kill()
        self.assertGreater(power_loss.lose(journal, luck), 0)
        with open(boot, "w", encoding="ascii") as file:
            file.write("%036x\n" % luck.getrandbits(128))
        node.start()
        one.wait_ready()
        with node.connect() as connection:
            found = connection.call("MGET", *("saved:%d" % i for i in range(500)))
            self.assertEqual(found, [b"%d" % i for i in range(500)])
            lost = connection.call("MGET", *("unsaved:%d" % i for i in range(500)))
            self.assertIn(None, lost)


if __name__ == "__main__":
    unittest.main()
