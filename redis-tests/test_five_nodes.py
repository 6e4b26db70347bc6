#!/usr/bin/python3
"""Five physical nodes: docs/five-nodes.md, command by command, on other ports and with a load beside
it. What the document shows as an answer has to be the answer. And the circle is as the document says:
it is reckoned here anew, from the nodes' ids."""

import hashlib
import os
import random
import re
import shlex
import socket
import subprocess
import time
import unittest

from cluster import BINARY, ROOT, Cluster, Node, pairs
from ring_load import RingLoad

PROFILE = "deploy/profiles/five-nodes.conf"
DOCUMENT = "docs/five-nodes.md"
BUS = 10000  # above the port for clients
PARTITIONS = 256
SLOTS = 16384 // PARTITIONS  # of a partition
KEYS = ["five:%d" % i for i in range(1500)]


def is_free(port):
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ports_with_buses(count):
    """Ports that are free as their buses' are, below those that the system gives away."""
    found = [port for port in random.sample(range(11000, 22000), 500)
             if is_free(port) and is_free(port + BUS)]
    return found[:count]


def commands_of(document):
    """[command, what it answers or nothing] of each `$` line, in order."""
    found = []
    for line in re.findall(r"^    (.*)$", document, re.M):
        if line.startswith("$ "):
            found.append([line[2:], ""])
        else:
            found[-1][1] += line + "\n"
    return found


class DocumentedNode(Node):
    """A node that is started by a command of the document."""

    def __init__(self, port, directory, command):
        super().__init__(port, port + BUS, os.path.join(directory, "data", str(port)), "", {})
        self.command, self.root = command, directory
        self.log_path = os.path.join(directory, "%d.log" % port)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(shlex.split(self.command), cwd=self.root, stdout=log,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


class Terminals(Cluster):
    """A directory where the document's commands do what they do in a checkout, on other ports."""

    def __init__(self):
        super().__init__(0)
        self.ports = dict(zip("123456", ports_with_buses(6)))
        with open(os.path.join(ROOT, DOCUMENT), encoding="utf-8") as document:
            self.commands = commands_of(self.moved(document.read()))
        with open(os.path.join(ROOT, PROFILE), encoding="utf-8") as profile:
            text = self.moved(profile.read())
        for path in (PROFILE, "build/cartwheel"):
            os.makedirs(os.path.dirname(os.path.join(self.directory, path)))
        with open(os.path.join(self.directory, PROFILE), "w", encoding="utf-8") as profile:
            profile.write(text)
        os.symlink(BINARY, os.path.join(self.directory, "build/cartwheel"))

    def moved(self, text):
        def moved_port(match):
            port = self.ports[match[2]]
            return str(port + BUS if match[1] else port)
        return re.sub(r"\b(1?)700([1-6])\b", moved_port, text)

    def node(self, number):
        return next(node for node in self.nodes if node.port == self.ports[str(number)])

    def next_node(self):
        """Starts the node that the document's next command starts."""
        command, _ = self.commands.pop(0)
        port = int(re.fullmatch(r"build/cartwheel .*--port (\d+) .*", command)[1])
        node = next((node for node in self.nodes if node.port == port), None)
        if node is None:
            node = DocumentedNode(port, self.directory, command)
            self.nodes.append(node)
        elif node.command != command:
            raise RuntimeError("not the same command: %s" % command)
        node.start()
        return node


class FiveNodes(unittest.TestCase):

    def setUp(self):
        self.terminals = Terminals()
        self.addCleanup(self.terminals.stop)

    def say(self, count=1):
        """Runs the document's next commands; what the last one printed."""
        for _ in range(count):
            command, answer = self.terminals.commands.pop(0)
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True,
                                  cwd=self.terminals.directory, timeout=30, check=False,
                                  stdin=subprocess.DEVNULL, env=dict(os.environ, FAKETTY="1"))
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertNotIn("(error)", done.stdout, command)
            if answer:
                self.assertEqual(done.stdout, answer, command)
        return done.stdout

    def wait_for(self, condition, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def circle(self):
        """Per partition its nodes' ids, the first at its hash or clockwise above."""
        places = {}  # partition: node
        ids = [node.id() for node in self.terminals.nodes]
        for place, name in sorted((hashlib.md5(b"%s:0" % name[:16].encode()).digest()[:8], name)
                                  for name in ids):
            at = int.from_bytes(place, "big") * PARTITIONS >> 64
            while at in places:
                at = (at + 1) % PARTITIONS
            places[at] = name
        order = [places[at] for at in sorted(places)]
        lists = []
        for partition in range(PARTITIONS):
            first = next((i for i, at in enumerate(sorted(places)) if at >= partition), 0)
            lists.append([order[(first + i) % len(order)] for i in range(3)])
        return lists

    def assert_circle(self):
        """Every node shows that circle, as arcs and for each key; it is returned."""
        lists = self.circle()
        for node in self.terminals.nodes:
            with node.connect() as connection:
                shown = [[name.decode() for name in names]
                         for first, last, names in connection.call("DYN.RING")
                         for _ in range(first, last + 1, SLOTS)]
                self.assertEqual(shown, lists)
                for key in KEYS[:100]:
                    slot = connection.call("CLUSTER", "KEYSLOT", key)
                    nodes = [entry[0].decode() for entry in connection.call("DYN.PREFLIST", key)]
                    self.assertEqual(nodes, lists[slot // SLOTS])
        return lists

    def write(self, port_of, text):
        with port_of.connect() as connection:
            for key in KEYS:
                self.assertEqual(connection.call("SET", key, text + key), "OK")

    def assert_all_same(self, text):
        """Each key is on its three, and nowhere else: the same on each."""
        for node in self.terminals.nodes:  # what is kept for others goes when it is on their disks
            self.wait_for(lambda: node.status("hints-pending") == 0, "hints stay")
            self.wait_for(lambda: node.status("left-over-slots") == 0, "left-overs stay")
        lists = self.circle()
        with self.terminals.nodes[0].connect() as connection:
            for key in KEYS[::5]:
                explained = pairs(connection.call("DYN.EXPLAIN", key))
                replicas = [pairs(replica) for replica in explained["replicas"]]
                here = lists[explained["slot"] // SLOTS]
                self.assertEqual({replica["node"].decode() for replica in replicas}, set(here))
                for replica in replicas:
                    self.assertEqual((replica["role"], replica["same"], replica["siblings"]),
                                     (b"primary", 1, 1), key)
        for node in self.terminals.nodes:
            with node.connect() as connection:
                for key in KEYS[::5]:
                    self.assertEqual(connection.call("GET", key), (text + key).encode())

    def assert_nothing_lost(self, load):
        self.assertEqual(load.failures, [])
        self.assertGreater(load.done, 100)
        for node in self.terminals.nodes:
            with node.connect() as connection:
                self.assertEqual(load.lost(connection), [])

    def start_five(self):
        for _ in range(5):
            self.terminals.next_node()
        self.terminals.wait_ready()

    def fail_and_come_back(self):
        terminals = self.terminals
        victim = terminals.node(3)
        rest = [node for node in terminals.nodes if node is not victim]
        identity = victim.id()
        with RingLoad(terminals.nodes) as load:
            time.sleep(0.5)
            load.excuse(victim)
            self.say()
            self.assertEqual(victim.wait_end(), -9)
            self.say(2)
            self.write(rest[0], "while it is away ")
            line = "node %s does not answer: taken for down" % identity
            for node in rest:
                self.wait_for(lambda: line in node.log(), "a killed node is alive")
            with rest[1].connect() as connection:
                alive = {pairs(node)["port"]: pairs(node)["alive"]
                         for node in connection.call("DYN.NODES")}
            self.assertEqual(alive, {node.port: int(node is not victim)
                                     for node in terminals.nodes})
            time.sleep(0.5)
            self.assertIs(terminals.next_node(), victim)
            terminals.wait_ready()
            time.sleep(0.5)
        self.say()
        with victim.connect(60) as connection:
            self.assertEqual(connection.call("DYN.REPAIR"), 0)
        self.say(2)
        self.assert_all_same("while it is away ")
        self.assert_nothing_lost(load)

    def add_a_sixth(self):
        before, five = self.assert_circle(), list(self.terminals.nodes)
        with RingLoad(five) as load:
            time.sleep(0.5)
            sixth = self.terminals.next_node()
            self.wait_for(sixth.serves, "a ring of one")
            load.excused.add(sixth)
            self.say()
            self.terminals.wait_ready()
            load.excused.clear()
            load.add(sixth)
            time.sleep(0.5)
        after, new = self.assert_circle(), sixth.id()
        self.say(2)
        changed = [(old, now) for old, now in zip(before, after) if old != now]
        for old, now in changed:
            self.assertIn(new, now)
            self.assertEqual([name for name in now if name != new], old[:2])
        # Owned: only what was the successor's. Besides it succeeds the two nodes before it.
        neighbours = [{old[0] for old, now in changed if now[place] == new} for place in range(3)]
        self.assertEqual([len(nodes) for nodes in neighbours], [1, 1, 1])
        self.assertEqual({now[1] for _, now in changed if now[0] == new}, neighbours[0])
        self.assertGreater(sixth.status("transfer-keys"), 0)
        self.assertEqual([node.status("transfer-keys") for node in five], [0] * 5)
        self.assert_all_same("while it is away ")
        self.assert_nothing_lost(load)

    def test_the_document(self):
        self.start_five()
        self.say(4)
        self.assert_circle()
        self.write(self.terminals.nodes[1], "")
        self.assert_all_same("")
        self.fail_and_come_back()
        self.add_a_sixth()
        self.assertEqual(self.terminals.commands, [])


if __name__ == "__main__":
    unittest.main()
