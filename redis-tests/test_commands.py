"""Every command's replies, good and bad, in RESP2 and RESP3.

Where redis-server is installed, one list of commands runs against it and against Cartwheel, and the
replies must be the same bytes. What is ours alone, or cannot be the same, is tested by itself."""

import os
import re
import shutil
import signal
import socket
import threading
import time
import unittest

from cluster import Cluster, Node, RedisServer, ReplyError, free_ports, pairs
from same_bytes import commands_of, differences

FAR = 4102444800  # a second in 2100

# One command a line, as words of a shell. The order matters: each block leaves its keys behind.
TABLE = r"""
PING
PING hello
PING a b
ping ''
ECHO hello
ECHO
ECHO a b
NOSUCH
NOSUCH a 'b c' d
nosuch "\x01"
GET
GET a b
SET
SET k

SET s1 v1
GET s1
SET s1 ''
GET s1
STRLEN s1
GET nosuch
SET s2 v EX 100
SET s2 v PX 100000
SET s2 v EXAT 4102444800
SET s2 v PXAT 4102444800000
SET s2 v ex 100 NX
SET s3 v NX EX 100
SET s3 w XX
GET s3
TTL s3
SET s3 w XX GET
SET s3 x GET
GET s3
SET s4 x GET
GET s4
SET s5 x NX GET
SET s5 y NX GET
GET s5
SET s6 x XX GET
GET s6
SET s6 x XX
SET s6 x NX XX
SET s6 x XX NX
SET s6 x EX
SET s6 x EX abc
SET s6 x EX 1.5
SET s6 x EX 0
SET s6 x EX -1
SET s6 x PX 0
SET s6 x PX -5
SET s6 x EXAT 0
SET s6 x PXAT -1
SET s6 x EX 9223372036854775807
SET s6 x PX 9223372036854775807
SET s6 x EX 99999999999999999999
SET s6 x EX 10 PX 10
SET s6 x EX 10 EXAT 10
SET s6 x PX 10 KEEPTTL
SET s6 x KEEPTTL EX 10
SET s6 x PERSIST
SET s6 x FOO
SET s6 x NX NX
SET s6 x EX 10 EX 20
SET s6 x KEEPTTL
SET s6 x keepttl xx get
SET s6 x EXAT 1
GET s6
EXISTS s6
SET s7 a EX 1000
SET s7 b KEEPTTL
TTL s7
SET s7 c
TTL s7

SETNX n1 a
SETNX n1 b
GET n1
SETNX n1
SETEX e1 100 v
TTL e1
SETEX e1 0 v
SETEX e1 -1 v
SETEX e1 abc v
SETEX e1 9223372036854775807 v
SETEX e1 100
PSETEX e2 100000 v
GET e2
PSETEX e2 0 v
PSETEX e2 x v
PSETEX e2 9223372036854775807 v
GETSET g1 a
GETSET g1 b
GET g1
GETSET g1
SET g1 c EX 100
GETSET g1 d
TTL g1
GETDEL g1
GETDEL g1
GETDEL
GETDEL a b

SET x1 v
GETEX x1
TTL x1
GETEX x1 EX 100
TTL x1
GETEX x1 PERSIST
TTL x1
GETEX x1 PERSIST
GETEX x1 PXAT 4102444800000
GETEX x1 persist
GETEX x1 EX 0
GETEX x1 EX abc
GETEX x1 EX
GETEX x1 EX 10 PERSIST
GETEX x1 PERSIST EX 10
GETEX x1 EX 10 PX 10
GETEX x1 KEEPTTL
GETEX x1 NX
GETEX x1 EX 9223372036854775807
GETEX nosuch EX abc
GETEX nosuch EX 0
GETEX nosuch EX 10
GETEX nosuch FOO
GETEX nosuch
GETEX x1 EXAT 1
GET x1
GETEX

MSET m1 a m2 b m3 c
MGET m1 m2 nosuch m3
MGET m1 m1
MGET
MSET m1
MSET m1 a m2
MSET m1 x m1 y m1 z
GET m1
EXISTS m1 m2 m3 m1 nosuch
EXISTS
DEL m1 m1 nosuch
DEL m1
UNLINK m2 m3 m2
UNLINK
DEL
MGET m1 m2 m3

APPEND a1 hello
APPEND a1 ' world'
GET a1
STRLEN a1
STRLEN nosuch
STRLEN
APPEND a1
APPEND a2 ''
EXISTS a2
SET a3 x EX 1000
APPEND a3 y
TTL a3

INCR i1
INCR i1
INCRBY i1 40
DECR i1
DECRBY i1 1
GET i1
INCRBY i1 -5
DECRBY i1 -5
INCRBY i1 abc
INCRBY i1 1.5
INCRBY i1 ''
INCRBY i1 +1
INCRBY i1 ' 1'
INCRBY i1 01
INCRBY i1 -0
INCRBY i1 9223372036854775808
DECRBY i1 -9223372036854775808
DECRBY i1 abc
INCR i1 2
INCRBY i1
SET i2 9223372036854775807
INCR i2
INCRBY i2 1
DECRBY i2 -1
DECR i2
GET i2
SET i3 -9223372036854775808
DECR i3
DECRBY i3 9223372036854775807
INCRBY i3 9223372036854775807
SET i4 abc
INCR i4
SET i4 ''
INCR i4
SET i4 ' 1'
DECR i4
SET i4 '1 '
INCRBY i4 3
SET i4 012
INCR i4
SET i4 1.0
INCR i4
SET i5 10 EX 1000
INCR i5
TTL i5
DECRBY nosuch2 7
GET nosuch2

TYPE s1
TYPE nosuch
TYPE
TTL nosuch
PTTL nosuch
TTL s1
PTTL s1
TTL
PTTL a b
SET t1 v
EXPIRE t1 100
TTL t1
EXPIRE t1 200 NX
EXPIRE t1 200 XX
EXPIRE t1 100 GT
EXPIRE t1 300 GT
EXPIRE t1 400 LT
EXPIRE t1 50 LT
EXPIRE t1 60 XX GT
EXPIRE t1 60 xx lt
TTL t1
EXPIRE t1 60 NX XX
EXPIRE t1 60 NX GT
EXPIRE t1 60 NX LT
EXPIRE t1 60 GT LT
EXPIRE t1 60 FOO
EXPIRE t1 60 NX FOO
EXPIRE t1 abc
EXPIRE t1 abc FOO
EXPIRE t1 1.5
EXPIRE t1
EXPIRE t1 9223372036854775807
EXPIRE t1 -9223372036854775808
EXPIRE t1 9223372036854775
PEXPIRE t1 9223372036854775807
PEXPIRE t1 100000
TTL t1
PEXPIRE t1 x
EXPIREAT t1 4102444800
PEXPIREAT t1 4102444800000
EXPIREAT t1 99999999999999999
PEXPIREAT t1 9223372036854775807
PERSIST t1
PERSIST t1
PERSIST nosuch
PERSIST
EXPIRE t1 100 GT
EXPIRE t1 100 LT
PERSIST t1
EXPIRE nosuch 100
EXPIRE nosuch 100 NX
EXPIRE t1 0
EXISTS t1
SET t1 v
EXPIRE t1 -1
GET t1
SET t1 v
PEXPIRE t1 -1
GET t1
SET t1 v
EXPIREAT t1 1
TTL t1
SET t1 v
PEXPIREAT t1 0
GET t1
SET t1 v
EXPIREAT t1 -5
GET t1
SET t1 v
PEXPIRE t1 -9223372036854775808
GET t1

SELECT 1
GET s1
SET s1 other
SELECT 0
GET s1
SELECT 1
GET s1
DBSIZE
FLUSHDB
DBSIZE
GET s1
SELECT 0
GET s2
SELECT 16
SELECT -1
SELECT abc
SELECT 1.0
SELECT 99999999999
SELECT 99999999999999999999
SELECT
DBSIZE a

SCAN
SCAN abc
SCAN 1x
SCAN 0 COUNT 0
SCAN 0 COUNT -1
SCAN 0 COUNT abc
SCAN 0 COUNT
SCAN 0 MATCH
SCAN 0 FOO
SCAN 0 MATCH a* FOO
SCAN 0 TYPE
SCAN 0 COUNT 1000 MATCH nothing-like-this
SCAN 0 COUNT 1000 TYPE list
SCAN 0 COUNT 1000 TYPE nosuchtype
SCAN 0 COUNT 1000 MATCH s1
SCAN 0 MATCH i1 COUNT 1000 TYPE string
SCAN 0 match i1 count 1000 type STRING
KEYS
KEYS a b
KEYS nothing-like-this
KEYS s1
KEYS i[1]
KEYS [^a-z]*
KEYS '\s1'
KEYS s1?

CLIENT
CLIENT NOSUCH
CLIENT GETNAME
CLIENT SETNAME foo
CLIENT GETNAME
CLIENT SETNAME 'a b'
CLIENT SETNAME "a\x01b"
CLIENT GETNAME
CLIENT SETNAME ''
CLIENT GETNAME
CLIENT GETNAME x
CLIENT SETNAME
CLIENT ID x
CLIENT INFO x
CLIENT NO-EVICT on
CLIENT NO-EVICT off
CLIENT NO-EVICT maybe
CLIENT NO-EVICT
CLIENT LIST FOO
CLIENT LIST TYPE
CLIENT LIST TYPE nosuch
CLIENT LIST TYPE pubsub
CLIENT LIST TYPE master
CLIENT LIST ID
CLIENT LIST ID abc
CLIENT LIST ID 999999999
CONFIG
CONFIG NOSUCH
CONFIG GET
CONFIG GET nosuch*
CONFIG GET save
CONFIG GET nosuch databases
CONFIG GET DATABASES
CONFIG SET
CONFIG SET a
CONFIG SET nosuch 1
CONFIG SET maxclients
CONFIG SET databases 5
CONFIG SET timeout 1 timeout 2
CONFIG SET timeout 7
CONFIG GET timeout
CONFIG SET timeout 0 nosuch 1
CONFIG SET timeout 0
CONFIG SET timeout 0 timeout
COMMAND NOSUCH
COMMAND COUNT x
COMMAND INFO nosuch
COMMAND DOCS nosuch
COMMAND LIST FOO
COMMAND LIST FILTERBY FOO
COMMAND LIST FILTERBY FOO bar
COMMAND LIST FILTERBY MODULE bar
COMMAND LIST FILTERBY PATTERN xyz*
COMMAND LIST FILTERBY PATTERN GETD*
COMMAND GETKEYS GET
COMMAND GETKEYS GET k
COMMAND GETKEYS MSET a 1 b 2
COMMAND GETKEYS DEL a b c
COMMAND GETKEYS PING x
COMMAND GETKEYS nosuch x
COMMAND GETKEYS GET a b
TIME x
FLUSHALL x
FLUSHALL ASYNC x
FLUSHDB x
FLUSHDB SYNC x
INFO nosuch
SHUTDOWN x
SHUTDOWN ABORT
SHUTDOWN SAVE NOSAVE
SHUTDOWN ABORT NOW
AUTH
AUTH a
AUTH a b
AUTH a b c
AUTH default anything
HELLO abc
HELLO 1
HELLO 4
HELLO 2.0
HELLO 2 FOO
HELLO 2 SETNAME
HELLO 2 SETNAME 'a b'
HELLO 2 AUTH a
HELLO 2 AUTH a b
RESET x
READONLY x
CLUSTER
FLUSHDB ASYNC
DBSIZE
FLUSHALL
FLUSHALL SYNC
FLUSHDB
KEYS *
SCAN 0
EXISTS s1 s2 s3
"""

# The first six fields of COMMAND INFO must be Redis's for these: clients route by them.
ROUTED = """append decr decrby del exists expire expireat get getdel getex getset incr incrby mget
mset persist pexpire pexpireat psetex pttl set setex setnx strlen ttl type unlink""".split()


class OneNode(unittest.TestCase):
    """A ring of one, shared by the tests of a class; each test has a connection of its own."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1, **cls.options).start()
        cls.node = cls.cluster.nodes[0]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        self.c = self.node.connect()
        self.addCleanup(self.c.close)

    def assert_error(self, line, *arguments):
        reply = self.c.ask(*arguments)
        self.assertIsInstance(reply, ReplyError, arguments)
        self.assertEqual(str(reply), line)

    def assert_error_starts(self, start, *arguments):
        reply = self.c.ask(*arguments)
        self.assertIsInstance(reply, ReplyError, arguments)
        self.assertTrue(str(reply).startswith(start), reply)


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class SameBytesAsRedis(OneNode):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.redis = RedisServer()

    @classmethod
    def tearDownClass(cls):
        cls.redis.stop()
        super().tearDownClass()

    def compare(self, hello):
        with self.redis.connect() as theirs, self.node.connect() as ours:
            if hello:
                theirs.call("HELLO", hello)
                ours.call("HELLO", hello)
            found = differences(theirs, ours, commands_of(TABLE))
            self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_resp2(self):
        self.compare(None)

    def test_resp3(self):
        self.compare("3")

    def test_pipelined(self):
        """All at once: replies must come in the order of the commands."""
        with self.redis.connect() as theirs, self.node.connect() as ours:
            for connection in (theirs, ours):
                connection.call("FLUSHALL")
                for command in commands_of(TABLE):
                    connection.send(*command)
            for command in commands_of(TABLE):
                self.assertEqual(ours.read()[0], theirs.read()[0], command)

    def test_command_info_of_what_clients_route_by(self):
        with self.redis.connect() as theirs:
            for name in ROUTED:
                expected = theirs.call("COMMAND", "INFO", name)[0]
                got = self.c.call("COMMAND", "INFO", name)[0]
                self.assertEqual(sorted(got[2]), sorted(expected[2]), name)
                self.assertEqual(got[:2] + got[3:6], expected[:2] + expected[3:6], name)
                self.assertEqual(len(got), len(expected))

    def test_info_has_the_fields_tools_read(self):
        with self.redis.connect() as theirs:
            ours = dict(line.split(":", 1) for line in
                        self.c.call("INFO").decode().splitlines() if ":" in line)
            redis = dict(line.split(":", 1) for line in
                         theirs.call("INFO").decode().splitlines() if ":" in line)
        for field in """redis_version redis_mode os arch_bits process_id run_id tcp_port
                uptime_in_seconds uptime_in_days hz connected_clients maxclients blocked_clients
                used_memory used_memory_human used_memory_rss used_memory_peak maxmemory
                maxmemory_policy mem_fragmentation_ratio mem_allocator loading
                rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time
                rdb_last_bgsave_status aof_enabled total_connections_received
                total_commands_processed total_net_input_bytes total_net_output_bytes
                rejected_connections evicted_keys keyspace_hits keyspace_misses role
                connected_slaves master_replid used_cpu_sys used_cpu_user
                cluster_enabled""".split():
            self.assertIn(field, ours)
            self.assertIn(field, redis)
        self.assertEqual(ours["redis_version"], redis["redis_version"])
        self.assertEqual(ours["cluster_enabled"], "1")


class Connections(OneNode):

    def test_hello(self):
        two = pairs(self.c.call("HELLO"))
        self.assertEqual(two["proto"], 2)
        three = pairs(self.c.call("HELLO", "3", "SETNAME", "me"))
        self.assertEqual(three["proto"], 3)
        self.assertEqual(three["server"], b"redis")
        self.assertEqual(three["version"], b"7.0.15")
        self.assertEqual(three["mode"], b"cluster")
        self.assertEqual(three["role"], b"master")
        self.assertEqual(three["modules"], [])
        self.assertIn("cartwheel_version", three)
        self.assertEqual(self.c.call("CLIENT", "GETNAME"), b"me")
        self.assertEqual(self.c.raw("GET", "hello:nosuch"), b"_\r\n")
        self.assertEqual(pairs(self.c.call("HELLO", "2"))["proto"], 2)
        self.assertEqual(self.c.raw("GET", "hello:nosuch"), b"$-1\r\n")

    def test_reset(self):
        self.c.call("HELLO", "3")
        self.c.call("SELECT", "3")
        self.c.call("CLIENT", "SETNAME", "me")
        self.c.call("DYN.QUORUM", "R", "1")
        self.assertEqual(self.c.raw("RESET"), b"+RESET\r\n")
        self.assertEqual(self.c.raw("CLIENT", "GETNAME"), b"$-1\r\n")
        info = self.c.call("CLIENT", "INFO").decode()
        self.assertIn(" db=0 ", info)
        self.assertIn(" resp=2 ", info)

    def test_quit(self):
        self.assertEqual(self.c.call("QUIT"), "OK")
        self.assertTrue(self.c.closed_by_server())

    def test_client_list_and_info(self):
        identity = self.c.call("CLIENT", "ID")
        self.c.call("CLIENT", "SETNAME", "lister")
        self.assertEqual(self.c.call("CLIENT", "SETINFO", "LIB-NAME", "lib"), "OK")
        self.assertEqual(self.c.call("CLIENT", "SETINFO", "lib-ver", "1.2"), "OK")
        self.assert_error("ERR Unrecognized option 'foo'", "CLIENT", "SETINFO", "foo", "bar")
        self.assert_error("ERR lib-name cannot contain spaces, newlines or special characters.",
                          "CLIENT", "SETINFO", "lib-name", "a b")
        self.assertEqual(self.c.call("CLIENT", "NO-TOUCH", "ON"), "OK")
        info = self.c.call("CLIENT", "INFO").decode()
        fields = dict(field.split("=", 1) for field in info.strip().split(" "))
        self.assertEqual(fields["id"], str(identity))
        self.assertEqual(fields["name"], "lister")
        self.assertEqual(fields["lib-name"], "lib")
        self.assertEqual(fields["lib-ver"], "1.2")
        self.assertEqual(fields["resp"], "2")
        self.assertTrue(fields["addr"].startswith("127.0.0.1:"))
        self.assertTrue(fields["laddr"].endswith(":%d" % self.node.port))
        with self.node.connect() as other:
            lines = other.call("CLIENT", "LIST").decode().splitlines()
            self.assertEqual(len([line for line in lines if " name=lister " in line]), 1)
            only = other.call("CLIENT", "LIST", "ID", identity).decode().splitlines()
            self.assertEqual(len(only), 1)
            self.assertEqual(len(other.call("CLIENT", "LIST", "TYPE", "normal").decode()
                                 .splitlines()), len(lines))
        self.c.call("HELLO", "3")
        self.assertTrue(self.c.raw("CLIENT", "INFO").startswith(b"="))

    def test_time(self):
        seconds, micros = self.c.call("TIME")
        self.assertLess(abs(int(seconds) - time.time()), 5)
        self.assertLess(int(micros), 1000000)

    def test_help_of_containers(self):
        for container in ("CLIENT", "CONFIG", "COMMAND", "CLUSTER"):
            lines = self.c.call(container, "HELP")
            self.assertTrue(lines[0].startswith(container + " <subcommand>"))
            self.assertEqual(lines[-2:], ["HELP", "    Prints this help."])
            self.assert_error("ERR unknown subcommand 'nosuch'. Try %s HELP." % container,
                              container, "nosuch")
            self.assert_error("ERR wrong number of arguments for '%s|help' command"
                              % container.lower(), container, "HELP", "x")

    def test_long_names_are_cut(self):
        reply = self.c.ask("x" * 1000, "y" * 1000)
        self.assertLess(len(str(reply)), 400)
        self.assertEqual(self.c.call("PING"), "PONG")

    def test_a_key_is_bounded(self):
        key = "k" * 65536
        self.assertEqual(self.c.call("SET", key, "v"), "OK")
        self.assertEqual(self.c.call("GET", key), b"v")
        for command in (("SET", key + "k", "v"), ("GET", key + "k"), ("MGET", "a", key + "k"),
                        ("MSET", "a", "b", key + "k", "v"), ("DYN.GET", key + "k")):
            self.assert_error_starts("ERR a key may have", *command)
        self.assertEqual(self.c.call("SET", "value:long", "v" * 100000), "OK")

    def test_command_describes_itself(self):
        rows = self.c.call("COMMAND")
        self.assertEqual(len(rows), self.c.call("COMMAND", "COUNT"))
        names = self.c.call("COMMAND", "LIST")
        all_rows = rows + [subcommand for row in rows for subcommand in row[9]]
        self.assertEqual(sorted(row[0] for row in all_rows), sorted(names))
        docs = pairs(self.c.call("COMMAND", "DOCS"))
        self.assertEqual(len(docs), len(rows))
        get = pairs(docs["get"])
        self.assertEqual(set(get), {"summary", "since", "group", "cartwheel_difference"})
        self.assertIn(b"dyn.get", names)
        self.c.call("HELLO", "3")
        row = self.c.call("COMMAND", "INFO", "get")[0]
        spec = row[8][0]
        self.assertEqual(pairs(spec)["find_keys"][b"type"], b"range")

    def test_config(self):
        every = pairs(self.c.call("CONFIG", "GET", "*"))
        self.assertEqual(every["port"], str(self.node.port).encode())
        self.assertEqual(every["n"], b"3")
        some = pairs(self.c.call("CONFIG", "GET", "hedge-*", "replica-timeout"))
        self.assertEqual(sorted(some), ["hedge-delay", "replica-timeout"])
        self.assertEqual(self.c.call("CONFIG", "SET", "replica-timeout", "700", "hedge-delay", "30"),
                         "OK")
        some = pairs(self.c.call("CONFIG", "GET", "hedge-*", "replica-timeout"))
        self.assertEqual(some, {"hedge-delay": b"30", "replica-timeout": b"700"})
        self.assert_error("ERR CONFIG SET failed (possibly related to argument 'port') - can't set "
                          "immutable config", "CONFIG", "SET", "port", "1")
        # All or nothing.
        self.assert_error_starts("ERR CONFIG SET failed (possibly related to argument 'hedge-delay'",
                                 "CONFIG", "SET", "replica-timeout", "800", "hedge-delay", "x")
        self.assertEqual(pairs(self.c.call("CONFIG", "GET", "replica-timeout")),
                         {"replica-timeout": b"700"})
        self.c.call("CONFIG", "SET", "replica-timeout", "500", "hedge-delay", "20")

    def test_info_sections(self):
        text = self.c.call("INFO", "server", "Cluster").decode()
        self.assertEqual(re.findall("^# (.*)\r$", text, re.M), ["Server", "Cluster"])
        self.assertIn("cartwheel_version:", text)
        self.c.call("SET", "info:key", "v")
        self.assertRegex(self.c.call("INFO", "keyspace").decode(), r"db0:keys=\d+,")
        self.assertEqual(self.c.call("INFO", "nosuch"), b"")
        self.assertGreater(len(self.c.call("INFO", "everything")), 1000)


class Keys(OneNode):

    def test_ttl_counts_down(self):
        self.c.call("SET", "ttl:a", "v", "PX", "10000")
        self.assertEqual(self.c.call("TTL", "ttl:a"), 10)
        self.assertTrue(9000 < self.c.call("PTTL", "ttl:a") <= 10000)
        self.c.call("PEXPIREAT", "ttl:a", FAR * 1000)
        self.assertGreater(self.c.call("TTL", "ttl:a"), 10 ** 9)

    def test_a_key_expires(self):
        self.c.call("SET", "exp:a", "v", "PX", "60")
        self.c.call("SET", "exp:b", "v")
        self.c.call("PEXPIRE", "exp:b", "60")
        self.assertEqual(self.c.call("EXISTS", "exp:a", "exp:b"), 2)
        time.sleep(0.12)
        self.assertEqual(self.c.call("EXISTS", "exp:a", "exp:b"), 0)
        self.assertEqual(self.c.call("TTL", "exp:a"), -2)
        self.assertEqual(self.c.call("SET", "exp:a", "w", "NX"), "OK")
        self.assertNotIn(b"exp:b", self.c.call("KEYS", "exp:*"))

    def test_scan_sees_every_key(self):
        with self.node.connect() as loader:
            for i in range(3000):
                loader.send("SET", "scan:%d" % i, "v")
            for i in range(3000):
                loader.read()
        for extra in ([], ["COUNT", "7"], ["COUNT", "100000"], ["MATCH", "scan:*"],
                      ["TYPE", "string"]):
            found = []
            cursor = b"0"
            while True:
                cursor, keys = self.c.call("SCAN", cursor, *extra)
                self.assertLess(int(cursor), 2 ** 53)
                found += keys
                if cursor == b"0":
                    break
            mine = {key for key in found if key.startswith(b"scan:")}
            self.assertEqual(len(mine), 3000, extra)
        matched = {key for key in found if key.startswith(b"scan:29")}
        self.assertEqual(set(self.c.call("KEYS", "scan:29*")), matched)
        self.assertGreaterEqual(self.c.call("DBSIZE"), 3000)

    def test_binary_keys_and_values(self):
        every_byte = bytes(range(256))
        self.assertEqual(self.c.call("SET", b"bin:" + every_byte, every_byte), "OK")
        self.assertEqual(self.c.call("GET", b"bin:" + every_byte), every_byte)
        self.assertIn(b"bin:" + every_byte, self.c.call("KEYS", "bin:*"))

    def test_a_megabyte(self):
        value = b"x" * (1 << 20)
        self.c.call("SET", "big", value)
        self.assertEqual(self.c.call("GET", "big"), value)
        self.assertEqual(self.c.call("STRLEN", "big"), 1 << 20)

    def test_one_connection_orders_its_commands(self):
        for i in range(500):
            self.c.send("SET", "order", i)
            self.c.send("GET", "order")
            self.c.send("INCR", "order")
        for i in range(500):
            self.assertEqual(self.c.read()[1], "OK")
            self.assertEqual(self.c.read()[1], b"%d" % i)
            self.assertEqual(self.c.read()[1], i + 1)

    def test_increments_of_many_clients_all_count(self):
        def add():
            with self.node.connect() as connection:
                for _ in range(200):
                    connection.call("INCR", "shared")
        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.c.call("GET", "shared"), b"1600")

    def test_databases_are_apart(self):
        with self.node.connect() as other:
            other.call("SELECT", "5")
            other.call("SET", "dbkey", "five")
            self.assertIsNone(self.c.call("GET", "dbkey"))
            self.c.call("SET", "dbkey", "zero")
            self.assertEqual(other.call("GET", "dbkey"), b"five")
            self.assertEqual(other.call("DBSIZE"), 1)
            other.call("FLUSHDB")
            self.assertEqual(other.call("DBSIZE"), 0)
            self.assertEqual(self.c.call("GET", "dbkey"), b"zero")
            other.call("SET", "dbkey", "again")
            self.assertEqual(other.call("GET", "dbkey"), b"again")

    def test_flushall_in_one_connection_holds_the_order(self):
        self.c.send("SET", "flush:a", "1")
        self.c.send("FLUSHALL")
        self.c.send("GET", "flush:a")
        self.c.send("SET", "flush:a", "2")
        self.c.send("GET", "flush:a")
        replies = [self.c.read()[1] for _ in range(5)]
        self.assertEqual(replies, ["OK", "OK", None, "OK", b"2"])


class Expiry(OneNode):

    def test_expired_keys_are_not_counted_for_long(self):
        self.c.call("SET", "stays", "1")
        for i in range(50):
            self.c.call("SET", "goes:%d" % i, "1", "PX", "50")
        deadline = time.monotonic() + 10
        while self.c.call("DBSIZE") != 1:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)


class ValueLimits(OneNode):

    options = {"proto-max-bulk-len": str(1 << 20)}

    def test_append_is_bounded(self):
        self.c.call("SET", "limit", b"x" * (1 << 20))
        self.assert_error("ERR string exceeds maximum allowed size (proto-max-bulk-len)",
                          "APPEND", "limit", "y")
        self.assertEqual(self.c.call("STRLEN", "limit"), 1 << 20)
        self.c.call("CONFIG", "SET", "proto-max-bulk-len", str(2 << 20))
        self.assertEqual(self.c.call("APPEND", "limit", "y"), (1 << 20) + 1)


class Dyn(OneNode):

    def test_get_put_del(self):
        c = self.c
        self.assertEqual(c.call("DYN.GET", "d:1"), [b"", []])
        first = c.call("DYN.PUT", "d:1", "", "a")
        self.assertRegex(first.decode(), "^[A-Za-z0-9_-]+$")
        context, values = c.call("DYN.GET", "d:1")
        self.assertEqual(values, [b"a"])
        second = c.call("DYN.PUT", "d:1", "", "b")
        self.assertNotEqual(first, second)
        self.assertEqual(c.call("DYN.GET", "d:1")[1], [b"b", b"a"])
        # The context of the first put covers the first value only.
        third = c.call("DYN.PUT", "d:1", first, "c")
        self.assertEqual(c.call("DYN.GET", "d:1")[1], [b"c", b"b"])
        context, _ = c.call("DYN.GET", "d:1", "R", "1")
        c.call("DYN.PUT", "d:1", context, "merged")
        self.assertEqual(c.call("DYN.GET", "d:1")[1], [b"merged"])
        self.assertEqual(c.call("GET", "d:1"), b"merged")
        # An old context takes nothing away.
        c.call("DYN.DEL", "d:1", third)
        self.assertEqual(c.call("DYN.GET", "d:1")[1], [b"merged"])
        context, _ = c.call("DYN.GET", "d:1")
        c.call("DYN.DEL", "d:1", context)
        context, values = c.call("DYN.GET", "d:1")
        self.assertEqual(values, [])
        self.assertNotEqual(context, b"")
        self.assertIsNone(c.call("GET", "d:1"))

    def test_get_shows_the_newest_and_set_overwrites_all(self):
        for value in "abc":
            self.c.call("DYN.PUT", "d:2", "", value)
        self.assertEqual(self.c.call("GET", "d:2"), b"c")
        self.assertEqual(len(self.c.call("DYN.SIBLINGS", "d:2")), 3)
        self.c.call("SET", "d:2", "z")
        self.assertEqual(self.c.call("DYN.GET", "d:2")[1], [b"z"])

    def test_expiry_of_a_put(self):
        self.c.call("DYN.PUT", "d:3", "", "short", "PX", "60")
        self.c.call("DYN.PUT", "d:3", "", "long", "EX", "100", "W", "1")
        self.c.call("DYN.PUT", "d:3", "", "later", "EXAT", FAR)
        self.c.call("DYN.PUT", "d:3", "", "latest", "W", "1", "PXAT", FAR * 1000)
        self.assertEqual(len(self.c.call("DYN.GET", "d:3")[1]), 4)
        time.sleep(0.12)
        self.assertEqual(self.c.call("DYN.GET", "d:3")[1], [b"latest", b"later", b"long"])

    def test_expire_keeps_siblings(self):
        for value in "ab":
            self.c.call("DYN.PUT", "d:4", "", value)
        self.assertEqual(self.c.call("EXPIRE", "d:4", "100"), 1)
        siblings = [pairs(sibling) for sibling in self.c.call("DYN.SIBLINGS", "d:4")]
        self.assertEqual({sibling["value"] for sibling in siblings}, {b"a", b"b"})
        for sibling in siblings:
            self.assertTrue(99000 < sibling["ttl"] <= 100000)
        self.assertEqual(self.c.call("GETEX", "d:4", "PERSIST"), b"b")
        siblings = [pairs(sibling) for sibling in self.c.call("DYN.SIBLINGS", "d:4")]
        self.assertEqual([sibling["ttl"] for sibling in siblings], [-1, -1])

    def test_siblings(self):
        before = time.time() * 1000
        self.c.call("DYN.PUT", "d:5", "", "v")
        self.c.call("DYN.DEL", "d:5", "")
        self.c.call("HELLO", "3")
        reply = self.c.call("DYN.SIBLINGS", "d:5")
        self.assertEqual(len(reply), 2)
        deleted, alive = [pairs(sibling) for sibling in reply]
        self.assertEqual(set(alive), {"value", "dot", "node", "time", "ttl", "deleted"})
        self.assertEqual((alive["value"], alive["deleted"], alive["ttl"]), (b"v", 0, -1))
        self.assertEqual((deleted["value"], deleted["deleted"]), (None, 1))
        self.assertRegex(alive["dot"].decode(), "^[0-9a-f]{16}\\.[0-9a-f]{16}:[0-9]+$")
        self.assertRegex(alive["node"].decode(), "^[0-9a-f]{40}$")
        self.assertEqual(alive["node"][:16], alive["dot"][:16])
        self.assertLess(abs(alive["time"] - before), 5000)
        self.assertEqual(self.c.call("DYN.SIBLINGS", "d:nosuch"), [])

    def test_bad_contexts(self):
        context = self.c.call("DYN.PUT", "d:6", "", "v")
        damaged = context[:-1] + (b"A" if context[-1:] != b"A" else b"B")
        for bad in (damaged, b"x", b"!!!!", context + b"A", b"\0", context[:5]):
            self.assert_error_starts("BADCONTEXT ", "DYN.PUT", "d:6", bad, "w")
            self.assert_error_starts("BADCONTEXT ", "DYN.DEL", "d:6", bad)
        self.assert_error_starts("BADCONTEXT ", "DYN.PUT", "d:other", context, "w")
        self.c.call("SELECT", "1")
        self.assert_error_starts("BADCONTEXT ", "DYN.PUT", "d:6", context, "w")
        self.c.call("SELECT", "0")
        self.assertEqual(self.c.call("DYN.GET", "d:6")[1], [b"v"])
        self.assertEqual(self.c.call("DYN.GET", "d:other"), [b"", []])

    def test_option_errors(self):
        for arguments, line in (
                (("DYN.GET", "k", "R"), "ERR syntax error"),
                (("DYN.GET", "k", "W", "1"), "ERR syntax error"),
                (("DYN.GET", "k", "R", "x"), "ERR value is not an integer or out of range"),
                (("DYN.GET", "k", "R", "0"), "ERR R must be between 1 and N=3"),
                (("DYN.GET", "k", "R", "4"), "ERR R must be between 1 and N=3"),
                (("DYN.PUT", "k", "", "v", "W", "4"), "ERR W must be between 1 and N=3"),
                (("DYN.PUT", "k", "", "v", "EX"), "ERR syntax error"),
                (("DYN.PUT", "k", "", "v", "EX", "0"),
                 "ERR invalid expire time in 'dyn.put' command"),
                (("DYN.PUT", "k", "", "v", "EX", "1", "PX", "1"), "ERR syntax error"),
                (("DYN.PUT", "k", "", "v", "NX"), "ERR syntax error"),
                (("DYN.DEL", "k", "", "EX", "1"), "ERR syntax error"),
                (("DYN.DEL", "k", "", "W", "9"), "ERR W must be between 1 and N=3"),
                (("DYN.PREFLIST", "k", "SOME"), "ERR syntax error"),
                (("DYN.QUORUM", "R"), "ERR syntax error"),
                (("DYN.QUORUM", "R", "4"), "ERR R must be between 1 and N=3"),
                (("DYN.QUORUM", "X", "1"), "ERR syntax error"),
                (("DYN.JOIN", "nowhere"), "ERR invalid address, expected host:busport"),
                (("DYN.PUT", "k", ""), "ERR wrong number of arguments for 'dyn.put' command"),
                (("DYN.GET",), "ERR wrong number of arguments for 'dyn.get' command")):
            self.assert_error(line, *arguments)

    def test_quorum(self):
        self.assertEqual(set(pairs(self.c.call("DYN.QUORUM"))), {"r", "w"})
        self.assertEqual(self.c.call("DYN.QUORUM", "R", "1", "W", "1"), "OK")
        self.assertEqual(pairs(self.c.call("DYN.QUORUM")), {"r": 1, "w": 1})
        self.assertEqual(self.c.call("DYN.QUORUM", "w", "3"), "OK")
        self.c.call("SET", "d:7", "v")
        self.assertEqual(self.c.call("GET", "d:7"), b"v")

    def test_where_a_key_lives(self):
        identity = self.c.call("CLUSTER", "MYID")
        self.assertRegex(identity.decode(), "^[0-9a-f]{40}$")
        self.assertEqual(self.c.call("DYN.PREFLIST", "foo"),
                         [[identity, b"127.0.0.1", self.node.port, 1]])
        self.assertEqual(self.c.call("DYN.PREFLIST", "foo", "ALL"),
                         self.c.call("DYN.PREFLIST", "foo"))
        self.c.call("SET", "foo", "v")
        explanation = pairs(self.c.call("DYN.EXPLAIN", "foo"))
        self.assertEqual(explanation["slot"], self.c.call("CLUSTER", "KEYSLOT", "foo"))
        self.assertEqual(explanation["partition"], explanation["slot"] // 64)
        self.assertEqual(explanation["preference-list"], [identity])
        replica = pairs(explanation["replicas"][0])
        self.assertEqual(set(replica), {"node", "role", "answered-in", "siblings", "context",
                                        "last-write", "same"})
        self.assertEqual((replica["node"], replica["role"], replica["siblings"], replica["same"]),
                         (identity, b"primary", 1, 1))
        self.assertEqual(replica["context"], self.c.call("DYN.GET", "foo")[0])
        self.assertEqual(self.c.call("DYN.RING"), [[0, 16383, [identity]]])

    def test_nodes_status_and_history(self):
        node = pairs(self.c.call("DYN.NODES")[0])
        self.assertEqual(set(node), {"id", "host", "port", "bus-port", "zone", "weight", "tokens",
                                     "status", "alive", "owns"})
        self.assertEqual((node["port"], node["bus-port"], node["alive"], node["status"]),
                         (self.node.port, self.node.bus_port, 1, b"normal"))
        self.assertEqual(node["owns"], b"1")
        self.c.call("HELLO", "3")
        self.assertEqual(pairs(self.c.call("DYN.NODES")[0])["owns"], 1.0)
        before = pairs(self.c.call("DYN.STATUS"))
        self.c.call("DYN.PUT", "d:8", "", "a")
        self.c.call("DYN.PUT", "d:8", "", "b")
        self.c.call("DYN.GET", "d:8")
        after = pairs(self.c.call("DYN.STATUS"))
        self.assertGreaterEqual(after["siblings-created"], before["siblings-created"] + 1)
        self.assertGreaterEqual(after["siblings-2"], before["siblings-2"] + 1)
        history = self.c.call("DYN.HISTORY")
        epoch, milliseconds, proposer, what = history[-1]
        self.assertEqual(proposer, node["id"])
        self.assertLess(abs(milliseconds - time.time() * 1000), 600000)
        self.assertGreater(epoch, 0)
        self.assertTrue(what)


class ClusterCommands(OneNode):

    def test_info_and_nodes(self):
        info = dict(line.split(":") for line in self.c.call("CLUSTER", "INFO").decode().split())
        self.assertEqual(info["cluster_state"], "ok")
        self.assertEqual(info["cluster_slots_assigned"], "16384")
        self.assertEqual(info["cluster_known_nodes"], "1")
        self.assertEqual(info["cluster_size"], "1")
        line = self.c.call("CLUSTER", "NODES").decode()
        self.assertRegex(line, r"^[0-9a-f]{40} 127.0.0.1:%d@%d myself,master - 0 0 \d+ connected "
                               r"0-16383\n$" % (self.node.port, self.node.bus_port))

    def test_slots_and_shards(self):
        identity = self.c.call("CLUSTER", "MYID")
        port = self.node.port
        self.assertEqual(self.c.call("CLUSTER", "SLOTS"),
                         [[0, 16383, [b"127.0.0.1", port, identity, []]]])
        shard = pairs(self.c.call("CLUSTER", "SHARDS")[0])
        self.assertEqual(shard["slots"], [0, 16383])
        node = pairs(shard["nodes"][0])
        self.assertEqual(node, {"id": identity, "port": port, "ip": b"127.0.0.1",
                                "endpoint": b"127.0.0.1", "role": b"master",
                                "replication-offset": 0, "health": b"online"})
        self.c.call("HELLO", "3")
        self.assertEqual(self.c.call("CLUSTER", "SLOTS"),
                         [[0, 16383, [b"127.0.0.1", port, identity, {}]]])

    def test_key_slots(self):
        for key, slot in (("foo", 12182), ("bar", 5061), ("{user1000}.following", 3443),
                          ("{user1000}.followers", 3443), ("foo{}{bar}", 8363), ("a", 15495)):
            self.assertEqual(self.c.call("CLUSTER", "KEYSLOT", key), slot)

    def test_keys_in_slot(self):
        for i in range(5):
            self.c.call("SET", "{inslot}%d" % i, "v")
        slot = self.c.call("CLUSTER", "KEYSLOT", "{inslot}")
        self.assertEqual(self.c.call("CLUSTER", "COUNTKEYSINSLOT", slot), 5)
        keys = self.c.call("CLUSTER", "GETKEYSINSLOT", slot, "100")
        self.assertEqual(sorted(keys), [b"{inslot}%d" % i for i in range(5)])
        self.assertEqual(len(self.c.call("CLUSTER", "GETKEYSINSLOT", slot, "2")), 2)
        self.assertEqual(self.c.call("CLUSTER", "GETKEYSINSLOT", slot, "0"), [])
        self.c.call("DEL", "{inslot}0")
        self.assertEqual(self.c.call("CLUSTER", "COUNTKEYSINSLOT", slot), 4)

    def test_errors(self):
        for arguments, line in (
                (("KEYSLOT",), "ERR wrong number of arguments for 'cluster|keyslot' command"),
                (("COUNTKEYSINSLOT", "x"), "ERR value is not an integer or out of range"),
                (("COUNTKEYSINSLOT", "16384"), "ERR Invalid slot"),
                (("COUNTKEYSINSLOT", "-1"), "ERR Invalid slot"),
                (("GETKEYSINSLOT", "1", "x"), "ERR value is not an integer or out of range"),
                (("GETKEYSINSLOT", "1", "-1"), "ERR Invalid slot or number of keys"),
                (("GETKEYSINSLOT", "99999", "1"), "ERR Invalid slot or number of keys"),
                (("MEET", "a", "b"), "ERR Invalid TCP base port specified: b"),
                (("MEET", "127.0.0.1", "0"), "ERR Invalid node address specified: 127.0.0.1:0"),
                (("MEET", "127.0.0.1", "99999"),
                 "ERR Invalid node address specified: 127.0.0.1:99999"),
                (("MEET", "127.0.0.1", "1", "x"), "ERR Invalid TCP bus port specified: x"),
                (("ADDSLOTS", "1"), "ERR unknown subcommand 'ADDSLOTS'. Try CLUSTER HELP."),
                (("FAILOVER",), "ERR unknown subcommand 'FAILOVER'. Try CLUSTER HELP.")):
            self.assert_error(line, "CLUSTER", *arguments)

    def test_what_cluster_clients_send(self):
        for command in ("READONLY", "READWRITE", "ASKING"):
            self.assertEqual(self.c.call(command), "OK")
        self.assertEqual(self.c.call("CLUSTER", "LINKS"), [])


class Passwords(OneNode):

    options = {"requirepass": "secret"}

    @classmethod
    def setUpClass(cls):
        # The node refuses what tells whether it is ready, so this waits by itself.
        cls.cluster = Cluster(1, **cls.options)
        cls.node = cls.cluster.nodes[0]
        cls.node.start()
        deadline = time.monotonic() + 30
        while True:
            try:
                with cls.node.connect() as connection:
                    connection.call("AUTH", "secret")
                    connection.call("GET", "x")
                return
            except (OSError, ReplyError):
                if time.monotonic() > deadline:
                    cls.cluster.stop()
                    raise
                time.sleep(0.05)

    def test_nothing_but_auth_before_auth(self):
        for command in (("GET", "x"), ("PING",), ("INFO",), ("CLUSTER", "SLOTS"),
                        ("DYN.GET", "x"), ("SHUTDOWN",), ("CLIENT", "ID")):
            self.assert_error("NOAUTH Authentication required.", *command)
        self.assert_error_starts("NOAUTH HELLO must be called with the client already "
                                 "authenticated, otherwise the HELLO AUTH <user> <pass>",
                                 "HELLO", "3")
        self.assertEqual(self.c.raw("RESET"), b"+RESET\r\n")
        self.assertEqual(self.c.call("QUIT"), "OK")

    def test_auth(self):
        wrong = "WRONGPASS invalid username-password pair or user is disabled."
        self.assert_error(wrong, "AUTH", "guess")
        self.assert_error(wrong, "AUTH", "default", "guess")
        self.assert_error(wrong, "AUTH", "root", "secret")
        self.assert_error(wrong, "HELLO", "3", "AUTH", "default", "guess")
        self.assert_error("NOAUTH Authentication required.", "PING")
        self.assertEqual(self.c.call("AUTH", "default", "secret"), "OK")
        self.assertEqual(self.c.call("PING"), "PONG")
        self.c.call("RESET")
        self.assert_error("NOAUTH Authentication required.", "PING")
        self.assertEqual(pairs(self.c.call("HELLO", "3", "AUTH", "default", "secret", "SETNAME",
                                           "n"))["proto"], 3)
        self.assertEqual(self.c.call("CLIENT", "GETNAME"), b"n")


    def test_a_password_that_is_taken_away_lets_everybody_in(self):
        self.assert_error("NOAUTH Authentication required.", "PING")
        with self.node.connect() as other:
            other.call("AUTH", "secret")
            other.call("CONFIG", "SET", "requirepass", "")
            try:
                self.assertEqual(self.c.call("PING"), "PONG")
                self.assertEqual(pairs(self.c.call("HELLO", "3"))["proto"], 3)
            finally:
                other.call("CONFIG", "SET", "requirepass", "secret")
            self.assertEqual(other.call("PING"), "PONG")
        self.assert_error("NOAUTH Authentication required.", "PING")


class UnixSocket(unittest.TestCase):

    def test_who_serves_on_a_path_keeps_it(self):
        with Cluster(1, unixsocket="/tmp/cartwheel-%d.sock" % os.getpid()) as cluster:
            node = cluster.nodes[0]
            path = node.options["unixsocket"]

            def ping():
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(10)
                    client.connect(path)
                    client.sendall(b"PING\r\n")
                    return client.recv(100)
            self.assertEqual(ping(), b"+PONG\r\n")
            second = Node(*free_ports(2), node.directory + ".second", "", node.options)
            second.start()
            self.assertEqual(second.process.wait(20), 1)
            self.assertIn("unixsocket", second.log())
            self.assertEqual(ping(), b"+PONG\r\n")
            node.kill()
            node.start()  # over what the killed one left
            cluster.wait_ready()
            self.assertEqual(ping(), b"+PONG\r\n")


class Shutdown(unittest.TestCase):

    def test_shutdown_ends_cleanly_and_keeps_the_data(self):
        with Cluster(1) as cluster:
            node = cluster.nodes[0]
            with node.connect() as connection:
                connection.call("SET", "kept", "v")
                connection.send("SHUTDOWN")
                self.assertTrue(connection.closed_by_server())
            self.assertEqual(node.process.wait(15), 0)
            node.start()
            cluster.wait_ready()
            with node.connect() as connection:
                self.assertEqual(connection.call("GET", "kept"), b"v")

    def test_signals_without_end_end_it_cleanly(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with Cluster(1) as cluster:
                process = cluster.nodes[0].process
                while process.poll() is None:
                    process.send_signal(number)
                    time.sleep(0.0002)
                self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
