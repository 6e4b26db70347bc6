#!/usr/bin/python3
"""redis-cli against three nodes: its modes, its cluster manager, and, on a terminal, an interactive
session, subscriptions and MONITOR."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from cluster import Cluster, WithThreeNodes

HAVE_CLI = shutil.which("redis-cli") is not None


class Terminal:
    """A program on a terminal of its own, ended by its process id."""

    def __init__(self, *command):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([str(word) for word in command], stdin=slave, stdout=slave,
                                        stderr=slave, env=dict(os.environ, TERM="dumb"))
        os.close(slave)
        self.seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()
        os.close(self.master)

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")

    def expect(self, pattern, seconds=10):
        """What was printed up to and with the pattern; it is not looked at again."""
        deadline = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.seen)
            if match:
                text, self.seen = self.seen[:match.end()], self.seen[match.end():]
                return text
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError("no %r in %d s, only %r" % (pattern, seconds, self.seen))
            self.seen += os.read(self.master, 1 << 16).decode(errors="replace")


class WithCli(WithThreeNodes):

    def cli(self, port, *arguments, text=None):
        return self.run_tool("redis-cli", "-p", str(port), *arguments, text=text)


@unittest.skipUnless(HAVE_CLI, "redis-cli is not installed")
class Modes(WithCli):

    def test_plain(self):
        self.assertEqual(self.cli(self.ports[0], "SET", "cli", "v"), "OK\n")
        self.assertEqual(self.cli(self.ports[1], "GET", "cli"), "v\n")
        self.assertEqual(self.cli(self.ports[2], "-n", "3", "GET", "cli"), "\n")
        self.cli(self.ports[2], "-n", "3", "SET", "cli", "three")
        self.assertEqual(self.cli(self.ports[0], "-u", "redis://127.0.0.1:%d/3" % self.ports[0],
                                  "GET", "cli"), "three\n")

    def test_resp3(self):
        self.cli(self.ports[0], "-3", "SET", "cli3", "v")
        self.assertEqual(self.cli(self.ports[1], "-3", "GET", "cli3"), "v\n")
        self.assertIn("cartwheel_version", self.cli(self.ports[1], "-3", "HELLO", "3"))

    def test_formats(self):
        self.cli(self.ports[0], "MSET", "form:1", "one", "form:2", 'with "quotes"')
        get = ["MGET", "form:1", "form:2", "form:none"]
        self.assertEqual(self.cli(self.ports[1], "--no-raw", *get),
                         '1) "one"\n2) "with \\"quotes\\""\n3) (nil)\n')
        self.assertEqual(self.cli(self.ports[1], "--csv", *get),
                         '"one","with \\"quotes\\"",NULL\n')
        self.assertEqual(json.loads(self.cli(self.ports[1], "--json", *get)),
                         ["one", 'with "quotes"', None])
        self.assertEqual(json.loads(self.cli(self.ports[1], "--json", "HELLO", "3"))["proto"], 3)

    def test_piped(self):
        text = "SET piped 1\nINCR piped\nNOSUCH\nMULTI\nINCR piped\nGET piped\nEXEC\n"
        out = self.cli(self.ports[0], text=text).split("\n")
        self.assertEqual(out[:2] + out[-6:],
                         ["OK", "2", "OK", "QUEUED", "QUEUED", "3", "3", ""])
        self.assertTrue(out[2].startswith("ERR unknown command 'NOSUCH'"))
        self.assertEqual(self.cli(self.ports[1], "-r", "5", "-i", "0.01", "INCR", "piped"),
                         "4\n5\n6\n7\n8\n")

    def test_values_from_the_input(self):
        self.cli(self.ports[0], "-x", "SET", "input", text="from\nthe input")
        self.assertEqual(self.cli(self.ports[1], "GET", "input"), "from\nthe input\n")
        self.cli(self.ports[0], "-X", "tag", "SET", "input", "tag", "EX", "100", text="tagged")
        self.assertEqual(self.cli(self.ports[2], "GET", "input"), "tagged\n")

    def test_pipe_mode(self):
        commands = "".join("SET piped:%d v\r\n" % i for i in range(1000))
        out = self.cli(self.ports[0], "--pipe", text=commands)
        self.assertIn("errors: 0, replies: 1000", out)
        self.assertEqual(self.cli(self.ports[2], "GET", "piped:999"), "v\n")

    def test_looking_through_all_keys(self):
        pairs = " ".join("scanned:%d v" % i for i in range(50))
        self.cli(self.ports[0], text="MSET %s\nSET scanned:big %s\n" % (pairs, "x" * 5000))
        keys = self.cli(self.ports[1], "--scan", "--pattern", "scanned:*").split()
        self.assertEqual(len(set(keys)), 51)
        self.assertEqual(self.cli(self.ports[1], "--scan", "--quoted-pattern", '"scanned:b\\x69g"'),
                         "scanned:big\n")

    def test_finding_the_biggest_keys(self):
        self.cli(self.ports[0], "-x", "SET", "biggest", text="x" * 9000)
        self.assertRegex(self.cli(self.ports[1], "--bigkeys"),
                         r"Biggest string found .*biggest.* has 9000 bytes")
        self.assertRegex(self.cli(self.ports[2], "--memkeys"),
                         r"Biggest string found .*biggest.* has \d{4,} bytes")

    def test_latency(self):
        out = self.cli(self.ports[0], "--latency", "--raw", "-i", "0.5")
        least, most, _, count = (float(number) for number in out.split())
        self.assertTrue(least <= most and count > 5, out)

    def test_cluster_mode(self):
        for i in range(30):
            self.assertEqual(self.cli(self.ports[0], "-c", "SET", "clic%d" % i, i), "OK\n")
        self.assertEqual(self.cli(self.ports[1], "-c", text="GET clic1\nGET clic2\n"), "1\n2\n")

    def test_siblings_by_hand(self):
        self.cli(self.ports[0], "DYN.PUT", "cart", "", "book")
        self.cli(self.ports[1], "DYN.PUT", "cart", "", "lamp")
        context, one, two = self.cli(self.ports[2], "DYN.GET", "cart").split()
        self.assertEqual({one, two}, {"book", "lamp"})
        self.cli(self.ports[2], "DYN.PUT", "cart", context, "both")
        self.assertEqual(self.cli(self.ports[0], "GET", "cart"), "both\n")


@unittest.skipUnless(HAVE_CLI, "redis-cli is not installed")
class ClusterManager(WithCli):

    def test_check_and_info_accept_us(self):
        for port in self.ports:
            check = self.cli(port, "--cluster", "check", "127.0.0.1:%d" % port)
            self.assertIn("[OK] All nodes agree about slots configuration.", check)
            self.assertIn("[OK] All 16384 slots covered.", check)
            info = self.cli(port, "--cluster", "info", "127.0.0.1:%d" % port)
            self.assertIn("in 3 masters.", info)

    def test_call_asks_every_node(self):
        self.cli(self.ports[0], "SET", "called", "v")
        address = "127.0.0.1:%d" % self.ports[1]
        out = self.cli(self.ports[0], "--cluster", "call", address, "GET", "called")
        for port in self.ports:
            self.assertIn("127.0.0.1:%d: v\n" % port, out)
        only = self.cli(self.ports[0], "--cluster", "call", address, "PING",
                        "--cluster-only-masters")
        self.assertEqual(only.count(": PONG\n"), 3)


@unittest.skipUnless(HAVE_CLI, "redis-cli is not installed")
class ARingInMotion(unittest.TestCase):

    def check(self, cluster, members):
        """redis-cli finds the slots covered, and so many nodes, from any of them."""
        for node in cluster.nodes:
            address = "127.0.0.1:%d" % node.port
            for command, words in (("check", "[OK] All nodes agree about slots configuration."),
                                   ("check", "[OK] All 16384 slots covered."),
                                   ("info", "in %d masters." % members)):
                done = subprocess.run(["redis-cli", "--cluster", command, address],
                                      capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertIn(words, done.stdout)

    def phase(self, cluster, wanted):
        deadline = time.monotonic() + 20
        while any(node.status("ring-phase") != wanted for node in cluster.nodes):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_check_and_info_accept_it(self):
        with Cluster(3, gossip_interval=300, transfer_rate="100kb") as cluster:
            with cluster.nodes[0].connect() as connection:
                for i in range(1000):
                    connection.call("SET", "slow:%d" % i, "x" * 2000)

            def hurry(rate):
                for node in cluster.nodes:
                    with node.connect() as connection:
                        connection.call("CONFIG", "SET", "transfer-rate", rate)
            joiner = cluster.add(transfer_rate="100kb")
            self.phase(cluster, 1)
            self.check(cluster, 4)  # one without slots
            with cluster.nodes[1].connect() as connection:
                lines = connection.call("CLUSTER", "NODES").decode().splitlines()
            # It reads from the others yet.
            own = [line for line in lines if line.startswith(joiner.id())]
            self.assertRegex(own[0], " master - 0 0 [0-9]+ connected$")
            hurry("0")
            cluster.wait_ready()
            self.check(cluster, 4)
            hurry("100kb")
            with joiner.connect() as connection:
                connection.call("DYN.LEAVE")
            self.phase(cluster, 1)
            self.check(cluster, 4)
            hurry("0")
            self.assertEqual(joiner.wait_end(20), 0)
            cluster.nodes.remove(joiner)
            cluster.wait_ready()
            self.check(cluster, 3)


@unittest.skipUnless(HAVE_CLI, "redis-cli is not installed")
class OnATerminal(WithCli):

    def terminal(self, i, *arguments):
        return Terminal("redis-cli", "-p", self.ports[i], *arguments)

    def test_a_session_with_a_transaction(self):
        for flag in ("-2", "-3"):
            with self.terminal(0, flag, "-c") as terminal:
                prompt = r"127\.0\.0\.1:%d> " % self.ports[0]
                transaction = r"127\.0\.0\.1:%d\(TX\)> " % self.ports[0]
                terminal.expect(prompt)
                terminal.type("MULTI")
                terminal.expect(r"OK\s+" + transaction)
                terminal.type("SET tty 5")
                terminal.expect(r"QUEUED\s+" + transaction)
                terminal.type("INCR tty")
                terminal.expect(r"QUEUED\s+" + transaction)
                terminal.type("EXEC")
                terminal.expect(r"1\) OK\s+2\) \(integer\) 6\s+" + prompt)
                terminal.type("MULTI")
                terminal.expect(transaction)
                terminal.type("DISCARD")
                terminal.expect(r"OK\s+" + prompt)
                terminal.type("SELECT 2")
                terminal.expect(r"127\.0\.0\.1:%d\[2\]> " % self.ports[0])
                terminal.type("GET tty")
                terminal.expect(r"\(nil\)")
                terminal.type("QUIT")
                self.assertEqual(terminal.process.wait(10), 0)

    def test_connects_again_after_client_kill(self):
        with self.terminal(0) as terminal:
            terminal.expect("> ")
            terminal.type("CLIENT ID")
            number = re.search(r"\(integer\) (\d+)", terminal.expect(r"\(integer\) \d+\s")).group(1)
            self.assertEqual(self.cli(self.ports[0], "CLIENT", "KILL", "ID", number), "1\n")
            terminal.type("PING")
            terminal.expect("PONG|Server closed the connection|not connected")
            terminal.type("ECHO again")
            terminal.expect('"again"')

    def test_subscriptions(self):
        for flag in ("-2", "-3"):
            with self.terminal(0, flag, "SUBSCRIBE", "tty:news") as plain, \
                 self.terminal(1, flag, "PSUBSCRIBE", "tty:n*") as pattern:
                plain.expect(r'"subscribe"\s+2\) "tty:news"\s+3\) \(integer\) 1')
                pattern.expect(r'"psubscribe"\s+2\) "tty:n\*"\s+3\) \(integer\) 1')
                self.cli(self.ports[2], "PUBLISH", "tty:news", "hello")
                plain.expect(r'"message"\s+2\) "tty:news"\s+3\) "hello"')
                pattern.expect(r'"pmessage"\s+2\) "tty:n\*"\s+3\) "tty:news"\s+4\) "hello"')

    def test_sharded_subscription(self):
        with self.terminal(0, "-c", "SSUBSCRIBE", "tty:shard") as terminal:
            terminal.expect(r'"ssubscribe"\s+2\) "tty:shard"\s+3\) \(integer\) 1')
            self.cli(self.ports[2], "SPUBLISH", "tty:shard", "hello")
            terminal.expect(r'"smessage"\s+2\) "tty:shard"\s+3\) "hello"')

    def test_monitor(self):
        with self.terminal(1, "MONITOR") as terminal:
            terminal.expect("OK")
            self.cli(self.ports[1], "-n", "4", "SET", "tty:monitored", "v\n1")
            terminal.expect(
                r'\d+\.\d{6} \[4 127\.0\.0\.1:\d+\] "SET" "tty:monitored" "v\\n1"')

    def test_stat(self):
        self.cli(self.ports[0], "SET", "tty:stat", "v")
        with self.terminal(0, "--stat", "-i", "0.1") as terminal:
            terminal.expect("keys +mem +clients +blocked +requests +connections")
            lines = [terminal.expect(r"\d+ +[\d.]+[BKMG] +\d+ +\d+ +\d+ \(\+\d+\) +\d+")
                     for _ in range(3)]
            self.assertGreaterEqual(int(lines[-1].split()[0]), 1)


if __name__ == "__main__":
    unittest.main()
