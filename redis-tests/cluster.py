"""Real Cartwheel nodes for the black box tests: starts them on free ports, waits until they serve,
ends them by pid, removes their directories. And a bare RESP connection that keeps replies as the
bytes they were, so that tests can compare them exactly.

CARTWHEEL names the binary (default: build/cartwheel of this checkout)."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("CARTWHEEL", os.path.join(ROOT, "build", "cartwheel"))
START_SECONDS = 30


def free_ports(count):
    """Ports nobody listens on now. All are held at once, so that they differ."""
    held = []
    try:
        for _ in range(count):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            held.append(listener)
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()


class ReplyError(Exception):
    """An error reply: its line without the leading '-'."""


def encoded(*arguments):
    """A command's bytes: an array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        if not isinstance(argument, bytes):
            argument = str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
    return b"".join(parts)


class Connection:
    """A client connection that sends arrays of bulk strings and reads RESP2 and RESP3."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, *arguments):
        self.socket.sendall(encoded(*arguments))

    def _fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("closed by the server")
        self.buffer += data

    def closed_by_server(self):
        """True when the server closes the connection without another byte."""
        try:
            self._fill()
        except (ConnectionError, OSError):
            return True
        return False

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _take(self, count):
        while len(self.buffer) < count:
            self._fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read(self):
        """(raw bytes, value) of one reply. An error is a ReplyError as value."""
        line = self._line()
        raw = line + b"\r\n"
        kind, text = line[:1], line[1:]
        if kind == b"+":
            return raw, text.decode()
        if kind == b"-":
            return raw, ReplyError(text.decode(errors="replace"))
        if kind in b":(":
            return raw, int(text)
        if kind == b"_":
            return raw, None
        if kind == b"#":
            return raw, text == b"t"
        if kind == b",":
            return raw, float(text)
        if kind in b"$=!":
            length = int(text)
            if length < 0:
                return raw, None
            data = self._take(length + 2)
            value = data[:-2]
            return raw + data, value[4:] if kind == b"=" else value
        if kind in b"*~>":
            if int(text) < 0:
                return raw, None
            values = []
            for _ in range(int(text)):
                part, value = self.read()
                raw += part
                values.append(value)
            return raw, values
        if kind == b"%":
            pairs = {}
            for _ in range(int(text)):
                key_raw, key = self.read()
                value_raw, value = self.read()
                raw += key_raw + value_raw
                pairs[key] = value
            return raw, pairs
        raise ValueError("not RESP: %r" % line)

    def raw(self, *arguments):
        """The reply's bytes."""
        self.send(*arguments)
        return self.read()[0]

    def call(self, *arguments):
        """The reply's value; an error reply raises."""
        value = self.ask(*arguments)
        if isinstance(value, ReplyError):
            raise value
        return value

    def ask(self, *arguments):
        """The reply's value, an error reply as a value too."""
        self.send(*arguments)
        return self.read()[1]


def pairs(flat):
    """A RESP2 map (or already a RESP3 one) as a dictionary with text keys."""
    if not isinstance(flat, dict):
        flat = dict(zip(flat[::2], flat[1::2]))
    return {key.decode() if isinstance(key, bytes) else key: value for key, value in flat.items()}


class Node:
    """One process."""

    def __init__(self, port, bus_port, directory, seeds, options):
        self.port = port
        self.bus_port = bus_port
        self.directory = directory
        self.seeds = seeds
        self.options = options
        self.process = None
        self.log_path = directory + ".log"
        self.environment = {}  # besides what this process has

    def start(self):
        command = [BINARY, "--port", str(self.port), "--bus-port", str(self.bus_port),
                   "--dir", self.directory]
        if self.seeds:
            command += ["--seeds", self.seeds]
        for name, value in self.options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL,
                                            env=dict(os.environ, **self.environment))

    def connect(self, timeout=20):
        return Connection(self.port, timeout)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def kill(self):
        """kill -9, as a crash."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end()

    def wait_end(self, seconds=15):
        """The exit status of a process that ends by itself; None when it had to be killed."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        self.process = None
        return status

    def serves(self):
        """True when it takes commands on data."""
        if self.process.poll() is not None:
            raise RuntimeError("node on port %d ended:\n%s" % (self.port, self.log()))
        try:
            with self.connect(5) as connection:
                return not isinstance(connection.ask("GET", "cluster.py"), ReplyError)
        except OSError:
            return False

    def id(self):
        with self.connect() as connection:
            return connection.call("CLUSTER", "MYID").decode()

    def status(self, name):
        """A number of DYN.STATUS."""
        with self.connect() as connection:
            return pairs(connection.call("DYN.STATUS"))[name]

    def ready(self, members):
        """True when it serves data, and its ring is at rest, with `members` nodes that are alive."""
        if not self.serves():
            return False
        try:
            with self.connect(5) as connection:
                nodes = [pairs(node) for node in connection.call("DYN.NODES")]
                phase = pairs(connection.call("DYN.STATUS"))["ring-phase"]
        except (OSError, ReplyError):
            return False
        return phase == 0 and len(nodes) == members and all(
            node["alive"] == 1 and node["status"] == b"normal" for node in nodes)


class Cluster:
    """`count` nodes in a temporary directory; a context manager. An option that is a list has a
    value for each node."""

    def __init__(self, count=3, **options):
        self.directory = tempfile.mkdtemp(prefix="cartwheel-test-")
        ports = free_ports(2 * count)
        clients, buses = ports[:count], ports[count:]
        known = options.get("announce_bus_port", buses)
        seeds = ",".join("127.0.0.1:%d" % port for port in known) if count > 1 else ""
        self.added = 0

        def options_of(i):
            return {name: value[i] if isinstance(value, list) else value
                    for name, value in options.items()}
        self.nodes = [Node(clients[i], buses[i], os.path.join(self.directory, "node%d" % i), seeds,
                           options_of(i)) for i in range(count)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.stop()

    def start(self):
        try:
            for node in self.nodes:
                node.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def new_node(self, seeds=None, **options):
        """A node that is not started yet, nor one of `nodes`, which are its seeds if there are no
        others."""
        self.added += 1
        port, bus_port = free_ports(2)
        if seeds is None:
            seeds = ",".join("127.0.0.1:%d" % node.bus_port for node in self.nodes)
        return Node(port, bus_port, os.path.join(self.directory, "new%d" % self.added), seeds,
                    options)

    def add(self, **options):
        """A further node, started: it joins the ring."""
        node = self.new_node(**options)
        self.nodes.append(node)
        node.start()
        return node

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        for node in self.nodes:
            while not node.ready(len(self.nodes)):
                if time.monotonic() > deadline:
                    raise RuntimeError("no ring of %d after %d s:\n%s" % (
                        len(self.nodes), START_SECONDS, "\n".join(n.log() for n in self.nodes)))
                time.sleep(0.05)

    def stop(self):
        for node in self.nodes:
            if node.process is not None:
                node.process.send_signal(signal.SIGTERM)
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class WithThreeNodes(unittest.TestCase):
    """Tests that share a ring of three: `cluster`, and the `ports` of its nodes."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3).start()
        cls.ports = [node.port for node in cls.cluster.nodes]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def run_tool(self, *command, text=None, timeout=120):
        """What a program that must succeed prints."""
        words = [str(word) for word in command]
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=timeout,
                              check=False)
        self.assertEqual(done.returncode, 0, (command, done.stdout[-2000:], done.stderr[-2000:]))
        return done.stdout


class RedisServer:
    """A redis-server without persistence, for comparison."""

    def __init__(self, *options):
        self.directory = tempfile.mkdtemp(prefix="redis-test-")
        self.port = free_ports(1)[0]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no", "--dir",
             self.directory, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                Connection(self.port, 5).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    self.stop()
                    raise
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def connect(self):
        return Connection(self.port)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
