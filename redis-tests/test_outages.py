"""What goes on while nodes are down: with five nodes, N = 3, R = W = 2, neither a write nor a read
fails because one of them was killed or stands still, nor because replicas of a key are gone as long
as two nodes live (sloppy quorums and hinted handoff: Dynamo, section 4.6)."""

import random
import signal
import threading
import time
import unittest

from cluster import Cluster, ReplyError, pairs

# What a read-modify-write answers whose node died or hung while it was at work.
UNKNOWN = "NOQUORUM the key's first node did not answer"


class Load:
    """Clients that write and read through some of the nodes, one thread each; a context manager.
    What failed is in `failures`, how many operations did not is in `done`."""

    def __init__(self, nodes, keys=200):
        self.keys = keys
        self.failures = []
        self.unknown = 0
        self.done = 0
        self.stopping = False
        self.threads = [threading.Thread(target=self.work, args=(number, node))
                        for number, node in enumerate(nodes)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stopping = True
        for thread in self.threads:
            thread.join()

    def work(self, number, node):
        chance = random.Random(number)
        try:
            with node.connect(10) as connection:
                while not self.stopping:
                    self.act(connection, chance, node.port)
        except OSError as error:
            self.failures.append("port %d: %r" % (node.port, error))

    def act(self, connection, chance, port):
        key = "key:%d" % chance.randrange(self.keys)
        command = chance.choice([
            ("SET", key, "v"), ("GET", key), ("DYN.GET", key), ("DYN.SIBLINGS", key),
            ("DEL", key), ("INCR", "count:" + key), ("MERGE", key)])
        began = time.monotonic()
        if command[0] == "MERGE":
            answer = connection.ask("DYN.GET", key)
            if not isinstance(answer, ReplyError):
                answer = connection.ask("DYN.PUT", key, answer[0], "w")
        else:
            answer = connection.ask(*command)
        if not isinstance(answer, ReplyError):
            self.done += 1
        elif command[0] == "INCR" and str(answer).startswith(UNKNOWN):
            self.unknown += 1
        else:
            self.failures.append("port %d: %s after %.3f s: %s" % (
                port, command, time.monotonic() - began, answer))


class OutagesTest(unittest.TestCase):

    def check(self, load, unknown):
        self.assertEqual(load.failures, [])
        self.assertGreater(load.done, 200)
        self.assertLessEqual(load.unknown, unknown)

    def test_nobody_notices_one_node_of_five_that_is_killed(self):
        with Cluster(5) as cluster:
            victim, *others = cluster.nodes
            clients = 4 * others  # many, so that some are at work at the victim
            with Load(clients) as load:
                for _ in range(3):
                    time.sleep(0.3)
                    victim.kill()
                    time.sleep(0.5)
                    victim.start()
                    cluster.wait_ready()
            # One of each client at most can be at work at the node that dies.
            self.check(load, 3 * len(clients))
            self.assertGreaterEqual(others[0].status("links-lost"), 3)

    def test_nobody_notices_one_node_of_five_that_stands_still(self):
        with Cluster(5) as cluster:
            victim, *others = cluster.nodes
            with Load(others) as load:
                for pause in (0.1, 0.7, 3.5):
                    time.sleep(0.5)
                    victim.process.send_signal(signal.SIGSTOP)
                    time.sleep(pause)
                    victim.process.send_signal(signal.SIGCONT)
                cluster.wait_ready()
            self.check(load, 3 * len(others))
            self.assertIn("this node stood still for 3", victim.log())
            with victim.connect() as connection:
                self.assertGreaterEqual(pairs(connection.call("DYN.STATUS"))["pauses"], 1)
            with others[0].connect() as connection:
                self.assertGreaterEqual(pairs(connection.call("DYN.STATUS"))["nodes-lost"], 1)

    def test_nobody_notices_one_killed_while_another_stands_still(self):
        with Cluster(5) as cluster:
            dead, still, *others = cluster.nodes
            with Load(others) as load:
                time.sleep(0.3)
                still.process.send_signal(signal.SIGSTOP)
                time.sleep(1)
                dead.kill()
                time.sleep(2)
                dead.start()
                still.process.send_signal(signal.SIGCONT)
                cluster.wait_ready()
            self.check(load, 2 * len(others))

    def test_keys_whose_replicas_are_gone_are_written_and_read(self):
        with Cluster(5) as cluster:
            with cluster.nodes[0].connect() as connection:
                ports = [node[2] for node in connection.call("DYN.PREFLIST", "cart")]
                connection.call("SET", "cart", "before")
            replicas = [node for port in ports for node in cluster.nodes if node.port == port]
            for gone, victim in enumerate(replicas, 1):
                victim.kill()
                for number, node in enumerate(cluster.nodes):
                    if node.process is None:
                        continue
                    with node.connect() as connection:
                        with self.subTest(gone=gone, through=number):
                            self.use(connection, "cart", "%d.%d" % (gone, number))
                            if gone < len(replicas):
                                self.use(connection, "new:{cart}:%d.%d" % (gone, number), "v")
            self.come_back(cluster, replicas)

    def use(self, connection, key, value):
        context, _ = connection.call("DYN.GET", key)
        connection.call("DYN.PUT", key, context, value)
        self.assertEqual(connection.call("DYN.GET", key)[1], [value.encode()])
        self.assertEqual(connection.call("SET", key, value + "!"), "OK")
        self.assertEqual(connection.call("GET", key), value.encode() + b"!")
        self.assertEqual(connection.call("APPEND", key, "?"), len(value) + 2)
        self.assertEqual(connection.call("DEL", key), 1)
        self.assertIsNone(connection.call("GET", key))
        self.assertEqual(connection.call("SET", key, value), "OK")

    def come_back(self, cluster, replicas):
        """What was written in their absence gets to the three, and nothing stays behind."""
        with next(node for node in cluster.nodes if node.process is not None).connect() as last:
            value = last.call("GET", "cart")
        for node in replicas:
            node.start()
        cluster.wait_ready()
        deadline = time.monotonic() + 15
        while any(node.status("hints-pending") > 0 for node in cluster.nodes):
            self.assertLess(time.monotonic(), deadline, "hints remain")
            time.sleep(0.1)
        for node in cluster.nodes:
            with node.connect() as connection:
                self.assertEqual(connection.call("DYN.GET", "cart", "R", 3)[1], [value])


if __name__ == "__main__":
    unittest.main()
