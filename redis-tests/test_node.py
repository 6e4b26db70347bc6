#!/usr/bin/python3
"""Runs today's Node.js clients against three nodes: node/node_redis.mjs and node/ioredis.mjs, and
node/failover.mjs, which kills a node under both."""

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

    def run_program(self, name, nodes, least, **variables):
        command = [self.node, "--test-reporter=tap", str(node_packages.HERE / name)]
        command += [str(node.port) for node in nodes]
        environment = dict(node_packages.environment(), **variables)
        result = subprocess.run(command, env=environment, capture_output=True, text=True,
                                timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        counted = dict(re.findall(r"^# (\w+) (\d+)$", result.stdout, re.MULTILINE))
        self.assertGreaterEqual(int(counted["pass"]), least, result.stdout)
        self.assertEqual(counted["pass"], counted["tests"], result.stdout)

    def test_node_redis(self):
        self.run_program("node_redis.mjs", self.cluster.nodes, least=20)

    def test_ioredis(self):
        self.run_program("ioredis.mjs", self.cluster.nodes, least=20)

    def test_cluster_clients_go_on_when_a_node_dies(self):
        with cluster.Cluster(3, node_timeout=1000) as ring:
            victim = str(ring.nodes[2].process.pid)
            self.run_program("failover.mjs", ring.nodes, least=1, VICTIM=victim)


if __name__ == "__main__":
    node_packages.main(NodeClientsTest)
