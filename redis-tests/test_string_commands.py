"""Ranges, counters, bits and HyperLogLogs: the same commands against redis-server and Cartwheel, and
the replies must be the same bytes. First those that were thought of, then many that are drawn."""

import random
import shutil
import unittest

from cluster import Cluster, RedisServer, ReplyError, pairs
from same_bytes import commands_of, differences

TABLE = r"""
GETRANGE
GETRANGE k 0
GETRANGE nosuch 0 -1
GETRANGE nosuch a 1
GETRANGE nosuch 0 b
SET r1 'Hello World'
GETRANGE r1 0 3
GETRANGE r1 0 -1
GETRANGE r1 -4 -1
GETRANGE r1 5 3
GETRANGE r1 5 5000
GETRANGE r1 -5000 10000
GETRANGE r1 -5000 -6000
GETRANGE r1 -6000 -5000
GETRANGE r1 -1 -5
GETRANGE r1 0 4294967297
GETRANGE r1 -9223372036854775808 9223372036854775807
GETRANGE r1 9223372036854775807 -9223372036854775808
GETRANGE r1 9223372036854775808 0
SET r2 ''
GETRANGE r2 0 -1
GETRANGE r2 -1 0
SUBSTR r1 0 4
SUBSTR r1 a 4
SUBSTR r1
SETRANGE
SETRANGE r1 0
SETRANGE r1 6 Redis
GET r1
SETRANGE r1 -1 x
SETRANGE r1 a x
SETRANGE r1 1.0 x
SETRANGE r1 20 x
GET r1
SETRANGE r1 0 ''
SETRANGE r1 1000 ''
SETRANGE r3 0 ''
EXISTS r3
SETRANGE r3 5 ''
EXISTS r3
SETRANGE r3 3 abc
GET r3
EXPIRE r3 1000
SETRANGE r3 1 z
TTL r3
SETRANGE r3 536870911 xx
SETRANGE r3 536870912 x
SETRANGE r3 9223372036854775807 x
SETRANGE r3 9223372036854775808 x
SETRANGE nosuch 536870912 ''
SETRANGE nosuch 536870912 x
EXISTS nosuch
SET r4 1234
SETRANGE r4 5 2
GET r4
INCR r4

INCRBYFLOAT
INCRBYFLOAT f1
INCRBYFLOAT f1 1 2
INCRBYFLOAT f1 1
INCRBYFLOAT f1 0.25
GET f1
INCRBYFLOAT f1 -1.25
INCRBYFLOAT f1 10.5
INCRBYFLOAT f1 0.1
INCRBYFLOAT f1 5.0e3
INCRBYFLOAT f1 x
INCRBYFLOAT f1 ''
INCRBYFLOAT f1 ' 1'
INCRBYFLOAT f1 '1 '
INCRBYFLOAT f1 1e
INCRBYFLOAT f1 1.
INCRBYFLOAT f1 .5
INCRBYFLOAT f1 +1
INCRBYFLOAT f1 --1
INCRBYFLOAT f1 0x10
INCRBYFLOAT f1 nan
INCRBYFLOAT f1 -nan
INCRBYFLOAT f1 inf
INCRBYFLOAT f1 +inf
INCRBYFLOAT f1 -Infinity
INCRBYFLOAT f1 1e5000
INCRBYFLOAT f1 1e-5000
INCRBYFLOAT f1 5e-324
INCRBYFLOAT f1 0.000000000000000006
GET f1
SET f2 1e400
INCRBYFLOAT f2 1
INCRBYFLOAT f2 -1e400
SET f3 abc
INCRBYFLOAT f3 1
SET f3 ' 1'
INCRBYFLOAT f3 1
SET f3 '1 '
INCRBYFLOAT f3 1
SET f3 inf
INCRBYFLOAT f3 1
SET f3 "1\x002"
INCRBYFLOAT f3 1
SET f3 0x1p3
INCRBYFLOAT f3 1
SET f3 3.0e3
INCRBYFLOAT f3 1
SET f3 -0
INCRBYFLOAT f3 -0.0
INCRBYFLOAT f4 -0.000000000000000001
INCRBYFLOAT f4 123456789012345678901234567890
INCRBYFLOAT f4 0.1
SET f5 17179869184
INCRBYFLOAT f5 1.5
INCRBYFLOAT f5 17179869184
INCRBYFLOAT f6 0.024390243902439025
INCRBYFLOAT f6 -0.024390243902439025
SET f7 3 EX 1000
INCRBYFLOAT f7 1.5
TTL f7
SET f8 1.1897314953572317650e4932
INCRBYFLOAT f8 1
INCRBYFLOAT f8 1.1897314953572317650e4932

MSETNX
MSETNX a
MSETNX a 1 b
MSETNX m1 a m2 b
MGET m1 m2
MSETNX m3 c m2 d
EXISTS m3
MSETNX m4 x m4 y
GET m4
MSETNX m4 x m4 z
GET m4

LCS
LCS a
SET l1 ohmytext
SET l2 mynewtext
LCS l1 l2
LCS l2 l1
LCS l1 l2 LEN
LCS l1 l2 IDX
LCS l1 l2 IDX MINMATCHLEN 4
LCS l1 l2 IDX MINMATCHLEN 4 WITHMATCHLEN
LCS l1 l2 idx withmatchlen minmatchlen -3
LCS l1 l2 IDX MINMATCHLEN 9223372036854775807
LCS l1 l2 MINMATCHLEN 3
LCS l1 l2 LEN MINMATCHLEN 3 WITHMATCHLEN
LCS l1 l2 LEN IDX
LCS l1 l2 IDX LEN
LCS l1 l2 LEN LEN
LCS l1 l2 FOO
LCS l1 l2 MINMATCHLEN
LCS l1 l2 MINMATCHLEN x
LCS l1 l2 LEN IDX FOO
LCS l1 l1
LCS l1 l1 IDX WITHMATCHLEN
LCS l1 nosuch
LCS nosuch l1 LEN
LCS nosuch nosuch2 IDX
SET l3 ''
LCS l1 l3 IDX
SET l4 aaaa
SET l5 aa
LCS l4 l5 IDX
LCS l5 l4 IDX
SETRANGE l6 20000 x
LCS l6 l6 LEN

SETBIT
SETBIT b1 0
SETBIT b1 7 1
SETBIT b1 7 0
SETBIT b1 7 0
GET b1
SETBIT b1 6 1
SETBIT b1 1 1
GET b1
SETBIT b1 100 1
STRLEN b1
SETBIT b1 -1 1
SETBIT b1 4294967296 1
SETBIT b1 9223372036854775808 1
SETBIT b1 x 1
SETBIT b1 #1 1
SETBIT b1 0 2
SETBIT b1 0 -1
SETBIT b1 0 10
SETBIT b1 0 x
SETBIT b1 0 01
SETBIT x x x
SETBIT b2 0 0
GET b2
EXPIRE b2 1000
SETBIT b2 9 1
TTL b2
GETBIT
GETBIT b1
GETBIT b1 1
GETBIT b1 2
GETBIT b1 100000
GETBIT b1 4294967295
GETBIT b1 4294967296
GETBIT b1 -1
GETBIT b1 x
GETBIT nosuch 1
GETBIT nosuch x

BITCOUNT
BITCOUNT nosuch
BITCOUNT nosuch a
BITCOUNT nosuch a b FOO BAR
SET c1 foobar
BITCOUNT c1
BITCOUNT c1 0 0
BITCOUNT c1 1 1
BITCOUNT c1 1 1 BYTE
BITCOUNT c1 5 30 BIT
BITCOUNT c1 5 30 bit
BITCOUNT c1 0 -1 BIT
BITCOUNT c1 -2 1
BITCOUNT c1 -6 -7
BITCOUNT c1 -60 -70
BITCOUNT c1 -70 -60
BITCOUNT c1 -60 -70 FOO
BITCOUNT c1 -70 -60 BIT
BITCOUNT c1 10 20
BITCOUNT c1 0
BITCOUNT c1 0 x
BITCOUNT c1 x 0 FOO
BITCOUNT c1 0 1 FOO
BITCOUNT c1 0 1 BIT X
BITCOUNT c1 0 4294967296
BITCOUNT c1 -9223372036854775808 9223372036854775807
SET c2 ''
BITCOUNT c2
BITCOUNT c2 0 -1
BITCOUNT c2 0 -1 BIT

BITPOS
BITPOS p1
BITPOS p1 2
BITPOS p1 x
BITPOS p1 00
BITPOS nosuch 0
BITPOS nosuch 1
BITPOS nosuch 0 a b c d
BITPOS nosuch 1 a
SET p1 "\xff\xf0\x00"
BITPOS p1 0
BITPOS p1 1
BITPOS p1 0 1
BITPOS p1 1 2
BITPOS p1 1 2 -1
BITPOS p1 0 0 0
BITPOS p1 0 0 0 BYTE
BITPOS p1 0 0 11 BIT
BITPOS p1 0 0 12 BIT
BITPOS p1 0 13 20 bit
BITPOS p1 1 12 23 BIT
BITPOS p1 0 -1
BITPOS p1 0 -3 -1
BITPOS p1 1 -6 -7
BITPOS p1 0 5
BITPOS p1 0 2 1
BITPOS p1 x 0
BITPOS p1 1 x
BITPOS p1 1 0 x
BITPOS p1 1 0 x FOO
BITPOS p1 1 0 x BIT
BITPOS p1 1 0 -1 BIT X
SET p2 "\xff\xff"
BITPOS p2 0
BITPOS p2 0 1
BITPOS p2 0 2
BITPOS p2 0 0 -1
BITPOS p2 0 0 -1 BIT
BITPOS p2 0 8 1000 BIT
SET p3 ''
BITPOS p3 0
BITPOS p3 1
BITPOS p3 0 0
BITPOS p3 0 0 -1
BITPOS p3 0 0 -1 BIT
SET p4 "\x00\x00\x00"
BITPOS p4 1

BITOP
BITOP AND d
BITOP FOO d a
BITOP NOT d a b
SET o1 "\x01\x02\xff\xff"
SET o2 "\x01\x02\xff"
BITOP AND d o1 o2
GET d
BITOP or d o1 o2
GET d
BITOP Xor d o1 o2
GET d
BITOP NOT d o1
GET d
BITOP AND d o1
GET d
BITOP OR d nosuch o1 nosuch2
GET d
BITOP AND d nosuch o1
GET d
EXPIRE d 1000
BITOP NOT d d
TTL d
GET d
BITOP AND d nosuch nosuch2
EXISTS d
BITOP NOT d nosuch
SET o3 ''
BITOP OR d o3 o3
EXISTS d
BITOP XOR o1 o1 o1
GET o1

BITFIELD
BITFIELD g1
BITFIELD g1 OVERFLOW SAT
BITFIELD g1 GET u8 0
EXISTS g1
BITFIELD g1 SET i8 0 -100
BITFIELD g1 SET i8 0 101
BITFIELD g1 GET i8 0
BITFIELD g1 SET u8 0 255 INCRBY u8 0 100 GET u8 0
BITFIELD g1 set u8 #0 65 set u8 #1 66 set u8 #2 67
GET g1
BITFIELD g1 INCRBY i5 100 1 GET u4 0
STRLEN g1
BITFIELD g2 OVERFLOW WRAP INCRBY u8 #0 257 OVERFLOW SAT INCRBY u8 #0 257 OVERFLOW FAIL INCRBY u8 #0 1
BITFIELD g2 OVERFLOW SAT SET u8 0 -1 SET i8 0 1000 SET i8 0 -1000 SET u8 0 1000 GET u8 0
BITFIELD g2 OVERFLOW FAIL SET u8 0 256 SET u8 0 -1 SET i8 0 128 SET i8 0 127 INCRBY i8 0 1 INCRBY i8 0 -255
BITFIELD g2 SET u8 0 256 SET u8 0 -1 SET i8 0 128 GET i8 0 INCRBY i8 0 -1
BITFIELD g2 SET i64 0 9223372036854775807 INCRBY i64 0 1 OVERFLOW SAT INCRBY i64 0 -1 INCRBY i64 0 1 OVERFLOW FAIL INCRBY i64 0 -1
BITFIELD g2 SET u63 1 -1 GET u63 1 INCRBY u63 1 1 OVERFLOW SAT INCRBY u63 1 -5 INCRBY u63 1 9223372036854775807 GET u63 1
BITFIELD g2 SET u63 3 9223372036854775807 SET i64 5 -9223372036854775808 GET i64 0 GET u1 5 GET i1 5
BITFIELD g3 OVERFLOW FAIL SET u8 100 256
STRLEN g3
BITFIELD g4 SET i8 0 1 FOO
BITFIELD g4 FOO
BITFIELD g4 GET
BITFIELD g4 GET u8
BITFIELD g4 SET u8 0
BITFIELD g4 INCRBY u8 0
BITFIELD g4 OVERFLOW
BITFIELD g4 OVERFLOW FOO
BITFIELD g4 GET u64 0
BITFIELD g4 GET i65 0
BITFIELD g4 GET i0 0
BITFIELD g4 GET x8 0
BITFIELD g4 GET U8 0
BITFIELD g4 GET u 0
BITFIELD g4 GET '' 0
BITFIELD g4 GET u08 0
BITFIELD g4 GET u8 -1
BITFIELD g4 GET u8 x
BITFIELD g4 GET u8 #
BITFIELD g4 GET u8 #-1
BITFIELD g4 GET u8 4294967296
BITFIELD g4 GET u8 4294967295
BITFIELD g4 GET u8 #536870912
BITFIELD g4 GET u8 #536870911
BITFIELD g4 SET u8 0 x
BITFIELD g4 SET u8 0 9223372036854775808
BITFIELD g4 INCRBY u8 0 1.5
EXISTS g4
EXPIRE g2 1000
BITFIELD g2 SET u8 0 1
TTL g2
BITFIELD_RO
BITFIELD_RO g2
BITFIELD_RO nosuch GET u8 0 GET i64 100
BITFIELD_RO g2 GET u8 0 GET i64 100
BITFIELD_RO g2 OVERFLOW SAT GET u8 0
BITFIELD_RO g2 SET u8 0 1
BITFIELD_RO g2 GET u8 0 INCRBY u8 0 1
BITFIELD_RO g2 SET u8 0 x
BITFIELD_RO g2 SET u8 0 1 FOO

PFADD
PFADD h1
PFADD h1
GET h1
PFCOUNT h1
GET h1
PFDEBUG ENCODING h1
PFDEBUG DECODE h1
PFADD h1 a b c
GET h1
PFADD h1 a b c
PFADD h1 ''
PFCOUNT h1
GET h1
PFADD h1 a
GET h1
PFADD h1 d
GET h1
PFDEBUG DECODE h1
PFADD h2 b c d e f g h i j k l m n o p
PFCOUNT h2
PFCOUNT h1 h2
PFCOUNT h1 h2 nosuch
PFCOUNT nosuch
PFCOUNT nosuch nosuch2
PFCOUNT
PFMERGE
PFMERGE h3
GET h3
PFMERGE h3
PFMERGE h3 h1 h2
PFCOUNT h3
GET h3
PFMERGE h4 nosuch
GET h4
EXPIRE h4 1000
PFADD h4 x
PFCOUNT h4
PFMERGE h4 h1
TTL h4
PFCOUNT h4
PFDEBUG TODENSE h1
PFDEBUG TODENSE h1
PFDEBUG ENCODING h1
PFDEBUG DECODE h1
PFCOUNT h1
GET h1
PFADD h1 z
PFCOUNT h1
GET h1
PFMERGE h5 h1 h2
PFDEBUG encoding h5
GET h5
PFMERGE h2 h1
PFDEBUG encoding h2
PFDEBUG getreg h5
PFDEBUG
PFDEBUG GETREG
PFDEBUG GETREG nosuch
PFDEBUG TODENSE nosuch
PFDEBUG FOO nosuch
PFDEBUG FOO h1
PFDEBUG ENCODING h1 x
PFSELFTEST x
PFSELFTEST
SET h6 bar
PFADD h6 1
PFCOUNT h6
PFCOUNT h1 h6
PFMERGE h6 h1
PFMERGE h1 h6
PFMERGE nosuch h6
EXISTS nosuch
PFDEBUG GETREG h6
PFDEBUG TODENSE h6
PFADD h7 a b c
APPEND h7 hello
PFCOUNT h7
PFCOUNT h7 h1
PFDEBUG GETREG h7
PFADD h8 a b c
SETRANGE h8 0 0123
PFCOUNT h8
PFADD h9 a b c
SETRANGE h9 4 x
PFCOUNT h9
PFADD h9 x
SETRANGE h9 4 "\x00"
PFCOUNT h9
SET h10 "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
PFCOUNT h10
SET h10 "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff\x00"
PFCOUNT h10
SET h10 "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfe\x80"
PFCOUNT h10
SET h10 "HYLL\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00broken"
PFCOUNT h10
PFDEBUG ENCODING nosuch
CONFIG SET hll-sparse-max-bytes 30
CONFIG GET hll-sparse-max-bytes
PFADD h11 a b c d e f
PFDEBUG ENCODING h11
PFADD h11 g h i j k l m n o
PFDEBUG ENCODING h11
PFCOUNT h11
CONFIG SET hll-sparse-max-bytes 0
PFADD h12
PFDEBUG ENCODING h12
PFADD h12 a
PFDEBUG ENCODING h12
CONFIG SET hll-sparse-max-bytes 3000
CONFIG GET hll-sparse-max-bytes
"""

COMMANDS = """bitcount bitfield bitfield_ro bitop bitpos getbit getrange incrbyfloat lcs msetnx pfadd
pfcount pfdebug pfmerge pfselftest setbit setrange substr""".split()


def drawn(seed):
    """A few hundred commands on few keys, so that they meet each other's values."""
    draw = random.Random(seed)
    keys = ["k%d" % i for i in range(4)]

    def index():
        return draw.choice([draw.randint(-40, 40), draw.randint(-400, 400), 0, -1])

    def value():
        return bytes(draw.choice([0, 255, 97, draw.randrange(256)]) for _ in
                     range(draw.choice([0, 1, 8, 30])))

    def steps():
        for _ in range(draw.randint(1, 6)):
            if draw.random() < 0.4:
                yield from ["OVERFLOW", draw.choice(["WRAP", "SAT", "FAIL"])]
            verb = draw.choice(["GET", "SET", "INCRBY"])
            signed = draw.random() < 0.5
            bits = draw.randint(1, 64 if signed else 63)
            yield from [verb, ("i%d" if signed else "u%d") % bits,
                        draw.choice([str(draw.randint(0, 300)), "#%d" % draw.randint(0, 4)])]
            if verb != "GET":
                size = draw.randint(1, 63)
                yield str(draw.randint(-2 ** size, 2 ** size - 1))

    def units():
        return [[], [str(index()), str(index())],
                [str(index()), str(index()), draw.choice(["BIT", "BYTE"])]]

    def letters():
        return "".join(draw.choice("abc") for _ in range(draw.randint(0, 40)))

    for _ in range(600):
        key, other = draw.choice(keys), draw.choice(keys)
        yield draw.choice([
            lambda: ["SET", key, value()],
            lambda: ["SET", key, letters()],
            lambda: ["GET", key],
            lambda: ["SETBIT", key, draw.randint(0, 300), draw.randint(0, 1)],
            lambda: ["GETBIT", key, draw.randint(0, 300)],
            lambda: ["BITCOUNT", key] + draw.choice(units()),
            lambda: ["BITPOS", key, draw.randint(0, 1)] + draw.choice(units() + [[str(index())]]),
            lambda: ["BITFIELD", key, *steps()],
            lambda: ["BITOP", draw.choice(["AND", "OR", "XOR"]), key, other, *keys[:draw.randint(0, 4)]],
            lambda: ["BITOP", "NOT", key, other],
            lambda: ["GETRANGE", key, index(), index()],
            lambda: ["SETRANGE", key, draw.randint(0, 60), value()],
            lambda: ["LCS", key, other],
            lambda: ["LCS", key, other, "IDX", "WITHMATCHLEN", "MINMATCHLEN", draw.randint(0, 3)],
            lambda: ["SET", "f", repr(draw.uniform(-1, 1) * 10 ** draw.randint(-10, 18))],
            lambda: ["INCRBYFLOAT", "f", repr(draw.uniform(-1, 1) * 10 ** draw.randint(-10, 18))],
            lambda: ["PFADD", "h:" + key] + [draw.randrange(10 ** 6) for _ in
                                             range(draw.choice([0, 1, 5, 200]))],
            lambda: ["PFCOUNT", "h:" + key],
            lambda: ["PFCOUNT", *("h:" + k for k in keys)],
            lambda: ["PFMERGE", "h:" + key, "h:" + other],
            lambda: ["DEL", draw.choice([key, "h:" + key, "f"])],
            lambda: ["MSETNX", key, "x", other, "y"],
        ])()


def drawn_options(seed):
    """SET and GETEX with any words behind them, in any order."""
    draw = random.Random(seed)
    words = ["NX", "XX", "GET", "KEEPTTL", "PERSIST", "nx", "Get", "FOO", ""]
    numbers = ["100", "100", "100", "4102444800000", "0", "-1", "x", "9223372036854775807", ""]

    def options():
        for _ in range(draw.choice([0, 1, 1, 2, 3])):
            if draw.random() < 0.6:
                yield draw.choice(words)
            else:
                yield draw.choice(["EX", "PX", "EXAT", "PXAT", "ex"])
                yield draw.choice(numbers)

    for _ in range(1500):
        key = draw.choice("ab")
        yield draw.choice([
            lambda: ["SET", key, draw.choice("xyz"), *options()],
            lambda: ["SET", key, draw.choice("xyz"), *options()],
            lambda: ["GETEX", key, *options()],
            lambda: ["APPEND", key, "+"],
            lambda: ["GET", key],
            lambda: ["STRLEN", key],
            lambda: ["GETDEL", key],
        ])()


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class SameBytesAsRedis(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)
        cls.cluster = Cluster(3).start()
        cls.addClassCleanup(cls.cluster.stop)

    def compare(self, commands, hello=None):
        with self.redis.connect() as theirs, self.cluster.nodes[1].connect() as ours:
            if hello:
                theirs.call("HELLO", hello)
                ours.call("HELLO", hello)
            found = differences(theirs, ours, commands)
            self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_resp2(self):
        self.compare(commands_of(TABLE))

    def test_resp3(self):
        self.compare(commands_of(TABLE), "3")

    def test_drawn_commands(self):
        for seed in range(4):
            with self.subTest(seed=seed):
                self.compare(list(drawn(seed)), "3" if seed % 2 else None)

    def test_drawn_options(self):
        self.compare(list(drawn_options(1)))

    def test_command_info(self):
        with self.redis.connect() as theirs, self.cluster.nodes[0].connect() as ours:
            for name in COMMANDS:
                expected = theirs.call("COMMAND", "INFO", name)[0]
                got = ours.call("COMMAND", "INFO", name)[0]
                self.assertEqual(sorted(got[2]), sorted(expected[2]), name)
                self.assertEqual(sorted(got[6]), sorted(expected[6]), name)
                self.assertEqual(got[:2] + got[3:6], expected[:2] + expected[3:6], name)

    def test_a_hyperloglog_moves_between_the_two(self):
        """What one made the other counts, sparse and dense, and goes on with."""
        with self.redis.connect() as theirs, self.cluster.nodes[2].connect() as ours:
            for count in (10, 500, 20000):
                elements = ["element:%d" % i for i in range(count)]
                for one, other in ((theirs, ours), (ours, theirs)):
                    for connection in (one, other):
                        connection.call("DEL", "moved")
                    for start in range(0, count, 1000):
                        one.call("PFADD", "moved", *elements[start:start + 1000])
                    other.call("SET", "moved", one.call("GET", "moved"))
                    self.assertEqual(other.call("PFCOUNT", "moved"), one.call("PFCOUNT", "moved"))
                    self.assertEqual(other.call("PFADD", "moved", *elements[:1000]), 0)
                    self.assertEqual(other.call("PFADD", "moved", *map(str, range(1000))), 1)


class Siblings(unittest.TestCase):

    def test_hyperloglogs_of_both_sides_are_counted_together(self):
        with Cluster(1) as cluster, cluster.nodes[0].connect() as c:
            c.call("PFADD", "one", "a", "b", "c")
            c.call("PFADD", "other", "c", "d", "e", "f")
            for value in (c.call("GET", "one"), c.call("GET", "other")):
                c.call("DYN.PUT", "both", "", value)
            self.assertEqual(len(c.call("DYN.GET", "both")[1]), 2)
            self.assertEqual(c.call("PFCOUNT", "both", "nosuch"), 6)
            self.assertEqual(len(c.call("DYN.GET", "both")[1]), 2)
            self.assertEqual(c.call("PFADD", "both", "a", "f"), 0)
            self.assertEqual(c.call("PFADD", "both", "g"), 1)
            self.assertEqual(len(c.call("DYN.GET", "both")[1]), 1)
            self.assertEqual(c.call("PFCOUNT", "both"), 7)


class Bounds(unittest.TestCase):

    def test_values_end_at_proto_max_bulk_len(self):
        with Cluster(1, proto_max_bulk_len="2mb") as cluster, cluster.nodes[0].connect() as c:
            size = 2 << 20
            self.assertEqual(c.call("SETRANGE", "r", size - 1, "x"), size)
            self.assertEqual(c.call("SETBIT", "b", 8 * size - 1, 1), 0)
            self.assertEqual(c.call("STRLEN", "b"), size)
            for command in (("SETRANGE", "r", size, "x"), ("APPEND", "r", "x"),
                            ("SETBIT", "b", 8 * size, 1), ("BITFIELD", "b", "GET", "u8", 8 * size),
                            ("BITFIELD", "b", "SET", "u8", "#%d" % size, 1)):
                self.assertIsInstance(c.ask(*command), ReplyError, command)
            # A field that begins in the last byte may end behind it, as in Redis.
            self.assertEqual(c.call("BITFIELD", "b", "SET", "u8", 8 * size - 1, 255), [128])
            self.assertEqual(c.call("STRLEN", "b"), size + 1)
            self.assertEqual(pairs(c.call("CONFIG", "GET", "hll-sparse-max-bytes")),
                             {"hll-sparse-max-bytes": b"3000"})


if __name__ == "__main__":
    unittest.main()
