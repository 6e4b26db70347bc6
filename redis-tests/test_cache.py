#!/usr/bin/python3
"""Runs cache_app.py, a cache whose entries live for seconds, over three nodes of which one is
killed meanwhile, with both engines: nothing is served after its time, nothing stored is missed
before it, and in the end nothing is left."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import unittest

import cluster

APP = os.path.join(cluster.ROOT, "redis-tests", "cache_app.py")
SECONDS = 10


@unittest.skipUnless(importlib.util.find_spec("redis"), "python3-redis is not installed")
class CacheTest(unittest.TestCase):

    def run_cache(self, nodes, restart):
        ports = [str(node.port) for node in nodes]
        app = subprocess.Popen([sys.executable, APP, str(SECONDS), *ports], text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        time.sleep(SECONDS / 3)
        nodes[0].kill()  # the one that the application began with
        time.sleep(SECONDS / 3)
        if restart:
            nodes[0].start()
        out, errors = app.communicate(timeout=60)
        self.assertEqual(app.returncode, 0, errors)
        return json.loads(out)

    def entries(self, node):
        with node.connect() as connection:
            return connection.call("DBSIZE")

    def check(self, seen):
        self.assertEqual((seen["stale"], seen["wrong"], seen["lost"]), (0, 0, 0), seen)
        self.assertEqual(seen["hits"] + seen["computed"], seen["requests"])
        self.assertGreater(seen["computed"], 1000, seen)
        self.assertGreater(seen["retries"], 0, seen)
        self.assertGreater(seen["hits"] / seen["requests"], 0.25, seen)

    def wait_until_empty(self, nodes):
        """An entry counts until each replica's sweep has passed it."""
        deadline = time.monotonic() + 20
        while any(self.entries(node) > 0 for node in nodes):
            self.assertLess(time.monotonic(), deadline, [self.entries(node) for node in nodes])
            time.sleep(0.2)
        for node in nodes:
            with node.connect() as connection:
                self.assertEqual(connection.call("KEYS", "*"), [])

    def test_on_disk_with_a_node_killed_and_started_again(self):
        with cluster.Cluster(3, node_timeout=1000) as ring:
            seen = self.run_cache(ring.nodes, restart=True)
            self.check(seen)
            ring.wait_ready()
            self.wait_until_empty(ring.nodes)

    def test_in_memory_with_a_node_killed(self):
        with cluster.Cluster(3, node_timeout=1000, engine="memory") as ring:
            seen = self.run_cache(ring.nodes, restart=False)
            self.check(seen)
            self.wait_until_empty(ring.nodes[1:])


if __name__ == "__main__":
    unittest.main()
