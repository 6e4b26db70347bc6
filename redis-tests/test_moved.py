"""The option `moved`: who asked for the cluster's map is sent to a key's first node, nobody else."""

import subprocess
import unittest

from cluster import Cluster, ReplyError


class Moved(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.ring = Cluster(4, n=3, moved="yes").start()
        cls.node = cls.ring.nodes[0]
        cls.ports = {node.port for node in cls.ring.nodes}

    @classmethod
    def tearDownClass(cls):
        cls.ring.stop()

    def place(self, key):
        """The ports of the key's nodes, in order."""
        with self.node.connect() as connection:
            return [entry[2] for entry in connection.call("DYN.PREFLIST", key)]

    def key_where(self, fits):
        return next(key for key in ("moved:%d" % i for i in range(1000)) if fits(self.place(key)))

    def test_who_did_not_ask_for_the_map_is_served_here(self):
        with self.node.connect() as connection:
            for i in range(50):
                self.assertEqual(connection.call("SET", "plain:%d" % i, i), "OK")

    def test_who_asked_is_sent_to_the_first_node(self):
        key = self.key_where(lambda place: place[0] != self.node.port)
        with self.node.connect() as connection:
            for word in ("SLOTS", "SHARDS", "NODES"):
                connection.call("CLUSTER", word)
                answer = connection.ask("SET", key, "v")
                self.assertIsInstance(answer, ReplyError)
                slot = connection.call("CLUSTER", "KEYSLOT", key)
                self.assertEqual(str(answer),
                                 "MOVED %d 127.0.0.1:%d" % (slot, self.place(key)[0]))
                connection.call("RESET")
                self.assertEqual(connection.call("SET", key, "v"), "OK")
        first = next(n for n in self.ring.nodes if n.port == self.place(key)[0])
        with first.connect() as connection:
            connection.call("CLUSTER", "SLOTS")
            self.assertEqual(connection.call("SET", key, "v"), "OK")

    def test_after_readonly_a_replica_serves_reads(self):
        key = self.key_where(lambda place: self.node.port in place[1:])
        far = self.key_where(lambda place: self.node.port not in place)
        with self.node.connect() as connection:
            connection.call("SET", key, "v")
            connection.call("CLUSTER", "SLOTS")
            connection.call("READONLY")
            self.assertEqual(connection.call("GET", key), b"v")
            self.assertIn("MOVED", str(connection.ask("SET", key, "w")))
            self.assertIn("MOVED", str(connection.ask("GET", far)))
            connection.call("READWRITE")
            self.assertIn("MOVED", str(connection.ask("GET", key)))

    def test_redis_cli_follows(self):
        key = self.key_where(lambda place: place[0] != self.node.port)
        out = subprocess.run(["redis-cli", "-c", "-p", str(self.node.port)], text=True, check=True,
                             input="CLUSTER SLOTS\nSET %s followed\nGET %s\n" % (key, key),
                             capture_output=True).stdout
        self.assertTrue(out.endswith("OK\nfollowed\n"), out)

    def test_a_dead_first_node_is_not_pointed_at(self):
        with Cluster(3, moved="yes", node_timeout=500) as ring:
            with ring.nodes[0].connect() as connection, ring.nodes[0].connect() as plain:
                connection.call("CLUSTER", "SLOTS")
                dead = ring.nodes[2]
                dead.kill()
                left = {ring.nodes[0].port, ring.nodes[1].port}
                # Until it counts as down.
                while any(n[3] for n in plain.call("DYN.PREFLIST", "x", "ALL")
                          if n[2] == dead.port):
                    pass
                for i in range(50):
                    answer = connection.ask("SET", "dead:%d" % i, "v")
                    if isinstance(answer, ReplyError):
                        self.assertIn(int(str(answer).rsplit(":", 1)[1]), left)


if __name__ == "__main__":
    unittest.main()
