"""Clients that send 100,000 commands and then no more, a byte now and then, NULs, 512 MB, or rubbish:
each is served or refused, and a client beside them does not notice."""

import os
import random
import socket
import struct
import threading
import time
import unittest

from cluster import Cluster, ReplyError, encoded

MIB = 1 << 20
SANITIZED = bool(os.environ.get("CARTWHEEL_SANITIZE"))


class Beside(threading.Thread):
    """Another client, who asks again and again: the longest that it waited, in seconds."""

    def __init__(self, node):
        super().__init__()
        self.connection = node.connect(60)
        self.worst = 0
        self.asked = 0
        self.done = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.done.set()
        self.join()
        self.connection.close()

    def run(self):
        while self.asked == 0 or not self.done.wait(0.005):
            began = time.monotonic()
            self.connection.call("PING")
            self.worst = max(self.worst, time.monotonic() - began)
            self.asked += 1


def read_all(connection):
    answer = bytearray()
    while data := connection.recv(1 << 18):
        answer += data
    return bytes(answer)


def rss(node):
    """Bytes of memory that the process has."""
    with open("/proc/%d/statm" % node.process.pid, encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return 0


class UnusualClients(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3).start()
        cls.node = cls.cluster.nodes[0]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        self.beside = Beside(self.node)
        self.beside.__enter__()
        self.addCleanup(self.end)

    def end(self):
        self.beside.__exit__()
        # Nobody is harmed: usually some milliseconds; the machine may be busy with other things.
        self.assertLess(self.beside.worst, 2)

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.node.port), 60)

    def test_all_of_100000_commands_are_answered_after_the_client_closed_its_side(self):
        counts = [0] * 100
        commands, answers = [], []
        for i in range(100000):
            key = i % 100
            kind = i % 4
            if kind == 0:
                commands.append(encoded("ECHO", i))
                answers.append(b"$%d\r\n%d\r\n" % (len(str(i)), i))
            elif kind == 1:
                counts[key] += 1
                commands.append(encoded("INCR", "half:%d" % key))
                answers.append(b":%d\r\n" % counts[key])
            elif kind == 2:
                commands.append(b"GET half:none:%d\n" % i)
                answers.append(b"$-1\r\n")
            else:
                commands.append(b"nope\r\n\r\n*0\r\n")
                answers.append(b"-ERR unknown command 'nope', with args beginning with: \r\n")
        with self.dial() as connection:
            connection.sendall(b"".join(commands))
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.3)  # the answers wait for who does not read yet
            self.assertTrue(read_all(connection) == b"".join(answers))

    def test_large_answers_come_after_the_client_closed_its_side(self):
        value = os.urandom(MIB)
        with self.dial() as connection:
            connection.sendall(encoded("SET", "half:large", value) +
                               48 * encoded("GET", "half:large") + b"*3\r\n$3\r\nSET\r\n$1\r\nx")
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
            answer = read_all(connection)
        self.assertTrue(answer == b"+OK\r\n" + 48 * (b"$%d\r\n%s\r\n" % (MIB, value)))

    def test_a_byte_now_and_then(self):
        slow = [self.dial() for _ in range(50)]
        sent = [encoded("SET", "slow:%d" % i, "v") + b"GET slow:%d\r\n\r\nECHO 'a b'\r\n" % i
                for i in range(len(slow))]
        for at in range(max(map(len, sent))):
            for connection, data in zip(slow, sent):
                connection.sendall(data[at:at + 1])
            time.sleep(0.02)
        for connection in slow:
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(connection), b"+OK\r\n$1\r\nv\r\n$3\r\na b\r\n")
            connection.close()

    def test_nuls_in_keys_and_values(self):
        keys = [b"\x00", b"\x00\x00", b"a\x00", b"a\x00b", b"\x00a", b"a"]
        with self.node.connect() as connection:
            for key in keys:
                connection.call("SET", b"nul:" + key, key + b"\x00\r\n\x00")
            for key in keys:
                self.assertEqual(connection.call("GET", b"nul:" + key), key + b"\x00\r\n\x00")
            self.assertEqual(connection.call("APPEND", b"nul:a\x00b", b"\x00"), 8)
            self.assertEqual(sorted(connection.call("KEYS", b"nul:*")),
                             sorted(b"nul:" + key for key in keys))
            self.assertEqual(connection.call("KEYS", b"nul:a\x00?"), [b"nul:a\x00b"])
            self.assertEqual(connection.call("DEL", *[b"nul:" + key for key in keys]), len(keys))
            reply = connection.ask("INCRBY", "nul:n", b"1\x00")
            self.assertEqual(str(reply), "ERR value is not an integer or out of range")

    def test_rubbish_from_many(self):
        generator = random.Random(1)
        for _ in range(300):
            connection = self.dial()
            data = generator.choice([b"", b"*", b"*3\r\n$", b"*2\r\n$3\r\n", b"$", b"\"", b"*-", b"\x00"])
            data += generator.randbytes(generator.choice([1, 10, 1000, 100000]))
            try:
                connection.sendall(data)
                if generator.random() < 0.5:  # goes without a word, with bytes still on their way
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
            except OSError:
                pass  # closed for what it said
            connection.close()
        deadline = time.monotonic() + 10
        while self.clients() > 2:
            self.assertLess(time.monotonic(), deadline, "connections stay")
            time.sleep(0.05)

    def clients(self):
        with self.node.connect() as connection:
            return len(connection.call("CLIENT", "LIST").splitlines())

    @unittest.skipIf(SANITIZED, "measures memory")
    def test_what_is_announced_takes_no_memory_before_it_comes(self):
        before = rss(self.node)
        greedy = [self.dial() for _ in range(100)]
        for connection in greedy:
            connection.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$%d\r\n" % (512 * MIB) + 65536 * b"x")
        many = self.dial()
        many.sendall(b"*16777216\r\n" + 1000 * b"$1\r\nx\r\n")
        time.sleep(1)
        self.assertLess(rss(self.node) - before, 100 * MIB)
        for connection in greedy + [many]:
            connection.close()


class HalfAGigabyte(unittest.TestCase):

    def send(self, connection, size, block):
        connection.sendall(b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n" % size)
        for at in range(0, size, len(block)):
            connection.sendall(block[:size - at])
        connection.sendall(b"\r\n")

    @staticmethod
    def ask(connection, *words):
        """Again while it says -BUSY, which so large a value may bring about."""
        while True:
            answer = connection.ask(*words)
            if not str(answer).startswith("BUSY"):
                return answer
            time.sleep(0.1)

    def check(self, **options):
        block = os.urandom(MIB)
        with Cluster(1, **options) as cluster:
            node = cluster.nodes[0]
            with node.connect(240) as connection, Beside(node) as beside:
                began = time.monotonic()
                self.send(connection.socket, 512 * MIB, block)
                self.assertEqual(connection.read()[1], "OK")
                took = time.monotonic() - began
                self.assertEqual(self.ask(connection, "STRLEN", "large"), 512 * MIB)
                # One byte more is refused, and what is there stays.
                self.send(connection.socket, 512 * MIB + 1, block)
                self.assertEqual(str(connection.read()[1]),
                                 "ERR string exceeds maximum allowed size (proto-max-bulk-len)")
                self.assertEqual(str(self.ask(connection, "APPEND", "large", "x")),
                                 "ERR string exceeds maximum allowed size (proto-max-bulk-len)")
                self.assertEqual(self.ask(connection, "STRLEN", "large"), 512 * MIB)
                held = rss(node)
                self.assertEqual(self.ask(connection, "DEL", "large"), 1)
            print("a SET of 512 MiB, %s: %.1f s, %d MiB held then; beside it %d asked, the longest "
                  "waited %.2f s" % (options["engine"], took, held / MIB, beside.asked, beside.worst))
            # It is copied, hashed and stored in one piece (docs/redis-compatibility.md): 2 to 5 s on
            # an idle machine, 17 s were seen on one with six compilers beside it.
            self.assertLess(beside.worst, 40)
            with node.connect() as connection:
                self.assertEqual(self.ask(connection, "SET", "large", "small"), "OK")
                self.assertEqual(connection.call("GET", "large"), b"small")

    @unittest.skipIf(SANITIZED, "takes those builds very long")
    @unittest.skipIf(available_bytes() < 6 << 30, "needs 6 GiB of memory")
    def test_in_memory(self):
        self.check(engine="memory")

    @unittest.skipIf(SANITIZED, "takes those builds very long")
    @unittest.skipIf(available_bytes() < 8 << 30, "needs 8 GiB of memory")
    def test_on_disk(self):
        self.check(engine="lmdb")


class SmallLimit(unittest.TestCase):

    def test_many_values_over_the_limit_pass_by(self):
        value = 3 * MIB * b"x"
        with Cluster(1, engine="memory", proto_max_bulk_len=2 * MIB) as cluster:
            node = cluster.nodes[0]
            before = rss(node)
            with node.connect(60) as connection, Beside(node) as beside:
                for i in range(50):
                    connection.send("SET", "k%d" % i, value)
                for _ in range(50):
                    self.assertIsInstance(connection.read()[1], ReplyError)
                self.assertEqual(connection.call("DBSIZE"), 0)
                self.assertEqual(connection.call("SET", "k", value[:2 * MIB]), "OK")
            self.assertLess(beside.worst, 1)
            if not SANITIZED:
                self.assertLess(rss(node) - before, 64 * MIB)
            self.assertEqual(node.status("output-limit-closes"), 0)


if __name__ == "__main__":
    unittest.main()
