#!/usr/bin/python3
"""redis-benchmark against three nodes, plain and --cluster: all of its tests that need no type but
strings, without an error reply."""

import shutil
import unittest

from cluster import WithThreeNodes

TESTS = "ping,set,get,incr,mset"
NAMES = ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)")


@unittest.skipUnless(shutil.which("redis-benchmark"), "redis-benchmark is not installed")
class RedisBenchmark(WithThreeNodes):

    def benchmark(self, *arguments):
        out = self.run_tool("redis-benchmark", "-p", self.ports[0], "-n", "5000", "-c", "20",
                            *arguments)
        self.assertNotIn("rror", out)
        self.assertNotIn("WARNING", out)  # CONFIG GET save, appendonly and CLUSTER NODES are read
        return out

    def test_through_one_node(self):
        for arguments in (["-r", "1000"], ["-P", "16", "-r", "1000", "-3"], ["--threads", "2"],
                          ["-k", "0", "-n", "500"], ["--dbnum", "3", "-d", "1000"]):
            out = self.benchmark("-q", "-t", TESTS, *arguments)
            for name in NAMES:
                self.assertIn(name + ":", out, arguments)

    def test_cluster_mode(self):
        for arguments in (["-r", "1000"], ["-P", "16", "-r", "1000", "-3"], ["--threads", "2"]):
            out = self.benchmark("-q", "--cluster", "-t", TESTS, *arguments)
            self.assertIn("Cluster has 3 master nodes", out)
            for name in NAMES:
                self.assertIn(name + ":", out, arguments)

    def test_reports_and_commands_of_ones_own(self):
        out = self.benchmark("-t", "set", "--csv").split("\n")
        self.assertTrue(out[0].startswith('"test","rps"') and out[1].startswith('"SET"'), out)
        self.assertIn("latency summary", self.benchmark("-t", "get"))
        self.benchmark("-q", "-r", "100", "SET", "bench:__rand_int__", "v", "EX", "100")
        out = self.run_tool("redis-cli", "-p", self.ports[2], "--scan", "--pattern", "bench:*")
        self.assertEqual(len(set(out.split())), 100)


if __name__ == "__main__":
    unittest.main()
