"""Starts and stops what bench/run_bench measures: redis-server and Cartwheel nodes on free ports of
127.0.0.1, each with a directory of its own under one temporary directory. Every process is ended by
its pid, whatever happens."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS = 60
STOP_SECONDS = 60  # a node with millions of keys has a checkpoint to finish


class Failure(Exception):
    """The bench cannot go on; the message says why, in one line."""


def free_ports(count):
    """Ports nobody listens on now; all are held at once, so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for listener in held:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()


def ask(port, line, seconds=2):
    """The first bytes of the reply to one inline command."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(line.encode() + b"\r\n")
        return connection.recv(65536).decode(errors="replace")


def status(port):
    """DYN.STATUS as a dictionary."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"DYN.STATUS\r\n")
        lines = connection.makefile("rb")
        count = int(lines.readline()[1:])
        values = []
        for _ in range(count):
            head = lines.readline()
            values.append(int(head[1:]) if head[:1] == b":" else lines.readline().strip().decode())
        return dict(zip(values[::2], values[1::2]))


def memory_kib(pid, field):
    """VmRSS or VmHWM of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise Failure(f"no {field} of process {pid}")


class Process:
    """One server process."""

    def __init__(self, name, command, port, directory):
        self.name, self.port, self.directory = name, port, directory
        os.makedirs(directory)
        self.log_path = directory + ".log"
        self.command = command
        self.begin()

    def begin(self):
        """Starts the process, for the first time or again over its data."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    def is_ready(self, nodes):
        """Serves, and knows that many nodes."""
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with status {self.process.returncode}: "
                          + self.log_end())
        try:
            return (ask(self.port, "PING").startswith("+PONG")
                    and ask(self.port, "SET bench:ready 1").startswith("+OK")
                    and ask(self.port, "DEL bench:ready").startswith(":")
                    and (nodes == 1 or
                         f"cluster_known_nodes:{nodes}" in ask(self.port, "CLUSTER INFO")))
        except OSError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"{self.name} did not stop within {STOP_SECONDS} s") from None
        if status != 0:
            raise Failure(f"{self.name} ended with status {status}: " + self.log_end())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log_end(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return " | ".join(log.read().splitlines()[-5:]) or "(nothing logged)"


class Proxy:
    """redis-tests/fault_proxy between the buses of nodes, with a delay each way."""

    def __init__(self, program, announced, buses):
        self.process = subprocess.Popen(
            [program, *(f"{port}:{bus}" for port, bus in zip(announced, buses))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect_ok("start")

    def delay(self, milliseconds):
        self.process.stdin.write(f"delay * * {milliseconds}\n")
        self.process.stdin.flush()
        self.expect_ok("delay")

    def expect_ok(self, what):
        if self.process.stdout.readline().strip() != "ok":
            raise Failure(f"fault_proxy: no {what}")

    def end(self):
        self.process.kill()
        self.process.communicate()


class Stage:
    """What runs now. A context manager: at its end nothing runs and the directory is gone."""

    def __init__(self, cartwheel, parent):
        self.cartwheel = cartwheel
        self.root = tempfile.mkdtemp(prefix="cartwheel-bench-", dir=parent)
        self.running = []
        self.seeds = ""  # of the nodes of ours that run
        self.proxy = None
        self.started = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for process in self.running:
            process.kill()
        self.end_proxy()
        shutil.rmtree(self.root, ignore_errors=True)

    def end_proxy(self):
        if self.proxy is not None:
            self.proxy.end()
            self.proxy = None

    def _start(self, name, command, port):
        self.started += 1
        directory = os.path.join(self.root, f"{self.started}-{name}")
        self.running.append(Process(name, [part.replace("DIR", directory) for part in command],
                                    port, directory))

    def start(self, kind, extra=(), fault_proxy=None, delay_ms=0):
        """`redis`, `redis-always`, `one`, `three`, `three-always` or `five`; returns its processes,
        which serve. `extra` are further options of each Cartwheel node. With a `fault_proxy`, the
        program's path, what one node sends another takes `delay_ms`."""
        if kind.startswith("redis"):
            fsync = "always" if kind == "redis-always" else "everysec"
            (port,) = free_ports(1)
            self._start(kind, ["redis-server", "--port", str(port), "--dir", "DIR", "--save", "",
                               "--appendonly", "yes", "--appendfsync", fsync], port)
        else:
            count = {"one": 1, "five": 5}.get(kind, 3)
            ports = free_ports(2 * count)
            clients, buses = ports[:count], ports[count:]
            announced = free_ports(count) if fault_proxy else buses
            if fault_proxy:
                self.proxy = Proxy(fault_proxy, announced, buses)
            self.seeds = ",".join(f"127.0.0.1:{bus}" for bus in announced)
            options = (["--n", "1", "--r", "1", "--w", "1"] if kind == "one"
                       else ["--seeds", self.seeds])
            if kind.endswith("always"):
                options += ["--fsync", "always"]
            for port, bus, told in zip(clients, buses, announced):
                self._start(f"{kind}-{port}",
                            [self.cartwheel, "--port", str(port), "--bus-port", str(bus),
                             "--announce-bus-port", str(told), "--dir", "DIR", *options, *extra],
                            port)
        self.wait_until_ready()
        if self.proxy is not None:
            self.proxy.delay(delay_ms)
        return self.running

    def join(self):
        """Starts one more node, which joins the others, and returns it."""
        port, bus = free_ports(2)
        self._start(f"joins-{port}", [self.cartwheel, "--port", str(port), "--bus-port", str(bus),
                                      "--dir", "DIR", "--seeds", self.seeds], port)
        return self.running[-1]

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        for process in self.running:
            while not process.is_ready(len(self.running)):
                if time.monotonic() > deadline:
                    raise Failure(f"{process.name} does not serve after {START_SECONDS} s: "
                                  + process.log_end())
                time.sleep(0.05)

    def stop(self):
        """Ends all that runs, as an operator would, and removes its data."""
        try:
            for process in self.running:
                process.process.send_signal(signal.SIGTERM)
            for process in self.running:
                process.stop()
        finally:
            for process in self.running:
                process.kill()
                shutil.rmtree(process.directory, ignore_errors=True)
            self.running = []
            self.end_proxy()
