#!/usr/bin/python3
"""Runs node/node_redis.mjs and node/ioredis.mjs, today's Node.js clients, against three nodes."""

import re
import subprocess
import unittest

import cluster
import node_packages


class NodeClientsTest(unittest.TestCase):
    node = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3).start()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def run_program(self, name):
        command = [self.node, "--test-reporter=tap", str(node_packages.HERE / name)]
        command += [str(node.port) for node in self.cluster.nodes]
        result = subprocess.run(command, env=node_packages.environment(), capture_output=True,
                                text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        counted = dict(re.findall(r"^# (\w+) (\d+)$", result.stdout, re.MULTILINE))
        self.assertGreater(int(counted["pass"]), 20, result.stdout)
        self.assertEqual(counted["pass"], counted["tests"], result.stdout)

    def test_node_redis(self):
        self.run_program("node_redis.mjs")

    def test_ioredis(self):
        self.run_program("ioredis.mjs")


if __name__ == "__main__":
    node_packages.main(NodeClientsTest)
