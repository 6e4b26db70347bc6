"""Pub/Sub: the same bytes as redis-server on one node, and across the nodes of a ring."""

import time
import unittest

from cluster import Cluster, RedisServer, pairs

# Lines of one connection and how many replies each brings; `>` is a second connection.
CONVERSATIONS = {
    "subscribe": [("SUBSCRIBE a b a", 3), ("PING", 1), ("PING x", 1), ("GET a", 1),
                  ("UNSUBSCRIBE a", 1), ("UNSUBSCRIBE nothing", 1), ("UNSUBSCRIBE", 1),
                  ("UNSUBSCRIBE", 1), ("PING", 1)],
    "message": [("SUBSCRIBE a", 1), ("> PUBLISH a hello", 1), ("", 1), ("> PUBLISH b hello", 1)],
    "patterns": [("PSUBSCRIBE a.* *.b", 2), ("> PUBLISH a.b hello", 1), ("", 2),
                 ("PUNSUBSCRIBE a.*", 1), ("> PUBLISH a.b hello", 1), ("", 1),
                 ("PUNSUBSCRIBE", 1), ("> PUBLISH a.b hello", 1), ("PUNSUBSCRIBE", 1)],
    "both": [("SUBSCRIBE a", 1), ("PSUBSCRIBE a*", 1), ("> PUBLISH a hello", 1), ("", 2),
             ("UNSUBSCRIBE", 1), ("PUNSUBSCRIBE", 1)],
    "sharded": [("SSUBSCRIBE s t", 2), ("> SPUBLISH s hello", 1), ("", 1), ("> PUBLISH s no", 1),
                ("SUNSUBSCRIBE t", 1), ("SUNSUBSCRIBE", 1), ("SUNSUBSCRIBE", 1)],
    "introspection": [("SUBSCRIBE a ab b", 3), ("PSUBSCRIBE x*", 1), ("SSUBSCRIBE s", 1),
                      ("> PUBSUB NUMSUB a ab none", 1), ("> PUBSUB NUMSUB", 1),
                      ("> PUBSUB NUMPAT", 1), ("> PUBSUB SHARDCHANNELS", 1),
                      ("> PUBSUB SHARDNUMSUB s none", 1), ("> PUBSUB CHANNELS b*", 1),
                      ("> PUBSUB NOSUCH", 1), ("> PUBSUB", 1), ("> PUBSUB CHANNELS a b c", 1)],
    "in a transaction": [("MULTI", 1), ("PUBLISH a b", 1), ("EXEC", 1)],
    "wrong words": [("SUBSCRIBE", 1), ("PSUBSCRIBE", 1), ("SSUBSCRIBE", 1), ("PUBLISH a", 1),
                    ("SPUBLISH a", 1)],
    "reset": [("SUBSCRIBE a", 1), ("RESET", 1), ("> PUBLISH a x", 1), ("PING", 1)],
    "quit": [("SUBSCRIBE a", 1), ("QUIT", 1)],
}
# With RESP3 a subscriber is a client like any other.
CONVERSATIONS_OF_RESP3 = {
    "others go on": [("SUBSCRIBE a", 1), ("SET k v", 1), ("GET k", 1), ("PING", 1)],
}


class SameBytesAsRedis(unittest.TestCase):

    def converse(self, first, second, lines):
        said = []
        for line, replies in lines:
            connection = first
            if line.startswith("> "):
                connection, line = second, line[2:]
            if line:
                connection.send(*line.split())
            # Which of two patterns comes first is nobody's promise.
            said.append((line, sorted(connection.read()[0] for _ in range(replies))
                         if not line else [connection.read()[0] for _ in range(replies)]))
        return said

    def compare(self, conversations, version):
        with RedisServer("--cluster-enabled", "no") as redis, Cluster(1) as ring:
            for name, lines in conversations.items():
                replies = []
                for node in (redis, ring.nodes[0]):
                    with node.connect() as first, node.connect() as second:
                        if version == 3:
                            first.raw("HELLO", "3")
                        replies.append(self.converse(first, second, lines))
                self.assertEqual(replies[1], replies[0], name)

    def test_resp2(self):
        self.compare(CONVERSATIONS, 2)

    def test_resp3(self):
        conversations = dict(CONVERSATIONS, **CONVERSATIONS_OF_RESP3)
        del conversations["subscribe"]  # GET is served there
        self.compare(conversations, 3)


class ToItself(unittest.TestCase):

    def test_a_message_comes_after_the_reply_and_not_into_the_array_of_exec(self):
        """As since Redis 7.2; 7.0 pushes it before the reply, also within EXEC's array."""
        with Cluster(1) as ring, ring.nodes[0].connect() as connection:
            connection.raw("HELLO", "3")
            connection.call("SUBSCRIBE", "a")
            self.assertEqual(connection.call("PUBLISH", "a", "x"), 1)
            self.assertEqual(connection.read()[1], [b"message", b"a", b"x"])
            for words in (("MULTI",), ("PING",), ("PUBLISH", "a", "x"), ("PING", "y")):
                connection.call(*words)
            self.assertEqual(connection.call("EXEC"), ["PONG", 1, b"y"])
            self.assertEqual(connection.read()[1], [b"message", b"a", b"x"])


class AcrossNodes(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.ring = Cluster(3).start()

    @classmethod
    def tearDownClass(cls):
        cls.ring.stop()

    def connections(self):
        return [node.connect() for node in self.ring.nodes]

    def test_a_message_reaches_the_subscribers_of_every_node(self):
        subscribers = self.connections()
        publishers = self.connections()
        for subscriber in subscribers:
            subscriber.call("SUBSCRIBE", "news")
            subscriber.call("PSUBSCRIBE", "n*")
            subscriber.call("SSUBSCRIBE", "news")
        for i, publisher in enumerate(publishers):
            text = b"from \x00 %d" % i
            # Those at its own node, as in Redis Cluster.
            self.assertEqual(publisher.call("PUBLISH", "news", text), 2)
            for subscriber in subscribers:
                self.assertEqual(subscriber.read()[1], [b"message", b"news", text])
                self.assertEqual(subscriber.read()[1], [b"pmessage", b"n*", b"news", text])
            self.assertEqual(publisher.call("SPUBLISH", "news", text), 1)
            for subscriber in subscribers:
                self.assertEqual(subscriber.read()[1], [b"smessage", b"news", text])
        for connection in subscribers + publishers:
            connection.close()

    def test_messages_of_one_publisher_keep_their_order(self):
        with self.ring.nodes[2].connect() as subscriber, self.ring.nodes[0].connect() as publisher:
            subscriber.call("SUBSCRIBE", "order")
            for i in range(5000):
                publisher.send("PUBLISH", "order", i)
            for i in range(5000):
                self.assertEqual(subscriber.read()[1][2], b"%d" % i)
            for _ in range(5000):
                publisher.read()

    def test_who_is_told_of_a_write_finds_it(self):
        with self.ring.nodes[1].connect() as subscriber, self.ring.nodes[0].connect() as writer, \
                self.ring.nodes[2].connect() as reader:
            subscriber.call("SUBSCRIBE", "written")
            for i in range(300):
                writer.send("SET", "told", i)
                writer.send("PUBLISH", "written", i)
                self.assertEqual(subscriber.read()[1][2], b"%d" % i)
                self.assertGreaterEqual(int(reader.call("GET", "told")), i)
                writer.read()
                writer.read()

    def test_a_large_message_passes(self):
        text = b"x" * (8 << 20)
        with self.ring.nodes[1].connect() as subscriber, self.ring.nodes[0].connect() as publisher:
            subscriber.call("SUBSCRIBE", "large")
            publisher.call("PUBLISH", "large", text)
            self.assertEqual(subscriber.read()[1][2], text)

    def test_a_subscriber_that_does_not_read_is_closed_and_others_are_not(self):
        node = self.ring.nodes[1]
        with node.connect() as slow, node.connect() as quick, node.connect() as other:
            other.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 512kb 60")
            slow.call("CLIENT", "SETNAME", "slow")
            slow.call("SUBSCRIBE", "flood")
            quick.call("SUBSCRIBE", "flood")
            with self.ring.nodes[0].connect() as publisher:
                for _ in range(400):
                    publisher.call("PUBLISH", "flood", b"x" * 65536)
                    quick.read()
            deadline = time.monotonic() + 10
            while b"name=slow" in other.call("CLIENT", "LIST"):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            self.assertGreaterEqual(pairs(other.call("DYN.STATUS"))["output-limit-closes"], 1)
            other.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")

    def test_a_dead_node_holds_up_no_publisher(self):
        with Cluster(3) as ring:
            with ring.nodes[0].connect() as publisher, ring.nodes[1].connect() as subscriber:
                subscriber.call("SUBSCRIBE", "c")
                ring.nodes[2].kill()
                for i in range(100):
                    publisher.call("PUBLISH", "c", i)
                self.assertEqual([subscriber.read()[1][2] for i in range(100)],
                                 [b"%d" % i for i in range(100)])


if __name__ == "__main__":
    unittest.main()
