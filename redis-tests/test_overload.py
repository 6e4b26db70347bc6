"""Overload: one client does not hold up another, one that does not read is closed past its limit, a
peer that stands still costs the others no memory, and a node whose queue stays old says so."""

import random
import signal
import socket
import threading
import time
import unittest

from cluster import Cluster, ReplyError, encoded, pairs

BUSY = "BUSY this node is overloaded, try again later"


class Pipelining(threading.Thread):
    """A client that sends `load` as one pipeline and counts the lines of its answer."""

    def __init__(self, port, load, lines):
        super().__init__()
        self.port = port
        self.load = load
        self.lines = lines
        self.ok = 0
        self.busy = 0

    def run(self):
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            sender = threading.Thread(target=connection.sendall, args=(self.load,))
            sender.start()
            left = self.lines
            rest = b""
            while left > 0:
                rest += connection.recv(1 << 16)
                *lines, rest = rest.split(b"\r\n")
                left -= len(lines)
                self.ok += sum(line == b"+OK" for line in lines)
                self.busy += sum(line == b"-" + BUSY.encode() for line in lines)
            sender.join()


def info(node, section, name):
    with node.connect() as connection:
        text = connection.call("INFO", section).decode()
    return int(dict(line.split(":", 1) for line in text.splitlines() if ":" in line)[name])


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in %d s" % seconds)
        time.sleep(0.05)


class Fairness(unittest.TestCase):

    def latencies_beside_a_pipeline(self, cluster):
        node = cluster.nodes[0]
        with node.connect() as connection:
            connection.call("SET", "single", "v")
        count = 100000
        load = b"".join(encoded("SET", "k%d" % (i % 1000), "v") for i in range(count))
        took = []
        # One after the other, for enough questions that the 99th percentile is not the worst of all.
        for _ in range(4):
            pipelining = Pipelining(node.port, load, count)
            with node.connect() as single:
                pipelining.start()
                while pipelining.is_alive():
                    began = time.monotonic()
                    single.call(*random.choice([("GET", "single"), ("PING",)]))
                    took.append(time.monotonic() - began)
                    time.sleep(0.001)
            pipelining.join()
            self.assertEqual((pipelining.ok, pipelining.busy), (count, 0))
        took.sort()
        print("beside 100000 pipelined SETs, %d node(s): %d asked, p50 %.1f ms, p99 %.1f ms" % (
            len(cluster.nodes), len(took), 1e3 * took[len(took) // 2],
            1e3 * took[len(took) * 99 // 100]))
        return took

    def test_a_single_command_does_not_wait_for_a_pipeline(self):
        with Cluster(1) as cluster:
            took = self.latencies_beside_a_pipeline(cluster)
            self.assertLess(took[len(took) * 99 // 100], 0.05)

    def test_nor_in_a_ring_of_three(self):
        with Cluster(3) as cluster:
            took = self.latencies_beside_a_pipeline(cluster)
            self.assertLess(took[len(took) * 95 // 100], 0.1)


class ClientsThatDoNotRead(unittest.TestCase):

    def fill(self, node):
        """A client that asks for 64 MB and reads none of it."""
        with node.connect() as connection:
            connection.call("SET", "large", b"x" * (1 << 20))
        greedy = socket.create_connection(("127.0.0.1", node.port), 20)
        greedy.sendall(encoded("CLIENT", "SETNAME", "greedy") + 64 * encoded("GET", "large"))
        return greedy

    def greedy_line(self, node):
        with node.connect() as connection:
            lines = connection.call("CLIENT", "LIST").decode().splitlines()
        found = [dict(word.split("=", 1) for word in line.split()) for line in lines]
        return next((line for line in found if line["name"] == "greedy"), None)

    def test_without_a_limit_it_is_not_served_on(self):
        with Cluster(1) as cluster:
            node = cluster.nodes[0]
            with self.fill(node):
                wait_until(lambda: int((self.greedy_line(node) or {"omem": 0})["omem"]) > 0)
                time.sleep(0.5)
                line = self.greedy_line(node)
                self.assertLess(int(line["obl"]) + int(line["omem"]), 36 << 20)
                with node.connect() as other:
                    self.assertEqual(other.call("PING"), "PONG")

    def test_reads_in_flight_count_before_their_replies_are_there(self):
        with Cluster(3) as cluster:
            node = cluster.nodes[0]
            with node.connect() as connection:
                connection.call("SET", "large", b"x" * (1 << 20))
            before = info(node, "memory", "used_memory_rss")
            with socket.create_connection(("127.0.0.1", node.port), 20) as greedy:
                greedy.sendall(1000 * encoded("GET", "large"))
                time.sleep(2)
                self.assertLess(info(node, "memory", "used_memory_rss") - before, 250 << 20)
                with node.connect() as other:
                    self.assertEqual(other.call("PING"), "PONG")

    def test_past_its_limit_it_is_closed_and_counted(self):
        with Cluster(1, client_output_buffer_limit="normal 8mb 0 0") as cluster:
            node = cluster.nodes[0]
            closed = "client_output_buffer_limit_disconnections"
            self.assertEqual(info(node, "stats", closed), 0)
            with self.fill(node):
                wait_until(lambda: info(node, "stats", closed) == 1)
                self.assertIsNone(self.greedy_line(node))
            self.assertIn("past its limit", node.log())
            with node.connect() as other:
                other.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 1mb 1")
                with self.fill(node):
                    wait_until(lambda: info(node, "stats", closed) == 2)
                self.assertEqual(node.status("output-limit-closes"), 2)


class PeersThatStandStill(unittest.TestCase):

    def test_one_costs_the_others_no_memory(self):
        with Cluster(3, engine="memory") as cluster:
            still, *others = cluster.nodes
            value = b"x" * 65536

            def write(node, seconds):
                failed = 0
                done = 0
                end = time.monotonic() + seconds
                with node.connect() as connection:
                    while time.monotonic() < end:
                        answer = connection.ask("SET", "k%d" % (done % 50), value)
                        failed += isinstance(answer, ReplyError)
                        done += 1
                return done, failed

            write(others[0], 1)
            before = [info(node, "memory", "used_memory_rss") for node in others]
            still.process.send_signal(signal.SIGSTOP)
            try:
                done, failed = write(others[0], 4)
                after = [info(node, "memory", "used_memory_rss") for node in others]
            finally:
                still.process.send_signal(signal.SIGCONT)
            self.assertGreater(done, 20)
            self.assertLess(failed, 3)
            for grown in (b - a for a, b in zip(before, after)):
                self.assertLess(grown, 100 << 20)

    def test_a_node_whose_queue_stays_old_says_busy(self):
        with Cluster(3) as cluster:
            node, *still = cluster.nodes
            for peer in still:
                peer.process.send_signal(signal.SIGSTOP)
            count = 3000
            try:
                clients = [Pipelining(node.port, b"".join(
                    encoded("SET", "c%d:%d" % (number, i), "v") for i in range(count)), count)
                           for number in range(8)]
                for client in clients:
                    client.start()
                with node.connect() as other:
                    while any(client.is_alive() for client in clients):
                        began = time.monotonic()
                        self.assertEqual(other.call("PING"), "PONG")
                        self.assertLess(time.monotonic() - began, 0.5)
                        time.sleep(0.02)
                    refused = sum(client.busy for client in clients)
                    self.assertGreater(refused, 0)
                    status = pairs(other.call("DYN.STATUS"))
                    self.assertGreaterEqual(status["busy-refusals"], refused)
            finally:
                for peer in still:
                    peer.process.send_signal(signal.SIGCONT)
            cluster.wait_ready()
            self.assertEqual(info(node, "stats", "cartwheel_busy_refusals"), refused)
            deadline = time.monotonic() + 5
            while "commands got -BUSY" not in node.log() and time.monotonic() < deadline:
                time.sleep(0.1)
            self.assertRegex(node.log(), r"warning: \d+ commands got -BUSY: .*busy-refusals")
            with node.connect() as other:
                self.assertEqual(other.call("SET", "after", "v"), "OK")


if __name__ == "__main__":
    unittest.main()
