#!/usr/bin/python3
"""What fault_proxy does to bytes, with a server behind it that echoes."""

import socket
import threading
import time
import unittest

import chaos
import cluster


class Echo:
    """Sends back what comes, one connection at a time."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    while data := connection.recv(1 << 16):
                        connection.sendall(data)
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class FaultProxyTest(unittest.TestCase):

    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.close)
        self.port = cluster.free_ports(1)[0]
        self.proxy = chaos.Program("fault_proxy", "%d:%d" % (self.port, self.echo.port))
        self.addCleanup(self.proxy.close)
        self.proxy.read()
        self.connection = self.connect()

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self.addCleanup(connection.close)
        return connection

    def echoed(self, data, connection=None):
        """Seconds until it came back."""
        connection = connection or self.connection
        start = time.monotonic()
        connection.sendall(data)
        received = b""
        while len(received) < len(data):
            part = connection.recv(1 << 16)
            if not part:
                raise ConnectionError("closed")
            received += part
        self.assertEqual(received, data)
        return time.monotonic() - start

    def expect_silence(self):
        self.connection.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.echoed(b"kept")
        self.connection.settimeout(5)

    def test_bytes_pass_in_order(self):
        self.echoed(b"".join(b"%d," % i for i in range(100000)))

    def test_delay_counts_for_each_way(self):
        self.proxy.ask("delay", "*", "*", 100)
        self.assertGreaterEqual(self.echoed(b"a"), 0.19)
        self.proxy.ask("delay", "*", 0, 0)
        self.assertLess(0.09, self.echoed(b"b"))

    def test_throttle_bounds_bytes_per_second(self):
        self.proxy.ask("throttle", "*", 0, 20000)
        self.assertGreaterEqual(self.echoed(bytes(6000)), 0.29)

    def test_held_bytes_come_when_it_heals(self):
        for way in (("*", 0), (0, "*")):
            self.proxy.ask("hold", *way)
            self.expect_silence()
            self.proxy.ask("heal", *way)
            self.assertEqual(self.connection.recv(4), b"kept")
            self.echoed(b"after")

    def test_a_connection_that_lost_bytes_is_reset_when_it_heals(self):
        self.proxy.ask("swallow", "*", 0)
        self.expect_silence()
        self.proxy.ask("heal", "*", 0)
        with self.assertRaises(ConnectionError):
            self.connection.recv(1)
        self.echoed(b"again", self.connect())

    def test_half_open_resets_and_then_accepts_only(self):
        self.echoed(b"before")
        self.proxy.ask("half-open", 0)
        with self.assertRaises(ConnectionError):
            self.connection.recv(1)
        self.connection = self.connect()
        self.expect_silence()
        self.proxy.ask("heal", "*", 0)
        with self.assertRaises(ConnectionError):
            self.connection.recv(1)
        self.echoed(b"again", self.connect())

    def test_reset_breaks_what_is_there_and_no_more(self):
        self.echoed(b"before")
        self.proxy.ask("reset", "*", 0)
        with self.assertRaises(ConnectionError):
            self.connection.recv(1)
        self.echoed(b"again", self.connect())

    def test_an_unknown_command_is_an_error(self):
        for line in ("frobnicate", "hold 0 7", "node 0 xyz"):
            with self.assertRaisesRegex(RuntimeError, "error"):
                self.proxy.ask(line)


if __name__ == "__main__":
    unittest.main()
