#!/usr/bin/python3
"""Runs the programs over hiredis against three nodes: smoke.cc, which waits for each reply, and
hiredis_async.cc, which does not. CARTWHEEL_SMOKE and CARTWHEEL_HIREDIS_ASYNC name them."""

import os
import unittest

from cluster import ROOT, WithThreeNodes


def program(variable, name):
    return os.environ.get(variable, os.path.join(ROOT, "build/redis-tests", name))


class SmokeTest(WithThreeNodes):

    def test_three_nodes_through_hiredis(self):
        self.run_tool(program("CARTWHEEL_SMOKE", "smoke"), *self.ports, timeout=60)

    def test_publish_and_subscribe_by_callbacks(self):
        self.run_tool(program("CARTWHEEL_HIREDIS_ASYNC", "hiredis_async"), *self.ports, timeout=60)


if __name__ == "__main__":
    unittest.main()
