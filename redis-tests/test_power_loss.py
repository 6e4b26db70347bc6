#!/usr/bin/python3
"""Real nodes lose power again and again: kill -9, and power_loss.py takes from the disk what no sync
had reached. With `fsync always` every acknowledged SET must be there afterwards, with `everysec` those
that are older than a second and what a sync takes. The log and the tree must always open.

POWER_LOSS_SECONDS says for how long (default 20), POWER_LOSS_SEED with which luck.
"""

import os
import random
import sys
import tempfile
import threading
import time
import unittest

import cluster
import power_loss

SHIM = os.environ.get("CARTWHEEL_POWER_LOSS", os.path.join(
    cluster.ROOT, "build", "redis-tests", "libpower_loss.so"))
SECONDS = float(os.environ.get("POWER_LOSS_SECONDS", "20"))
SEED = int(os.environ.get("POWER_LOSS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
KEYS = 400
PIPELINE = 40
# What may be lost under everysec: a second, and the sync itself on a machine that others use.
WEAK_SECONDS = 2.5
SKIPPED = 77


class Load(threading.Thread):
    """SETs as fast as they are answered, until the node is gone. Values of a key count up."""

    def __init__(self, node, model, padding, seed):
        super().__init__()
        self.node, self.model, self.padding = node, model, padding
        self.random = random.Random(seed)

    def run(self):
        try:
            with self.node.connect() as connection:
                while True:
                    self._burst(connection)
        except OSError:
            return

    def _burst(self, connection):
        sent = []
        for _ in range(PIPELINE):
            key = self.random.randrange(KEYS)
            number = self.model.send(key)
            connection.send("SET", "k%d" % key, value(number, self.random.randrange(self.padding)))
            sent.append((key, number))
        for key, number in sent:
            _, reply = connection.read()
            if reply == "OK":
                self.model.acknowledge(key, number)


def value(number, padding):
    return "%d:%s" % (number, "%d," % number * (padding // 8))


class Model:
    """What was sent, in which order, and what was acknowledged when."""

    def __init__(self):
        self.sent = [0] * KEYS
        self.order = [[(0, 0)] for _ in range(KEYS)]  # by key (place among all writes, number)
        self.writes = 0
        self.acknowledged = [[(0.0, 0)] for _ in range(KEYS)]
        self.count = 0

    def send(self, key):
        self.sent[key] += 1
        self.writes += 1
        self.order[key].append((self.writes, self.sent[key]))
        return self.sent[key]

    def acknowledge(self, key, number):
        self.acknowledged[key].append((time.monotonic(), number))
        self.count += 1

    def must_have(self, key, until):
        return max(number for at, number in self.acknowledged[key] if at <= until)

    def no_prefix(self, found):
        """The keys that are not as they were after the last write that was found."""
        last = max(dict((number, at) for at, number in self.order[key])[number]
                   for key, number in found.items())
        return ["k%d: %d" % (key, number) for key, number in found.items()
                if number != max(n for at, n in self.order[key] if at <= last)]

    def go_on_from(self, found):
        """What a start shows is there to stay."""
        for key, number in found.items():
            self.order[key] = [entry for entry in self.order[key] if entry[1] <= number]
            self.acknowledged[key] = [(0.0, number)]


class PowerLossTest(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        self.scratch = tempfile.TemporaryDirectory(prefix="cartwheel-power-")
        self.addCleanup(self.scratch.cleanup)

    def make(self, fsync, lies=False):
        nodes = cluster.Cluster(1, fsync=fsync, n=1, r=1, w=1)
        self.addCleanup(nodes.stop)
        self.journal = os.path.join(self.scratch.name, "journal")
        self.boot = os.path.join(self.scratch.name, "boot")
        self.reboot()
        power_loss.forget(self.journal)
        node = nodes.nodes[0]
        node.environment = {"LD_PRELOAD": SHIM, "POWER_LOSS_DIR": node.directory,
                            "POWER_LOSS_JOURNAL": self.journal, "POWER_LOSS_BOOT": self.boot}
        if lies:
            node.environment["POWER_LOSS_LIES"] = "1"
        return nodes, node

    def reboot(self):
        with open(self.boot, "w", encoding="ascii") as boot:
            boot.write("%036x\n" % self.random.getrandbits(128))

    def lose_power(self, node):
        node.kill()
        lost = power_loss.lose(self.journal, self.random)
        self.reboot()
        return lost

    def check(self, nodes, node, model, until):
        """Starts the node, whose state must be that after some of the writes in their order; returns
        which keys have less than they must."""
        node.start()
        nodes.wait_ready()
        found = {}
        with node.connect() as connection:
            for first in range(0, KEYS, 50):
                keys = range(first, first + 50)
                replies = connection.call("MGET", *["k%d" % key for key in keys])
                for key, reply in zip(keys, replies):
                    found[key] = int(reply.split(b":")[0]) if reply is not None else 0
                    self.assertLessEqual(found[key], model.sent[key], "a value nobody wrote")
                    if reply is not None:
                        self.assertEqual(reply.decode(), value(found[key], 8 * reply.count(b",")))
        missing = ["k%d: %d instead of %d" % (key, number, model.must_have(key, until))
                   for key, number in found.items() if number < model.must_have(key, until)]
        if not missing:
            self.assertEqual(model.no_prefix(found), [], "seed %d" % SEED)
        model.go_on_from(found)
        return missing

    def load_for(self, node, model, seconds, padding=6000):
        load = Load(node, model, padding, self.random.random())
        load.start()
        time.sleep(seconds)
        killed = time.monotonic()
        lost = self.lose_power(node)
        load.join()
        return killed, lost

    def test_fsync_always_loses_no_acknowledged_write(self):
        nodes, node = self.make("always")
        nodes.start()
        model, lost, rounds = Model(), 0, 0
        end = time.monotonic() + SECONDS * 0.6
        while time.monotonic() < end:
            rounds += 1
            killed, more = self.load_for(node, model, self.random.uniform(0.1, 1))
            lost += more
            if rounds % 3 == 0:
                # A second time, while it starts: it replays, checkpoints, removes segments.
                node.start()
                time.sleep(self.random.uniform(0.01, 0.3))
                lost += self.lose_power(node)
            missing = self.check(nodes, node, model, killed)
            self.assertEqual(missing, [], "seed %d round %d" % (SEED, rounds))
        self.assertGreater(model.count, 100)
        print("always: %d rounds, %d writes acknowledged, %d sectors and sizes lost" % (
            rounds, model.count, lost))

    def test_everysec_loses_no_more_than_a_second_and_says_so(self):
        nodes, node = self.make("everysec")
        nodes.start()
        model, lost, rounds = Model(), 0, 0
        end = time.monotonic() + SECONDS * 0.4
        while time.monotonic() < end:
            rounds += 1
            # Large values fill buffers, and checkpoints sync the log; small ones wait for the second.
            killed, more = self.load_for(node, model, self.random.uniform(2.6, 4),
                                         padding=60 if rounds % 2 else 6000)
            lost += more
            missing = self.check(nodes, node, model, killed - WEAK_SECONDS)
            self.assertEqual(missing, [], "seed %d round %d" % (SEED, rounds))
            self.assertEqual(node.log().count("acknowledged writes may be missing here"), rounds)
        self.assertGreater(lost, 0)
        print("everysec: %d rounds, %d writes acknowledged, %d sectors and sizes lost" % (
            rounds, model.count, lost))

    def test_the_check_finds_what_a_lying_disk_loses(self):
        nodes, node = self.make("always", lies=True)
        nodes.start()
        model = Model()
        for _ in range(8):
            killed, _ = self.load_for(node, model, 0.5)
            try:
                missing = self.check(nodes, node, model, killed)
            except RuntimeError as refused:
                self.assertIn("ended", str(refused))
                return
            if missing:
                return
        self.fail("synced data was dropped, and nobody noticed")


if __name__ == "__main__":
    if not os.path.exists(SHIM):
        print("skipped: there is no " + SHIM)
        sys.exit(SKIPPED)
    print("seed %d" % SEED)
    unittest.main()
