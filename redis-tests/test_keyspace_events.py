"""Keyspace events: what a node tells of the changes made through it, compared with redis-server."""

import unittest

from cluster import Cluster, RedisServer, ReplyError

# Each is asked of both servers; both must tell the same of it.
COMMANDS = """
SET a 1
SET a 1 EX 100
SET a 2 XX GET
SET a 3 NX
SETNX new 1
SETNX new 2
SETEX a 100 v
PSETEX a 100000 v
GETSET a 1
MSET a 1 b 2
MSETNX a 1 c 2
MSETNX d 1 e 2
APPEND a x
SETRANGE a 1 y
SETRANGE none 0 {}
SET n 1
INCR n
DECR n
INCRBY n 5
DECRBY n 5
INCRBYFLOAT n 1.5
INCR a
SETBIT bits 7 1
BITFIELD bits SET u8 0 5
BITFIELD bits GET u8 0
BITOP NOT inverted bits
PFADD hll x y
PFADD hll x
PFMERGE merged hll
EXPIRE a 100
EXPIRE a 100 NX
PERSIST a
PERSIST a
EXPIRE a -1
EXPIRE none 100
GETEX b EX 100
GETEX b PERSIST
GETEX b
GETDEL b
GETDEL b
SET r 1
RENAME r s
RENAMENX s t
COPY t u
COPY t u
MOVE t 3
DEL u n none
UNLINK bits inverted
GET a
EXISTS a
"""
MISSES = """
GET none
MGET none other
EXISTS none
STRLEN none
TTL none
TYPE none
GETRANGE none 0 1
BITCOUNT none
"""
PATTERN = "__key*__:*"


class SameEventsAsRedis(unittest.TestCase):

    def told(self, node, classes, commands):
        """{command: [messages]}"""
        with node.connect() as asking, node.connect() as hearing:
            asking.call("FLUSHALL")
            asking.call("CONFIG", "SET", "notify-keyspace-events", classes)
            hearing.call("PSUBSCRIBE", PATTERN)
            events = []
            for line in commands.strip().splitlines():
                asking.ask(*[word.replace("{}", "") for word in line.split()])
                asking.call("PUBLISH", "__key-end__:", line)
                messages = []
                while True:
                    message = hearing.read()[1]
                    if message[2] == b"__key-end__:":
                        break
                    messages.append(b" ".join(message[2:]))
                events.append((line, sorted(messages)))
            asking.call("CONFIG", "SET", "notify-keyspace-events", "")
            return events

    def test_of_all_commands(self):
        with RedisServer() as redis, Cluster(3) as ring:
            for classes, commands in (("KEA", COMMANDS), ("Kg", COMMANDS), ("E$", COMMANDS),
                                      ("KEm", MISSES), ("KEn", COMMANDS), ("A", COMMANDS)):
                theirs = self.told(redis, classes, commands)
                for node in ring.nodes[:2]:
                    ours = self.told(node, classes, commands)
                    for (line, expected), (_, got) in zip(theirs, ours):
                        self.assertEqual(got, expected, (classes, line))


class InARing(unittest.TestCase):

    def test_expiry_is_told_by_every_node_with_a_copy(self):
        with Cluster(3) as ring:
            hearing = []
            for node in ring.nodes:
                with node.connect() as connection:
                    connection.call("CONFIG", "SET", "notify-keyspace-events", "Ex")
                hearing.append(node.connect())
                hearing[-1].call("SUBSCRIBE", "__keyevent@0__:expired")
            with ring.nodes[0].connect() as connection:
                connection.call("SET", "soon", "v", "PX", "100")
            for connection in hearing:
                self.assertEqual(connection.read()[1][2], b"soon")
                connection.close()
            with ring.nodes[0].connect() as connection:
                stats = connection.call("INFO", "stats").decode()
                self.assertIn("expired_keys:1\r\n", stats)

    def test_a_class_that_is_none_is_refused(self):
        with Cluster(1) as ring, ring.nodes[0].connect() as connection:
            answer = connection.ask("CONFIG", "SET", "notify-keyspace-events", "KEy")
            self.assertIsInstance(answer, ReplyError)


if __name__ == "__main__":
    unittest.main()
