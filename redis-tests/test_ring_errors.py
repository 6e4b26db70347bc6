#!/usr/bin/python3
"""What nobody may do to a ring by mistake: each is one clear line, and the ring stays as it was."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

from cluster import BINARY, Cluster, ReplyError, free_ports, pairs

NOBODY = "0123456789abcdef"  # an id in its short form, of no node


def run(*flags, seconds=15):
    """(status, standard output, standard error) of a node that is to end by itself."""
    done = subprocess.run([BINARY, *(str(flag) for flag in flags)], capture_output=True, text=True,
                          timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


class RingErrors(unittest.TestCase):

    def wait_for(self, condition, what, seconds=15):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def assert_refused(self, line, connection, *command):
        reply = connection.ask(*command)
        self.assertIsInstance(reply, ReplyError, command)
        self.assertRegex(str(reply), "^" + line, command)

    def ends(self, node):
        """The one line on standard error of a node that does not start."""
        flags = ["--port", node.port, "--bus-port", node.bus_port, "--dir", node.directory]
        if node.seeds:
            flags += ["--seeds", node.seeds]
        for name, value in node.options.items():
            flags += ["--" + name.replace("_", "-"), value]
        status, _, text = run(*flags)
        self.assertEqual((status, text.count("\n")), (1, 1), text)
        return text


class BadOptions(RingErrors):

    def test_a_bad_value_is_named_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as directory:
            data = os.path.join(directory, "data")
            for flags, why in (
                    (("n", "8"), "argument must be between 1 and 7 inclusive"),
                    (("n", "0"), "argument must be between 1 and 7 inclusive"),
                    (("r", "4"), "more than n"),
                    (("w", "4"), "more than n"),
                    (("w", "2", "n", "1"), "more than n"),
                    (("partitions", "100"), "argument must be a power of two"),
                    (("partitions", "32768"), "argument must be between 1 and 16384 inclusive"),
                    (("placement", "random"),
                     "argument(s) must be one of the following: equal, tokens"),
                    (("partitioner", "sha1"),
                     "argument(s) must be one of the following: slot, md5"),
                    (("tokens", "0"), "argument must be between 1 and 1024 inclusive"),
                    (("tokens", "1025"), "argument must be between 1 and 1024 inclusive"),
                    (("weight", "0"), "argument must be a number between 0.001 and 1000"),
                    (("zone", "a b"), "argument must not have blanks in it"),
                    (("transfer-rate", "-1"), "argument must be a memory value"),
                    (("transfer-rate", "fast"), "argument must be a memory value"),
                    (("replace", "abc"), "argument must be a node id"),
                    (("replace", NOBODY), "it needs seeds"),
                    (("seeds", "nowhere"), "argument must be host:busport[,host:busport ...]")):
                words = ["--dir", data, "--port", free_ports(1)[0]]
                for name, value in zip(flags[::2], flags[1::2]):
                    words += ["--" + name, value]
                status, out, error = run(*words)
                self.assertEqual((status, out), (1, ""), flags)
                shown = flags[1] if flags[1] != NOBODY else NOBODY + "[0-9a-f]{24}"
                self.assertRegex(error, r"^cartwheel: option '%s': bad value '%s': " %
                                 (flags[0], shown))
                self.assertTrue(error.endswith(": %s\n" % why), error)
                self.assertEqual(error.count("\n"), 1)
                self.assertFalse(os.path.exists(data), flags)


class BadJoins(RingErrors):

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, gossip_interval=300, node_timeout=1500).start()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        self.c = self.cluster.nodes[0].connect()
        self.addCleanup(self.c.close)
        self.peer = "127.0.0.1:%d" % self.cluster.nodes[0].bus_port
        self.before = self.c.call("DYN.HISTORY")[0][0]

    def tearDown(self):
        # Nothing became of it.
        self.assertEqual(self.c.call("DYN.HISTORY")[0][0], self.before)
        self.assertTrue(all(node.ready(3) for node in self.cluster.nodes))

    def alone(self, **options):
        """A node with a ring of its own."""
        node = self.cluster.new_node(seeds="", **options)
        node.start()
        self.addCleanup(node.stop)
        self.wait_for(node.serves, "a ring of one")
        return node

    def test_other_settings_that_were_given(self):
        for options, line in (
                ({"partitions": 128}, "partitions is 128 here and 256 in the ring to join"),
                ({"placement": "tokens"}, "placement is tokens here and equal in the ring to join"),
                ({"partitioner": "md5"}, "partitioner is md5 here and slot in the ring to join")):
            text = self.ends(self.cluster.new_node(**options))
            self.assertEqual(text, "cartwheel: %s\n" % line)
            with self.alone(**options).connect() as connection:
                self.assert_refused("ERR %s$" % line, connection, "DYN.JOIN", self.peer)
                self.assertEqual(len(connection.call("DYN.NODES")), 1)

    def test_a_copy_of_a_directory_beside_its_original(self):
        with Cluster(3, gossip_interval=300, node_timeout=1500) as cluster:
            original = cluster.nodes[2]
            original.kill()
            copy = cluster.new_node()
            shutil.copytree(original.directory, copy.directory, dirs_exist_ok=True)
            original.start()
            cluster.wait_ready()
            self.assertRegex(self.ends(copy), r"^cartwheel: another process, at 127\.0\.0\.1:%d, is "
                             r"node [0-9a-f]{40} already: was its directory copied\?\n$" %
                             original.bus_port)
            cluster.wait_ready()
            with cluster.nodes[0].connect() as connection:
                def ports():
                    return sorted(pairs(member)["bus-port"] for member in
                                  connection.call("DYN.NODES"))
                self.wait_for(lambda: ports() == sorted(n.bus_port for n in cluster.nodes), ports)

    def test_a_node_whose_data_is_of_nobody(self):
        node = self.alone(fsync="always")
        with node.connect() as connection:
            connection.call("SET", "mine", "v")
        node.stop()
        for name in ("node.0", "node.1"):
            if os.path.exists(os.path.join(node.directory, name)):
                os.remove(os.path.join(node.directory, name))
        line = (r"cartwheel: option 'dir': bad value '%s': it has a store, but whose it is is gone "
                r"\(the files node\.0 and node\.1\)\n$" % node.directory)
        for node.seeds in ("", self.peer):
            self.assertRegex(self.ends(node), "^" + line)

    def test_a_node_with_data_of_its_own(self):
        node = self.alone()
        with node.connect() as connection:
            connection.call("SET", "mine", "v")
            for command in (("DYN.JOIN", self.peer), ("DYN.REPLACE", NOBODY, self.peer),
                            ("CLUSTER", "MEET", "127.0.0.1", self.cluster.nodes[0].port,
                             self.cluster.nodes[0].bus_port)):
                self.assert_refused("ERR this node holds data: rings that hold data are never "
                                    "mixed$", connection, *command)
        self.c.call("SET", "theirs", "v")
        node.stop()
        node.seeds = self.peer
        node.start()
        self.wait_for(lambda: "they are not mixed (neither is empty)" in node.log(), node.log)
        with node.connect() as connection:
            self.assertEqual(connection.call("GET", "mine"), b"v")
            self.assertEqual(len(connection.call("DYN.NODES")), 1)

    def test_a_directory_that_is_in_use(self):
        node = self.cluster.nodes[1]
        other = self.cluster.new_node()
        other.directory = node.directory
        self.assertEqual(self.ends(other), "cartwheel: option 'dir': bad value '%s': another process"
                         " uses it\n" % node.directory)

    def test_the_address_of_a_member(self):
        node = self.cluster.new_node(announce_bus_port=self.cluster.nodes[2].bus_port)
        node.start()
        self.addCleanup(node.stop)
        self.wait_for(lambda: "to take its place use DYN.REPLACE" in node.log(), node.log)

    def test_a_place_that_is_not_free(self):
        living = self.cluster.nodes[2].id()
        for replaced, why in ((NOBODY, "node %s[0-9a-f]{24} is not a member" % NOBODY),
                              (living, "node %s is still heard by node [0-9a-f]{40}: tell it "
                                       "DYN.LEAVE, or use FORCE" % living)):
            node = self.cluster.new_node(replace=replaced)
            node.start()
            self.addCleanup(node.stop)
            self.wait_for(lambda: "not taken into a ring" in node.log(), node.log)
            self.assertRegex(node.log(), "not taken into a ring: " + why)
            with node.connect() as connection:
                self.assert_refused("LOADING", connection, "GET", "k")
            with self.alone().connect() as connection:
                self.assert_refused("ERR %s$" % why, connection, "DYN.REPLACE", replaced, self.peer)
                self.assertEqual(connection.call("GET", "k"), None)

    def test_a_peer_that_is_none(self):
        with self.alone(replica_timeout=200).connect() as connection:
            nobody = free_ports(1)[0]
            self.assert_refused("ERR no decision about the join through 127.0.0.1:%d in time" %
                                nobody, connection, "DYN.JOIN", "127.0.0.1:%d" % nobody)
            own = pairs(connection.call("DYN.NODES")[0])["bus-port"]
            self.assert_refused("ERR 127.0.0.1:%d is this node itself$" % own, connection,
                                "DYN.JOIN", "127.0.0.1:%d" % own)
            self.assertEqual(connection.call("GET", "k"), None)

    def test_words_that_are_wrong(self):
        me = self.c.call("CLUSTER", "MYID").decode()
        other = self.cluster.nodes[1].id()
        nobody = "node %s[0-9a-f]{24} is not a member$" % NOBODY
        for command, line in (
                (("DYN.JOIN",), "ERR wrong number of arguments for 'dyn.join' command$"),
                (("DYN.JOIN", "nowhere"), "ERR invalid address, expected host:busport$"),
                (("DYN.JOIN", "127.0.0.1:0"), "ERR invalid address, expected host:busport$"),
                (("DYN.JOIN", self.peer), "ERR this node is a member of a ring of 3 already$"),
                (("DYN.LEAVE", "now"), "ERR wrong number of arguments for 'dyn.leave' command$"),
                (("DYN.REMOVE",), "ERR wrong number of arguments for 'dyn.remove' command$"),
                (("DYN.REMOVE", "FORCE"), "ERR invalid node id 'FORCE'$"),
                (("DYN.REMOVE", other[:39]), "ERR invalid node id '%s'$" % other[:39]),
                (("DYN.REMOVE", other[:39] + "x"), "ERR invalid node id "),
                (("DYN.REMOVE", other, "SOON"), "ERR invalid node id 'SOON'$"),
                (("DYN.REMOVE", NOBODY), "ERR " + nobody),
                (("DYN.REMOVE", NOBODY, "FORCE"), "ERR " + nobody),
                (("DYN.REMOVE", me), "ERR node %s is still heard by node %s: " % (me, me)),
                (("DYN.REMOVE", me, "force"), "ERR that is this node itself: tell it DYN.LEAVE$"),
                (("DYN.REMOVE", other), "ERR node %s is still heard by node " % other),
                (("DYN.REMOVE", *(node.id() for node in self.cluster.nodes), "FORCE"),
                 "ERR nobody would be left in the ring$"),
                (("DYN.REPLACE", other), "ERR wrong number of arguments for 'dyn.replace' "),
                (("DYN.REPLACE", "x", self.peer), "ERR invalid node id 'x'$"),
                (("DYN.REPLACE", other, "x"), "ERR invalid address, expected host:busport$"),
                (("DYN.REPLACE", other, self.peer),
                 "ERR this node is a member of a ring of 3 already$"),
                (("DYN.SETTINGS", "N"), "ERR syntax error$"),
                (("DYN.SETTINGS", "N", "3", "n", "4"), "ERR syntax error$"),
                (("DYN.SETTINGS", "X", "1"), "ERR syntax error$"),
                (("DYN.SETTINGS", "N", "x"), "ERR value is not an integer or out of range$"),
                (("DYN.SETTINGS", "N", "8"), "ERR N must be between 1 and 7$"),
                (("DYN.SETTINGS", "N", "0"), "ERR N must be between 1 and 7$"),
                (("DYN.SETTINGS", "R", "4"), "ERR R must be between 1 and N=3$"),
                (("DYN.SETTINGS", "W", "4"), "ERR W must be between 1 and N=3$"),
                (("DYN.SETTINGS", "N", "2", "R", "3"), "ERR R must be between 1 and N=2$"),
                (("DYN.SETTINGS", "N", "1"), "ERR R 2 and W 2 must not be more than N 1$"),
                (("DYN.PLAN",), "ERR wrong number of arguments for 'dyn.plan' command$"),
                (("DYN.PLAN", "JOIN", "1"), "ERR syntax error$"),
                (("DYN.PLAN", "JOIN", "0", "a"), "ERR option 'weight': bad value '0': "),
                (("DYN.PLAN", "JOIN", "1", "a b"), "ERR option 'zone': bad value 'a b': "),
                (("DYN.PLAN", "MOVE", other), "ERR syntax error$"),
                (("DYN.PLAN", "LEAVE", "x"), "ERR invalid node id 'x'$"),
                (("DYN.PLAN", "LEAVE", NOBODY), "ERR " + nobody),
                (("DYN.PLAN", "REMOVE", NOBODY), "ERR " + nobody),
                (("CLUSTER", "FORGET"), "ERR wrong number of arguments for 'cluster\\|forget' "),
                (("CLUSTER", "FORGET", "x"), "ERR Unknown node x$"),
                (("CLUSTER", "FORGET", NOBODY), "ERR Unknown node %s$" % NOBODY),
                (("CLUSTER", "FORGET", me), "ERR I tried hard but I can't forget myself...$"),
                (("CLUSTER", "FORGET", other), "ERR node %s is still heard by node " % other),
                (("CLUSTER", "MEET", "127.0.0.1", "0"), "ERR Invalid node address specified: "),
                (("CLUSTER", "MEET", "127.0.0.1", "x"), "ERR Invalid TCP base port specified: x"),
                (("CLUSTER", "MEET", "127.0.0.1", self.cluster.nodes[1].port,
                  self.cluster.nodes[1].bus_port),
                 "ERR this node is a member of a ring of 3 already$")):
            self.assert_refused(line, self.c, *command)
        with self.alone().connect() as connection:
            self.assert_refused("ERR nobody would be left in the ring$", connection, "DYN.LEAVE")


class WhoIsOut(RingErrors):

    def test_whoever_was_removed_or_left_does_not_come_back(self):
        with Cluster(4, gossip_interval=300, node_timeout=1000) as cluster:
            a, b, c, d = cluster.nodes
            gone = b.id()
            b.kill()
            self.wait_for(lambda: "node %s does not answer" % gone in a.log() and
                          "node %s does not answer" % gone in c.log() and
                          "node %s does not answer" % gone in d.log(), "a killed node is alive")
            with a.connect() as connection:
                self.assertEqual(connection.call("DYN.REMOVE", gone), "OK")
            cluster.nodes.remove(b)
            cluster.wait_ready()
            # It learns of it when it comes back, and then knows.
            text = self.ends(b)
            self.assertRegex(text, r"^cartwheel: this node was removed from its ring \(epoch \d+\)")
            refusal = ("cartwheel: node %s left its ring or was removed from it (epoch %%s): to join "
                       "one, give it an empty directory\n")
            self.assertRegex(self.ends(b), "^" + (refusal % gone).replace("(", r"\(").replace(
                ")", r"\)") % "[0-9]+")

            left = d.id()
            with d.connect() as connection:
                self.assertEqual(connection.call("DYN.LEAVE"), "OK")
            self.assertEqual(d.wait_end(), 0)
            cluster.nodes.remove(d)
            cluster.wait_ready()
            for _ in range(2):
                self.assertRegex(self.ends(d), "^" + (refusal % left).replace("(", r"\(").replace(
                    ")", r"\)") % "[0-9]+")
            # With an empty directory the place is free again.
            again = cluster.add()
            cluster.wait_ready()
            self.assertNotIn(again.id(), (gone, left))


class Seeds(RingErrors):

    def test_seeds_that_are_down_or_have_no_address_are_tried_again(self):
        with Cluster(1) as cluster:
            node = cluster.nodes[0]
            node.stop()
            late = cluster.new_node(seeds="127.0.0.1:%d,nowhere.invalid:17001" % node.bus_port)
            late.start()
            self.addCleanup(late.stop)
            self.wait_for(lambda: "waiting for a ring" in late.log(), late.log)
            self.assertIn("127.0.0.1:%d (no answer), nowhere.invalid:17001 (no answer)" %
                          node.bus_port, late.log())
            self.wait_for(lambda: "bus link to nowhere.invalid:17001 ended" in late.log(), late.log)
            with late.connect() as connection:
                self.assert_refused("LOADING", connection, "GET", "k")
                self.assert_refused("LOADING", connection, "DYN.SETTINGS")
                self.assert_refused("LOADING", connection, "DYN.PLAN", "LEAVE", NOBODY)
                self.assert_refused("LOADING", connection, "DYN.LEAVE")
                self.assert_refused("LOADING", connection, "DYN.REMOVE", NOBODY)
                self.assert_refused("LOADING", connection, "CLUSTER", "FORGET", NOBODY)
                self.assertEqual(pairs(connection.call("DYN.STATUS"))["waiting-for"], b"")
            node.start()
            cluster.nodes.append(late)
            cluster.wait_ready()


if __name__ == "__main__":
    unittest.main()
