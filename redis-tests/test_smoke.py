#!/usr/bin/python3
"""Runs the C++ smoke test (smoke.cc, hiredis) against three nodes. CARTWHEEL_SMOKE names it."""

import os
import subprocess
import unittest

import cluster

PROGRAM = os.environ.get("CARTWHEEL_SMOKE", os.path.join(cluster.ROOT, "build/redis-tests/smoke"))


class SmokeTest(unittest.TestCase):
    def test_three_nodes_through_hiredis(self):
        with cluster.Cluster(3) as nodes:
            ports = [str(node.port) for node in nodes.nodes]
            result = subprocess.run([PROGRAM, *ports], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
