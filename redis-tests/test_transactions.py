"""MULTI, EXEC, DISCARD, WATCH and WAIT: the same bytes as redis-server, and what they mean in a ring."""

import socket
import struct
import time
import unittest

from cluster import Cluster, RedisServer

# What one connection sends; a line that begins with ">" goes over a second one.
CONVERSATIONS = {
    "basics": ["MULTI", "SET a 1", "INCR a", "GET a", "EXEC", "GET a"],
    "empty": ["MULTI", "EXEC"],
    "discard": ["MULTI", "SET a 9", "DISCARD", "GET a", "DISCARD", "EXEC"],
    "nested": ["MULTI", "MULTI", "SET a 2", "EXEC"],
    "unknown command aborts": ["MULTI", "SET a 3", "NOSUCH x", "EXEC", "GET a", "EXEC"],
    "wrong arity aborts": ["MULTI", "SET a", "EXEC"],
    "unknown subcommand aborts": ["MULTI", "CLIENT NOSUCH", "EXEC"],
    "an error inside undoes nothing": ["MULTI", "SET b x", "INCR b", "SET c 1", "EXEC", "GET c"],
    "watch, unchanged": ["SET w 1", "WATCH w", "MULTI", "SET w 2", "EXEC", "GET w"],
    "watch, changed by another": ["SET w 1", "WATCH w", "> SET w 5", "MULTI", "SET w 2", "EXEC",
                                  "GET w"],
    "watch, changed by itself": ["WATCH w", "SET w 6", "MULTI", "GET w", "EXEC"],
    "watch, one of many": ["WATCH x y z w q", "> DEL w", "MULTI", "PING", "EXEC"],
    "watch, a key that comes": ["DEL new", "WATCH new", "> SET new 1", "MULTI", "PING", "EXEC"],
    "watch, a delete of nothing": ["DEL none", "WATCH none", "> DEL none", "MULTI", "PING", "EXEC"],
    "watch, an expiry is a change": ["SET w 1", "WATCH w", "> EXPIRE w 100", "MULTI", "PING",
                                     "EXEC"],
    "watch, flushed": ["SET w 1", "WATCH w", "> FLUSHALL", "MULTI", "PING", "EXEC"],
    "watch, nothing there to flush": ["FLUSHALL", "WATCH w", "> FLUSHALL", "MULTI", "PING", "EXEC"],
    "unwatch": ["SET w 1", "WATCH w", "> SET w 2", "UNWATCH", "MULTI", "PING", "EXEC"],
    "exec unwatches": ["SET w 1", "WATCH w", "MULTI", "EXEC", "> SET w 2", "MULTI", "PING", "EXEC"],
    "discard unwatches": ["WATCH w", "> SET w 3", "MULTI", "DISCARD", "MULTI", "PING", "EXEC"],
    "watch inside": ["MULTI", "WATCH w", "EXEC"],
    "watch keeps its db": ["SELECT 5", "SET w 1", "WATCH w", "SELECT 1", "SET w 2", "SELECT 5",
                           "MULTI", "PING", "EXEC", "SELECT 0"],
    "select inside": ["MULTI", "SELECT 3", "SET s 1", "SELECT 0", "EXISTS s", "EXEC"],
    "reset ends it": ["MULTI", "SET a 1", "RESET", "EXEC"],
    "quit is not queued": ["MULTI", "QUIT"],
    "wrong arity": ["MULTI x", "EXEC x", "DISCARD x", "WATCH", "UNWATCH x", "WAIT 1"],
    "wait with wrong words": ["WAIT x 1", "WAIT 0 x", "WAIT 0 -1"],
    "reply skip": ["CLIENT REPLY SKIP", "*SET a 1", "PING"],
}


class SameBytesAsRedis(unittest.TestCase):

    def converse(self, first, second, lines):
        """The raw replies to the lines; what `*` begins with is not answered."""
        said = []
        for line in lines:
            connection, silent = first, line.startswith(("*", "CLIENT REPLY SKIP"))
            if line.startswith("> "):
                connection, line = second, line[2:]
            connection.send(*line.lstrip("*").split())
            if not silent:
                said.append((line, connection.read()[0]))
        return said

    def compare(self, version):
        with RedisServer() as redis, Cluster(3) as ring:
            for name, lines in CONVERSATIONS.items():
                replies = []
                for first, second in ((redis.connect(), redis.connect()),
                                      (ring.nodes[0].connect(), ring.nodes[1].connect())):
                    with first, second:
                        if version == 3:
                            first.raw("HELLO", "3")
                        replies.append(self.converse(first, second, lines))
                self.assertEqual(replies[1], replies[0], name)

    def test_resp2(self):
        self.compare(2)

    def test_resp3(self):
        self.compare(3)


class InARing(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.ring = Cluster(3).start()

    @classmethod
    def tearDownClass(cls):
        cls.ring.stop()

    def test_keys_of_several_slots_are_served(self):
        with self.ring.nodes[0].connect() as a, self.ring.nodes[2].connect() as b:
            a.call("MULTI")
            for i in range(100):
                a.call("SET", "slot:%d" % i, i)
                a.call("INCR", "slot:%d" % i)
            replies = a.call("EXEC")
            self.assertEqual(replies, [reply for i in range(100) for reply in ("OK", i + 1)])
            self.assertEqual(b.call("MGET", *["slot:%d" % i for i in range(100)]),
                             [b"%d" % (i + 1) for i in range(100)])

    def test_pipelined_transactions_keep_their_replies_apart(self):
        with self.ring.nodes[1].connect() as connection:
            for i in range(200):
                for words in (("MULTI",), ("SET", "p", i), ("GET", "p"), ("EXEC",), ("GET", "p")):
                    connection.send(*words)
            for i in range(200):
                self.assertEqual([connection.read()[1] for _ in range(5)],
                                 ["OK", "QUEUED", "QUEUED", ["OK", b"%d" % i], b"%d" % i])

    def test_a_loop_over_watch_loses_no_increment_of_its_own(self):
        """Two clients in turn, through two nodes: whoever was overtaken notices."""
        with self.ring.nodes[0].connect() as a, self.ring.nodes[1].connect() as b:
            a.call("SET", "counter", 0)
            failed = 0
            for turn in range(40):
                first, other = (a, b) if turn % 2 == 0 else (b, a)
                first.call("WATCH", "counter")
                value = int(first.call("GET", "counter"))
                if turn % 4 == 0:  # overtaken
                    other.call("INCR", "counter")
                first.call("MULTI")
                first.call("SET", "counter", value + 1)
                if first.call("EXEC") is None:
                    failed += 1
            self.assertEqual(failed, 10)
            self.assertEqual(a.call("GET", "counter"), b"40")

    def test_an_exec_whose_client_goes_away_is_not_left_half_done(self):
        node = self.ring.nodes[0]
        with node.connect() as other:
            for i in range(5):
                keys = ["gone:%d:%d" % (i, j) for j in range(2000)]
                leaving = node.connect()
                leaving.send("MULTI")
                for key in keys:
                    leaving.send("SET", key, "v")
                leaving.send("EXEC")
                while b"*2000\r\n" not in leaving.buffer:
                    leaving._fill()
                leaving.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))  # a reset
                leaving.close()
                deadline = time.monotonic() + 20
                while other.call("EXISTS", *keys) < len(keys):
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)

    def test_who_leaves_while_it_is_held_up_is_gone(self):
        node = self.ring.nodes[1]
        with node.connect() as other:
            before = other.call("CLIENT", "LIST").count(b"\n")

            def leave(*words):
                leaving = [node.connect() for _ in range(20)]
                for connection in leaving:
                    connection.send(*words)
                time.sleep(0.2)
                for connection in leaving:
                    connection.close()
                deadline = time.monotonic() + 10
                while other.call("CLIENT", "LIST").count(b"\n") > before:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)

            leave("WAIT", 9, 0)
            other.call("CLIENT", "PAUSE", 100000, "WRITE")
            leave("SET", "never", "v")
            other.call("CLIENT", "UNPAUSE")

    def test_wait_counts_the_replicas_of_the_last_write(self):
        with self.ring.nodes[0].connect() as connection:
            connection.call("SET", "waited", "v")
            self.assertEqual(connection.call("WAIT", 2, 5000), 2)
            self.assertEqual(connection.call("WAIT", 7, 100), 2)
            connection.call("MULTI")
            connection.call("SET", "waited", "w")
            connection.call("WAIT", 7, 0)  # does not wait there
            self.assertEqual(connection.call("EXEC")[0], "OK")

    def test_unblock_ends_a_wait(self):
        with self.ring.nodes[0].connect() as waiting, self.ring.nodes[0].connect() as other:
            number = waiting.call("CLIENT", "ID")
            waiting.call("SET", "blocked", "v")
            for reason, expected in (("TIMEOUT", ":2"), ("ERROR", "-UNBLOCKED")):
                waiting.send("WAIT", 7, 0)
                while other.call("CLIENT", "UNBLOCK", number, reason) == 0:
                    pass
                self.assertTrue(waiting.read()[0].decode().startswith(expected))
            self.assertEqual(other.call("CLIENT", "UNBLOCK", number), 0)


if __name__ == "__main__":
    unittest.main()
