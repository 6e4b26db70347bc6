"""Bad and unusual bytes: the same are sent to redis-server and to a node, cut in several ways, and
what comes back until the connection is closed must be the same. What differs on purpose
(docs/redis-compatibility.md) is tested below, by itself."""

import concurrent.futures
import random
import shutil
import socket
import time
import unittest

from cluster import Cluster, RedisServer

ECHO = b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n"
PING = b"*1\r\n$4\r\nPING\r\n"
LONG = 64 << 10  # longest line

# Each is sent alone, then behind a PING and before another.
BY_HAND = [
    # nothing to answer
    b"", b"\r\n", b"\n", b"\n\n\r\n", b"\r\r\n", b" \r\n", b" \t \v\f\r\n", b"*0\r\n", b"*-1\r\n",
    b"*-10\r\n", b"*-9223372036854775808\r\n", b"*0\r\n*0\r\n\r\n*-1\r\n",
    # counts of arguments
    b"*\r\n", b"*x\r\n", b"*1x\r\n", b"*+1\r\n", b"* 1\r\n", b"*1 \r\n", b"*01\r\n", b"*00\r\n",
    b"*-0\r\n", b"*--1\r\n", b"*-\r\n", b"*1.0\r\n", b"*0x1\r\n", b"*2147483648\r\n",
    b"*9223372036854775807\r\n", b"*9223372036854775808\r\n", b"*-9223372036854775809\r\n",
    b"*18446744073709551617\r\n", b"*99999999999999999999999\r\n", b"*3\n", b"*3\n\r\n",
    b"*1\r$4\r\nPING\r\n", b"*1\rx$4\r\nPING\r\n", b"*1\r\r$4\r\nPING\r\n", b"*\r", b"*1\r", b"*",
    b"**1\r\n", b"*$1\r\n",
    # what stands before an argument
    b"*1\r\nfoo\r\n", b"*1\r\n+PING\r\n", b"*1\r\n:1\r\n", b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\n\r\n", b"*1\r\n\n\r\n", b"*1\r\n \r\n", b"*1\r\nf", b"*1\r\nf\r", b"*1\r\n\xff\r\n",
    b"*1\r\n\x80x\r\n", b"*1\r\n'\r\n", b"*1\r\n%\r\n", b"*1\r\n\\\r\n", b"*1\r\n\x01\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\r\n",
    b"*2\r\n$4\r\nPING\r\n\r\n$2\r\nhi\r\n",
    # lengths of arguments
    b"*1\r\n$\r\n", b"*1\r\n$x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$-0\r\n", b"*1\r\n$+4\r\nPING\r\n",
    b"*1\r\n$04\r\nPING\r\n", b"*1\r\n$ 4\r\nPING\r\n", b"*1\r\n$4 \r\nPING\r\n",
    b"*1\r\n$4x\r\nPING\r\n", b"*1\r\n$-9223372036854775808\r\n",
    b"*1\r\n$9223372036854775807\r\n", b"*1\r\n$9223372036854775808\r\n",
    b"*1\r\n$2000000000\r\n", b"*1\r\n$1099511627776\r\n", b"*1\r\n$blabla\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n", b"*1\r\n$99999999999999999999999\r\n",
    b"*1\r\n$4\rxPING\r\n", b"*1\r\n$4\r$PING\r\n", b"*1\r\n$4\r\rPING\r\n", b"*1\r\n$4\nPING\r\n",
    b"*1\r\n$4", b"*1\r\n$4\r", b"*1\r\n$4\r\nPI", b"*1\r\n$4\r\nPING", b"*1\r\n$4\r\nPING\r",
    # what follows an argument is not looked at
    b"*1\r\n$4\r\nPINGxx", b"*1\r\n$4\r\nPINGxx" + PING, b"*1\r\n$4\r\nPING\n\n" + ECHO,
    b"*1\r\n$3\r\nPING\r\n", b"*1\r\n$5\r\nPING\r\n\r\n", b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    b"*1\r\n$0\r\n\r\n", b"*2\r\n$0\r\n\r\n$1\r\nx\r\n",
    # names and arguments with odd bytes
    b"*2\r\n$4\r\nECHO\r\n$5\r\na\x00\r\nb\r\n", b"*1\r\n$5\r\nPI\x00NG\r\n",
    b"*1\r\n$4\r\nno\r\n\r\n", b"*2\r\n$4\r\nnope\r\n$4\r\na\r\nb\r\n",
    b"*3\r\n$4\r\nnope\r\n$4\r\na\x00bc\r\n$1\r\nd\r\n", b"*1\r\n$3\r\n\xff\xfe\x80\r\n",
    b"*3\r\n$3\r\nSET\r\n$3\r\na\x00b\r\n$4\r\n\x00\r\n\x00\r\n*2\r\n$3\r\nGET\r\n$3\r\na\x00b\r\n"
    b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
    b"*2\r\n$4\r\nnope\r\n$200\r\n" + 200 * b"y" + b"\r\n",
    b"*1\r\n$200\r\n" + 200 * b"z" + b"\r\n", b"*1\r\n$40\r\n" + 20 * b"\r\n" + b"\r\n",
    b"*4\r\n$4\r\nnope\r\n$100\r\n" + 100 * b"a" + b"\r\n$100\r\n" + 100 * b"b" + b"\r\n$1\r\nc\r\n",
    # inline
    b"PING\r\n", b"PING\n", b"PING", b"ping\r\r\n", b"  PING  \r\n", b"\tPING\t\r\n", b"ECHO a b\r\n",
    b"ECHO \"a b\"\r\n", b"ECHO 'a b'\r\n", b"ECHO \"\"\r\n", b"ECHO ''\r\n", b"\"PING\"\r\n",
    b"'PING'\r\n", b"\"\"\r\n", b"\"\" a\r\n", b"ECHO \"\\x41\\x0a\\x00\\xzz\\x4\"\r\n",
    b"ECHO \"\\n\\r\\t\\b\\a\\q\\\\\\\"\"\r\n", b"ECHO '\\n\\'\\x41'\r\n", b"ECHO a\\ b\r\n",
    b"ECHO a\"b c\"\r\n", b"ECHO a'b c'\r\n", b"ECHO \"a\"b\r\n", b"ECHO 'a'b\r\n",
    b"ECHO \"a\"\"b\"\r\n", b"ECHO \"a\r\n", b"ECHO 'a\r\n", b"\"\r\n", b"'\r\n", b"a\"\r\n",
    b"ECHO \"a\\\"\r\n", b"ECHO 'a\\'\r\n", b"ECHO \"a\\\r\n", b"ECHO \"a\" \r\n", b"ECHO\va\r\n",
    b"ECHO a\vb\r\n", b"ECHO a\fb\r\n", b"ECHO \"a\"\vx\r\n", b"ECHO \va\r\n", b"\vPING\r\n",
    b"ECHO a\rb\r\n", b"ECHO \"a\rb\"\r\n", b"ECHO \xff\xfe\r\n", b"SET \"a b\" 'c d'\r\nGET 'a b'\r\n",
    b"$4\r\nPING\r\n", b"+OK\r\n", b"-ERR\r\n", b":1\r\n", b"PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n",
    b"\r\n*1\r\n$4\r\nPING\r\n", b"ECHO \"a\nb\"\r\n", b"\x01\x02\r\n", b"ECHO a \"b\r\n",
    b"ECHO \"\\\"\r\n", b"ECHO '\\\\'\r\n", b"ECHO \"\\\\\"\r\n", b"ECHO a\\\r\n", b"ECHO #\r\n",
    # ends of the connection
    b"QUIT\r\nPING\r\n", b"*1\r\n$4\r\nQUIT\r\n*1\r\nx\r\n", b"quit a b\r\nPING\r\n",
    b"HELLO 4\r\nHELLO x\r\nHELLO 3 AUTH\r\n",
    # arity and order
    b"GET\r\nGET a b\r\nSET a\r\nSELECT x\r\nSELECT 99\r\n",
    b"HELLO 3 \"a\\x00b\"\r\nCLIENT \"a\\x00b\"\r\nCONFIG SET \"a\\x00b\" c\r\n",
    b"CLIENT LIST TYPE \"a\\x00b\"\r\n",
    b"*12\r\n" + 12 * b"$1\r\na\r\n", 30 * PING + b"*1\r\n$-1\r\n" + PING,
    b"*1000\r\n$4\r\nECHO\r\n" + 999 * b"$1\r\nx\r\n", b"*1\r\n$-1\r\n" + 30 * PING,
]

# What a web page can make a browser send. Redis may drop what it had answered before.
WEB_PAGES = [
    b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"Host: x\r\n", b"*1\r\n$4\r\npost\r\n", b"posT\r\n",
    b"*3\r\n$5\r\nhOsT:\r\n$1\r\na\r\n$1\r\nb\r\n", b"post\r\n" + PING,
]

# Arguments that are read in a way of their own because they are large.
LARGE = [
    b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (size, bytes(range(256)) * (size // 256)) + after
    for size in (16384, 32768, 65536, 262144) for after in (PING, b"xx", b"*1\r\n$x\r\n", b"\r\n")
]

# Lines that do not end in time.
LONG_LINES = [
    b"*" + LONG * b"1", b"*" + 2 * LONG * b"1", b"*1\r\n$" + 2 * LONG * b"1", 2 * LONG * b"x",
    2 * LONG * b" ", b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n" + 2 * LONG * b"y", b"\"" + 2 * LONG * b"x",
    PING + 2 * LONG * b"x", b"ECHO " + 40000 * b"x" + b"\r\n", b"ECHO '" + 40000 * b"x" + b"\r\n",
    b"*" + 40000 * b"1" + b"\r\n", b"*1\r\n$" + 40000 * b"1" + b"\r\n", 40000 * b" " + b"PING\r\n",
    20000 * b"\r\n" + PING, 30000 * b"*0\r\n" + PING, 30000 * b"*-1\r\n" + b"PING\r\n",
]

WITHOUT_PASSWORD = [
    b"*10\r\n$3\r\nDEL\r\n" + 9 * b"$1\r\na\r\n", b"*11\r\n$3\r\nDEL\r\n", b"*100\r\n$3\r\nSET\r\n",
    b"*2147483647\r\n", b"*2147483648\r\n", b"*1\r\n$16384\r\n" + 16384 * b"x" + b"\r\n", b"*0\r\n",
    b"*1\r\n$16385\r\n", b"*1\r\n$100000000\r\n", b"*1\r\n$2000000000\r\n", b"*1\r\n$-1\r\n",
    b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*11\r\n$3\r\nDEL\r\n" + 10 * b"$1\r\na\r\n",
    b"AUTH secret\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n" + 20000 * b"x" + b"\r\n",
    b"AUTH wrong\r\n*11\r\n", b"AUTH secret\r\nRESET\r\n*11\r\n", b"PING\r\nnope\r\nGET\r\nQUIT\r\n",
    b"HELLO 3 AUTH default wrong\r\n*11\r\n", b"*12\r\n$5\r\nHELLO\r\n",
    b"a b c d e f g h i j k l m n\r\n", b"*1\r\nf\r\n", b"ECHO 'x\r\n", b"*10\r\n$17000\r\n", b"\r\n",
]


def exchange(port, pieces, goes_on=False):
    """What comes back until the server closes; our side is closed when all is sent, or `goes_on`."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = b""
        try:
            for index, piece in enumerate(pieces):
                if index > 0:
                    time.sleep(0.0005)  # so that it comes by itself
                connection.sendall(piece)
            if not goes_on:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has closed; what it said before is to be read yet
        try:
            while data := connection.recv(1 << 16):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def cut(data, generator):
    """Pieces of it, at most six."""
    places = sorted(generator.randrange(len(data) + 1) for _ in range(generator.randrange(1, 6)))
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)]) if end > begin]


def cuts(data, generator):
    """Ways to send it: whole, each byte by itself if that is soon done, anyhow."""
    yield [data]
    if 1 < len(data) <= 60:
        yield [data[i:i + 1] for i in range(len(data))]
    if data:
        yield cut(data, generator)


def generated(generator):
    """A few commands, right ones and wrong ones, often with some bytes changed."""
    words = [b"PING", b"ECHO", b"GET", b"nope", b"a", b"", b"x y", b"\"q\"", b"'s'", b"\\x41", b"1",
             b"\r\n", b"\xff", b"\\", b"*", b"$"]
    numbers = [b"0", b"1", b"2", b"3", b"4", b"-1", b"", b"01", b"x", b"1.5", b"11", b" 2", b"-0"]

    def bulk(word):
        length = b"%d" % len(word)
        if generator.random() < 0.1:
            length = generator.choice(numbers)
        return b"$" + length + b"\r\n" + word + b"\r\n"

    def command():
        chosen = [generator.choice(words[:4])] + generator.choices(words, k=generator.randrange(4))
        if generator.random() < 0.4:
            return b" ".join(chosen) + generator.choice([b"\r\n", b"\n", b""])
        count = b"%d" % len(chosen)
        if generator.random() < 0.1:
            count = generator.choice(numbers)
        return b"*" + count + b"\r\n" + b"".join(map(bulk, chosen))

    data = bytearray(b"".join(command() for _ in range(generator.randrange(1, 5))))
    for _ in range(generator.choice([0, 0, 1, 1, 2, 5])):
        place = generator.randrange(len(data) + 1)
        kind = generator.randrange(3)
        new = generator.choice(b"\r\n\r\n*$ \t\"'\\0123456789-+abx\v\f\x01\x80\xff")
        if kind == 0:
            data[place:place] = bytes([new])
        elif kind == 1:
            data[place:place + 1] = bytes([new])
        else:
            del data[place:place + 1]
    return bytes(data)


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class SameBytesAsRedis(unittest.TestCase):

    password = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1).start()
        cls.node = cls.cluster.nodes[0]
        cls.redis = RedisServer()
        if cls.password:
            for server in (cls.redis, cls.node):
                with server.connect() as connection:
                    connection.call("CONFIG", "SET", "requirepass", cls.password)

    @classmethod
    def tearDownClass(cls):
        cls.redis.stop()
        cls.cluster.stop()

    def compare(self, ways):
        """`ways`: lists of pieces. Many connections at once: each mostly waits."""
        def one(pieces):
            return exchange(self.redis.port, pieces), exchange(self.node.port, pieces)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(one, ways))
        differences = ["%r in %d pieces\n  redis     %r\n  cartwheel %r" % (
            b"".join(pieces)[:400], len(pieces), theirs[-300:], ours[-300:])
            for pieces, (theirs, ours) in zip(ways, answers) if theirs != ours]
        self.assertEqual(differences, [], "\n" + "\n".join(differences[:40]))
        return [theirs for theirs, _ in answers]


class RightAndWrong(SameBytesAsRedis):

    def test_by_hand(self):
        generator = random.Random(1)
        ways = []
        for data in BY_HAND:
            ways += cuts(data, generator)
            ways += cuts(PING + data + PING, generator)
        self.compare(ways)

    def test_in_resp3(self):
        # HELLO's own reply differs.
        def after_hello(port, pieces):
            return exchange(port, [b"HELLO 3\r\n" + pieces[0], *pieces[1:]]).split(b"modules", 1)[1]
        for data in (b"GET none\r\n*1\r\nx\r\n", b"nope\r\n'\r\n", b"*1\r\n$-1\r\n"):
            theirs = after_hello(self.redis.port, [data])
            ours = after_hello(self.node.port, [data])
            self.assertTrue(ours.endswith(theirs.removeprefix(b"\r\n*0\r\n")), (theirs, ours))

    def test_web_pages(self):
        generator = random.Random(2)
        for answer in self.compare([way for data in WEB_PAGES for way in cuts(data, generator)]):
            self.assertEqual(answer, b"")

    def test_large_arguments(self):
        generator = random.Random(3)
        self.compare([way for data in LARGE for way in cuts(data, generator)])

    def test_long_lines(self):
        generator = random.Random(4)
        self.compare([way for data in LONG_LINES for way in cuts(data, generator)])

    def test_generated(self):
        seed = random.randrange(1 << 32)
        print("seed %d" % seed)
        generator = random.Random(seed)
        self.compare([way for _ in range(1500) for way in cuts(generated(generator), generator)])

    def test_an_error_closes_the_connection_though_the_client_would_go_on(self):
        texts = set()
        for data in BY_HAND + LONG_LINES + WEB_PAGES:
            theirs = exchange(self.redis.port, [data])
            if b"-ERR Protocol error: " not in theirs and data not in WEB_PAGES:
                continue
            self.assertEqual(exchange(self.node.port, [data], goes_on=True), theirs, data)
            texts.add(theirs.split(b"Protocol error: ")[-1].split(b"'")[0])
        self.assertEqual(len(texts), 8, texts)  # all that may be said, and nothing


class WithoutPassword(SameBytesAsRedis):

    password = "secret"

    def test_by_hand(self):
        generator = random.Random(5)
        ways = [way for data in WITHOUT_PASSWORD for way in cuts(data, generator)]
        ways += [[data] for data in BY_HAND]
        texts = b"".join(self.compare(ways))
        self.assertIn(b"-ERR Protocol error: unauthenticated multibulk length\r\n", texts)
        self.assertIn(b"-ERR Protocol error: unauthenticated bulk length\r\n", texts)


class DifferentOnPurpose(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1, proto_max_bulk_len=1 << 20).start()
        cls.node = cls.cluster.nodes[0]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def test_a_nul_is_a_byte_of_its_line(self):
        # Redis takes the line to end there and waits for more.
        for data, answer in (
                (b"ECHO a\x00b\r\n", b"$3\r\na\x00b\r\n"),
                (b"SET \x00 '\x00 \x00'\r\nGET \x00\r\n", b"+OK\r\n$3\r\n\x00 \x00\r\n"),
                (b"*1\x00\r\n$4\r\nPING\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
                (b"*1\r\n$4\x00\r\nPING\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
                (b"\x00\r\n", b"-ERR unknown command '', with args beginning with: \r\n"),
                (b"*1\r\n\x00\r\n", b"-ERR Protocol error: expected '$', got '\x00'\r\n")):
            for pieces in ([data], [data[i:i + 1] for i in range(len(data))]):
                self.assertEqual(exchange(self.node.port, pieces), answer, data)

    def test_a_long_argument_costs_its_command_alone(self):
        large = 1 << 20
        data = b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$%d\r\n%s\r\n"
        refused = b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
        data = (data % (large, large * b"x") + data % (large + 1, large * b"y" + b"z") +
                b"STRLEN x\r\n" + b"*1\r\n$%d\r\n" % (1 << 31))
        answer = (b"+OK\r\n" + refused + b":%d\r\n" % large +
                  b"-ERR Protocol error: invalid bulk length\r\n")
        for way in cuts(data, random.Random(1)):
            self.assertEqual(exchange(self.node.port, way), answer)

    def test_a_line_over_64_kib_is_refused_however_it_comes(self):
        line = b"ECHO " + (LONG - 6) * b"x"
        self.assertEqual(exchange(self.node.port, [line + b"\r\n"])[:7], b"$65530\r")
        for pieces in ([line + b"xx\r\n"], [line, b"xx", b"\r\n"]):
            self.assertEqual(exchange(self.node.port, pieces),
                             b"-ERR Protocol error: too big inline request\r\n")

    def test_arguments_are_counted(self):
        self.assertEqual(exchange(self.node.port, [b"*16777217\r\n"]),
                         b"-ERR Protocol error: invalid multibulk length\r\n")

    def test_what_was_answered_before_a_web_page_comes_is_sent(self):
        self.assertEqual(exchange(self.node.port, [PING + WEB_PAGES[0] + PING]), b"+PONG\r\n")


if __name__ == "__main__":
    unittest.main()
