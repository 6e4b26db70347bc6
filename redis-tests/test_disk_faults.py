#!/usr/bin/python3
"""Real nodes whose disk is full, fails, or changes what was written. The shim power_loss.cc makes
calls fail on demand."""

import os
import sys
import tempfile
import time
import unittest

import cluster
import power_loss

SHIM = os.environ.get("CARTWHEEL_POWER_LOSS", os.path.join(
    cluster.ROOT, "build", "redis-tests", "libpower_loss.so"))
SKIPPED = 77


def wait_until(true, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(0.05)


def status(connection):
    return cluster.pairs(connection.call("DYN.STATUS"))


class FailingDiskTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="cartwheel-disk-")
        self.addCleanup(scratch.cleanup)
        self.journal = os.path.join(scratch.name, "journal")
        power_loss.forget(self.journal)
        self.nodes = cluster.Cluster(1, fsync="always", n=1, r=1, w=1)
        self.addCleanup(self.nodes.stop)
        self.node = self.nodes.nodes[0]
        self.node.environment = {"LD_PRELOAD": SHIM, "POWER_LOSS_DIR": self.node.directory,
                                 "POWER_LOSS_JOURNAL": self.journal}
        self.nodes.start()

    def fail(self, word):
        with open(self.journal + ".fail", "w", encoding="ascii") as order:
            order.write(word)

    def heal(self):
        os.unlink(self.journal + ".fail")

    def test_a_full_disk_refuses_values_takes_deletions_and_heals(self):
        taken = []
        with self.node.connect() as connection:
            self.fail("full")
            for number in range(2000):
                reply = connection.ask("SET", "k%d" % number, b"v" * 60000)
                if isinstance(reply, cluster.ReplyError):
                    self.assertTrue(str(reply).startswith("OOM "), reply)
                    break
                taken.append("k%d" % number)
            self.assertIsInstance(reply, cluster.ReplyError, "never full")
            self.assertGreater(len(taken), 100)
            self.assertEqual(connection.call("DEL", taken.pop()), 1)
            self.assertEqual(len(connection.call("GET", taken[-1])), 60000)
            self.assertGreater(status(connection)["disk-full-refusals"], 0)
            self.assertIn(b"aof_last_write_status:err", connection.call("INFO", "persistence"))
            self.heal()
            wait_until(lambda: connection.ask("SET", "after", "1") == "OK", "room again")
        self.assertIn("no room: new values are refused", self.node.log())
        self.assertIn("there is room again", self.node.log())
        self.node.kill()
        self.node.start()
        self.nodes.wait_ready()
        with self.node.connect() as connection:
            self.assertEqual(connection.call("DBSIZE"), len(taken) + 1)

    def test_a_failed_sync_ends_the_process_with_one_line(self):
        with self.node.connect() as connection:
            self.assertEqual(connection.call("SET", "k", "stored"), "OK")
            self.fail("sync")
            connection.send("SET", "k", "not stored")
            self.assertTrue(connection.closed_by_server())
        self.assertEqual(self.node.process.wait(10), 1)
        self.assertEqual(self.node.log().count("\ncartwheel: "), 1, self.node.log())
        self.assertIn("cannot sync: Input/output error", self.node.log())
        self.heal()
        self.node.start()
        self.nodes.wait_ready()
        with self.node.connect() as connection:
            self.assertIn(connection.call("GET", "k"), (b"stored", b"not stored"))

    def test_a_log_that_cannot_be_read_is_named_and_kept(self):
        with self.node.connect() as connection:
            self.assertEqual(connection.call("SET", "k", "stored"), "OK")
        self.node.kill()
        self.fail("read")
        self.node.start()
        self.assertEqual(self.node.process.wait(10), 1)
        self.assertIn("cannot read: Input/output error", self.node.log().splitlines()[-1])
        self.heal()
        self.node.start()
        self.nodes.wait_ready()
        with self.node.connect() as connection:
            self.assertEqual(connection.call("GET", "k"), b"stored")


class RotTest(unittest.TestCase):
    def test_rot_is_set_aside_and_repaired_from_the_others(self):
        with cluster.Cluster(3) as nodes:
            with nodes.nodes[0].connect() as connection:
                # The scrub begins with the lowest slots.
                low = next("low%d" % i for i in range(100000)
                           if connection.call("CLUSTER", "KEYSLOT", "low%d" % i) < 600)
                for key in ("read", low):
                    self.assertEqual(connection.call("SET", key, "what was written to " + key), "OK")
            self.settle(nodes, ("read", low))
            for node in nodes.nodes:
                self.assertEqual(node.stop(), 0)
            for key in ("read", low):
                self.damage(nodes.nodes[0], b"what was written to " + key.encode())
            for node in nodes.nodes:
                node.start()
            nodes.wait_ready()
            with nodes.nodes[0].connect() as connection:
                self.assertEqual(connection.call("GET", "read"), b"what was written to read")
                wait_until(lambda: status(connection)["scrub-rot-found"] == 1, "the scrub's find")
                self.assertEqual(status(connection)["records-set-aside"], 2)
                self.assertEqual(status(connection)["leaf-sums-mended"], 0)
                self.assertEqual(connection.call("GET", low), b"what was written to " + low.encode())
            self.assertEqual(nodes.nodes[0].log().count("is damaged and set aside"), 2)
            self.settle(nodes, ("read", low))

    def settle(self, nodes, keys):
        """Waits until all three hold the same of each key."""
        def same(connection, key):
            explained = cluster.pairs(connection.call("DYN.EXPLAIN", key))
            replicas = [cluster.pairs(replica) for replica in explained["replicas"]]
            return len(replicas) == 3 and all(replica["same"] == 1 for replica in replicas)
        with nodes.nodes[1].connect() as connection:
            for key in keys:
                wait_until(lambda: same(connection, key), "three equal copies of " + key)

    def damage(self, node, text):
        with open(os.path.join(node.directory, "store", "tree.mdb"), "r+b") as tree:
            data = tree.read()
            self.assertIn(text, data)
            at = data.find(text)
            while at >= 0:
                tree.seek(at + 4)
                tree.write(b"!")
                at = data.find(text, at + 1)


if __name__ == "__main__":
    if not os.path.exists(SHIM):
        print("skipped: there is no " + SHIM)
        sys.exit(SKIPPED)
    unittest.main()
