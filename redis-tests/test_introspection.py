"""CONFIG, INFO, SLOWLOG, LATENCY, MEMORY, ACL, DEBUG, FUNCTION, MODULE, ROLE and COMMAND's
subcommands: what can be the same is compared with redis-server byte for byte, the rest by what it
must say."""

import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from cluster import BINARY, Cluster, Connection, RedisServer, ReplyError, free_ports, pairs

# Lines of commands, asked of both servers in this order.
COMMAND = """
    command getkeys get
    command getkeys nosuch a
    command getkeys ping a
    command getkeys get a b
    command getkeys mset a b c d
    command getkeys memory usage k
    command getkeysandflags get a
    command getkeysandflags set a b
    command getkeysandflags set a b get
    command getkeysandflags mset a b c d
    command getkeysandflags bitfield k get u8 0
    command getkeysandflags bitfield k get u8 0 incrby u8 0 1
    command getkeysandflags bitop and a b c
    command getkeysandflags pfcount a b
    command getkeys lcs a b
    command getkeys sort a
    command getkeys sort a by b get c limit 1 2 store d store e
    command getkeys sort a limit store b get store c
    command getkeys sort a store
    command getkeysandflags sort a store b
    command getkeysandflags sort_ro a by b
    command getkeysandflags ping b
    command getkeysandflags get
    command getkeysandflags client id
    command getkeys client nosuch
    command info nosuch get|key config|get|key
    command info get
    command list filterby
    command list filterby module x
    command list filterby aclcat x
    command list filterby pattern x y
    command list filterby pattern set
    command list x
    command docs nosuch
    command nosuch
    command count x
"""

CONFIG = """
    config get
    config set maxmemory
    config set nosuch b
    config set timeout 1 timeout
    config set timeout 1 timeout 2
    config set timeout 1 nosuch 1
    config set timeout abc
    config set timeout -1
    config set TIMEOUT abc
    config get TIMEOUT
    config set loglevel abc
    config set protected-mode abc
    config set proto-max-bulk-len 1
    config set proto-max-bulk-len abc
    config set slowlog-max-len -1
    config set slowlog-max-len abc
    config set slowlog-log-slower-than -2
    config set slowlog-log-slower-than abc
    config set latency-monitor-threshold -1
    config set latency-tracking abc
    config set latency-tracking-info-percentiles "10 a"
    config set latency-tracking-info-percentiles "10 101"
    config set latency-tracking-info-percentiles ""
    config get latency-tracking-info-percentiles
    config set latency-tracking-info-percentiles "0.0 50 99.99 100"
    config get latency-tracking-info-percentiles
    config set notify-keyspace-events abc
    config set notify-keyspace-events KEA
    config get notify-keyspace-events
    config set notify-keyspace-events Kg$xe
    config get notify-keyspace-events
    config set notify-keyspace-events nmEKdtezxhsl$
    config get notify-keyspace-events
    config set notify-keyspace-events ""
    config set client-output-buffer-limit "abc 1 2 3"
    config set client-output-buffer-limit "normal 1 2"
    config set client-output-buffer-limit "normal a 2 3"
    config set enable-debug-command local
    config set daemonize yes
    config set databases 3
    config set maxmemory abc
    config rewrite
    config resetstat x
    config resetstat
    config nosuch
"""

LOGS = """
    slowlog get abc
    slowlog get -2
    slowlog get 1 2
    slowlog nosuch
    slowlog
    slowlog help x
    slowlog reset
    slowlog len
    slowlog get
    latency history
    latency history x
    latency graph
    latency graph x
    latency histogram x
    latency reset x
    latency reset
    latency latest
    latency nosuch
    latency help x
    config set latency-monitor-threshold 50
    debug sleep 0.06
    latency history COMMAND
    latency reset command
    latency reset command
    config set latency-monitor-threshold 0
"""

REST = """
    debug
    debug sleep
    debug sleep a
    debug sleep 0 1
    debug nosuch
    debug jmap
    debug set-active-expire
    debug set-active-expire 0
    debug set-active-expire 1
    debug object
    debug object nosuch
    debug error "XX hello"
    debug log hi
    memory usage
    memory usage nosuch
    memory usage nosuch samples
    memory usage nosuch samples -1
    memory usage nosuch samples x
    memory usage nosuch nosuch 1
    memory purge
    memory nosuch
    role
    role x
    acl cat
    acl cat nosuch
    acl cat a b
    acl getuser x
    acl getuser default
    acl list
    acl users
    acl whoami
    acl genpass 0
    acl genpass 5000
    acl genpass x
    acl genpass 1 2
    acl dryrun x get a
    acl dryrun default nosuch
    acl dryrun default get
    acl dryrun default get a
    acl dryrun default config nosuch
    acl log
    acl log reset
    acl log x
    acl log 5
    acl log 1 2
    acl deluser default
    acl deluser foo
    acl deluser foo default
    acl nosuch
    acl whoami x
    module list
    module nosuch
    function flush x
    function flush
    function flush sync
    function flush sync x
    function list
    function list x
    function list libraryname
    function list withcode libraryname x
    function list withcode withcode
    function kill
    function delete x
    lolwut version x
    info nosuch
    info nosuch nosuch2
    info modules
"""


def info(connection, *sections):
    """The fields of INFO."""
    lines = connection.call("INFO", *sections).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Compared(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(1, enable_debug_command="yes").start()
        self.addCleanup(self.cluster.stop)
        self.redis = RedisServer("--enable-debug-command", "yes")
        self.addCleanup(self.redis.stop)

    def compare(self, lines, protocol):
        with self.cluster.nodes[0].connect() as ours, self.redis.connect() as theirs:
            for connection in (ours, theirs):
                connection.call("HELLO", protocol)
            for line in lines.strip().splitlines():
                words = shlex.split(line)
                with self.subTest(command=line.strip(), protocol=protocol):
                    self.assertEqual(ours.raw(*words), theirs.raw(*words))

    def test_replies_are_those_of_redis(self):
        for lines in (COMMAND, CONFIG, LOGS, REST):
            for protocol in (2, 3):
                self.compare(lines, protocol)

    def test_help_has_redis_form(self):
        with self.cluster.nodes[0].connect() as ours, self.redis.connect() as theirs:
            for container in ("acl", "command", "config", "function", "latency", "memory", "module",
                              "slowlog", "debug"):
                lines, model = ours.call(container, "help"), theirs.call(container, "help")
                self.assertEqual(lines[0], model[0])
                self.assertEqual(lines[-2:], model[-2:])
                for usage, summary in zip(lines[1::2], lines[2::2]):
                    self.assertRegex(usage, "^[A-Z]")
                    self.assertTrue(summary.startswith("    "), summary)

    def test_a_histogram_reads_as_redis_s(self):
        """The numbers differ, the bounds do not."""
        with self.cluster.nodes[0].connect() as ours, self.redis.connect() as theirs:
            bounds = []
            for connection in (ours, theirs):
                connection.call("CONFIG", "RESETSTAT")
                connection.call("DEBUG", "SLEEP", "0.02")
                found = pairs(connection.call("LATENCY", "HISTOGRAM", "debug"))["debug"]
                self.assertEqual(found[:3], [b"calls", 1, b"histogram_usec"])
                bounds.append(found[3])
            self.assertEqual(bounds[0], bounds[1])
            self.assertEqual(bounds[0], [33816, 1])


class Counted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, enable_debug_command="local").start()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        self.client = self.cluster.nodes[0].connect()
        self.addCleanup(self.client.close)
        self.client.call("CONFIG", "RESETSTAT")

    def stat(self, command):
        return info(self.client, "commandstats").get("cmdstat_" + command, "")

    def test_calls_refusals_and_failures_are_counted_by_command(self):
        self.client.call("SET", "a", "b")
        self.client.call("SET", "a", "c")
        self.client.ask("SET", "a")
        self.client.ask("INCR", "a")
        self.client.call("CLIENT", "ID")
        self.assertRegex(self.stat("set"), r"^calls=2,usec=\d+,usec_per_call=\d+\.\d\d,"
                                           r"rejected_calls=1,failed_calls=0$")
        self.assertRegex(self.stat("incr"), r"^calls=1,.*rejected_calls=0,failed_calls=1$")
        self.assertRegex(self.stat("client|id"), "^calls=1,")
        self.assertEqual(self.stat("client"), "")

    def test_errors_are_counted_by_code(self):
        self.assertEqual(info(self.client, "errorstats"), {})
        self.client.ask("NOSUCH")
        self.client.ask("DEBUG", "ERROR", "XX hello")
        self.client.ask("SET", "a")
        self.assertEqual(info(self.client, "errorstats"),
                         {"errorstat_ERR": "count=2", "errorstat_XX": "count=1"})
        self.assertEqual(info(self.client)["total_error_replies"], "3")

    def test_kinds_of_errors_are_bounded(self):
        for number in range(200):
            self.client.ask("DEBUG", "ERROR", "E%d x" % number)
        self.assertEqual(len(info(self.client, "errorstats")), 128)

    def test_times_include_those_of_the_replicas(self):
        """A key whose other nodes stand still is answered when a fallback has been asked."""
        self.client.call("SET", "k", "v")
        self.client.call("GET", "k")
        fields = info(self.client, "latencystats")
        self.assertRegex(fields["latency_percentiles_usec_get"],
                         r"^p50=\d+\.\d{3},p99=\d+\.\d{3},p99.9=\d+\.\d{3}$")
        sleepers = [node.connect() for node in self.cluster.nodes[1:]]
        for sleeper in sleepers:
            self.addCleanup(sleeper.close)
            sleeper.send("DEBUG", "SLEEP", "0.3")
        time.sleep(0.05)
        self.client.call("CONFIG", "RESETSTAT")
        self.client.call("CONFIG", "SET", "slowlog-log-slower-than", "100000")
        self.client.call("SLOWLOG", "RESET")
        self.client.call("GET", "k")
        self.client.call("CONFIG", "SET", "slowlog-log-slower-than", "10000")
        for sleeper in sleepers:
            sleeper.read()
        slow = self.client.call("SLOWLOG", "GET")
        self.assertEqual([entry[3] for entry in slow], [[b"GET", b"k"]])
        self.assertGreater(slow[0][2], 100000)
        p50 = info(self.client, "latencystats")["latency_percentiles_usec_get"].split(",")[0]
        self.assertGreater(float(p50[4:]), 100000)

    def test_percentiles_and_tracking_are_options(self):
        self.client.call("CONFIG", "SET", "latency-tracking-info-percentiles", "0 50 100")
        self.client.call("CONFIG", "SET", "latency-tracking", "no")
        self.client.call("ECHO", "x")
        self.assertNotIn("latency_percentiles_usec_echo", info(self.client, "latencystats"))
        self.client.call("CONFIG", "SET", "latency-tracking", "yes")
        self.client.call("ECHO", "x")
        self.assertRegex(info(self.client, "latencystats")["latency_percentiles_usec_echo"],
                         "^p0=.*,p50=.*,p100=")
        self.client.call("CONFIG", "SET", "latency-tracking-info-percentiles", "50 99 99.9")

    def test_the_slow_log_keeps_the_newest_and_hides_secrets(self):
        self.client.call("CLIENT", "SETNAME", "tester")
        self.client.call("CONFIG", "SET", "slowlog-max-len", "4", "slowlog-log-slower-than", "0")
        self.client.call("SLOWLOG", "RESET")
        self.client.ask("AUTH", "x", "secret")
        self.client.call("CONFIG", "SET", "requirepass", "")
        self.client.call("SET", "a" * 200, "b", *["XX", "GET"])
        self.client.call("MGET", *["k%d" % number for number in range(40)])
        self.client.call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
        entries = self.client.call("SLOWLOG", "GET", "-1")
        self.assertEqual(len(entries), 4)
        words = [entry[3] for entry in entries]
        self.assertEqual(words[3], [b"AUTH", b"(redacted)", b"(redacted)"])
        self.assertEqual(words[2], [b"CONFIG", b"SET", b"requirepass", b"(redacted)"])
        self.assertEqual(words[1][1], b"a" * 128 + b"... (72 more bytes)")
        self.assertEqual((len(words[0]), words[0][-1]), (32, b"... (10 more arguments)"))
        ids = [entry[0] for entry in entries]
        self.assertEqual(ids, list(range(ids[0], ids[0] - 4, -1)))
        self.assertTrue(entries[0][4].startswith(b"127.0.0.1:"))
        self.assertEqual(entries[0][5], b"tester")
        self.assertLess(abs(entries[0][1] - time.time()), 5)
        self.assertEqual(self.client.call("SLOWLOG", "GET", 0), [])
        self.assertEqual(len(self.client.call("SLOWLOG", "GET", 1)), 1)
        self.assertEqual(self.client.call("SLOWLOG", "LEN"), 4)
        self.client.call("CONFIG", "SET", "slowlog-max-len", "128", "slowlog-log-slower-than",
                         "10000")

    def test_latency_events(self):
        self.client.call("LATENCY", "RESET")
        self.assertIn(b"latency-monitor-threshold", self.client.call("LATENCY", "DOCTOR"))
        self.client.call("CONFIG", "SET", "latency-monitor-threshold", "50")
        self.client.call("DEBUG", "SLEEP", "0.08")
        self.client.call("PING")
        latest = self.client.call("LATENCY", "LATEST")
        self.assertEqual([event[0] for event in latest], [b"command"])
        self.assertTrue(80 <= latest[0][2] < 500 and latest[0][2] == latest[0][3], latest)
        self.assertEqual(self.client.call("LATENCY", "HISTORY", "command"), [latest[0][1:3]])
        self.assertIn(b"command - high ", self.client.call("LATENCY", "GRAPH", "command"))
        self.assertIn(b"command: 1 times", self.client.call("LATENCY", "DOCTOR"))
        self.assertEqual(self.client.call("LATENCY", "RESET", "command"), 1)
        self.client.call("CONFIG", "SET", "latency-monitor-threshold", "0")

    def test_histograms_by_command_and_container(self):
        self.client.call("CLIENT", "ID")
        self.client.call("CLIENT", "LIST")
        histograms = pairs(self.client.call("LATENCY", "HISTOGRAM", "client", "nosuch"))
        self.assertEqual(sorted(histograms), ["client|id", "client|list"])
        histograms = pairs(self.client.call("LATENCY", "HISTOGRAM"))
        self.assertIn("config|resetstat", histograms)
        self.assertEqual(histograms["client|id"][1], 1)

    def test_resetstat(self):
        self.client.ask("NOSUCH")
        self.client.call("GET", "nothing")
        self.assertNotEqual(info(self.client)["keyspace_misses"], "0")
        self.client.call("CONFIG", "RESETSTAT")
        fields = info(self.client, "stats")
        self.assertEqual(fields["keyspace_misses"], "0")
        self.assertEqual(fields["total_error_replies"], "0")
        self.assertEqual(self.stat("get"), "")

    def test_commands_a_second(self):
        deadline = time.monotonic() + 10
        rate = 0
        while rate < 100 and time.monotonic() < deadline:
            for _ in range(100):
                self.client.call("PING")
            rate = int(info(self.client, "stats")["instantaneous_ops_per_sec"])
        self.assertGreaterEqual(rate, 100)

    def test_memory_usage_grows_with_the_value(self):
        self.client.call("SET", "small", "x")
        self.client.call("SET", "large", "x" * 100000)
        small = self.client.call("MEMORY", "USAGE", "small")
        large = self.client.call("MEMORY", "USAGE", "large", "SAMPLES", "0")
        self.assertTrue(0 < small < 1000, small)
        self.assertTrue(99000 < large - small < 101000, (small, large))

    def test_memory_stats_and_reports(self):
        stats = pairs(self.client.call("MEMORY", "STATS"))
        for name in ("peak.allocated", "total.allocated", "dataset.bytes", "keys.count"):
            self.assertGreater(stats[name], 0, name)
        self.assertGreater(float(stats["fragmentation"]), 0.5)
        self.assertTrue(self.client.call("MEMORY", "DOCTOR"))
        report = self.client.call("MEMORY", "MALLOC-STATS")
        if b"mem_allocator:jemalloc" in self.client.call("INFO", "memory"):
            self.assertIn(b"jemalloc", report)
        else:  # a sanitizer's build
            self.assertEqual(report, b"Stats not supported for the current allocator")

    def test_debug_object(self):
        self.client.call("SET", "k", "value")
        self.assertRegex(self.client.call("DEBUG", "OBJECT", "k"),
                         "^Value at:slot 7629 refcount:1 serializedlength:5 siblings:1$")

    def test_expired_values_stay_while_the_sweep_is_off(self):
        everywhere = [node.connect() for node in self.cluster.nodes]
        for client in everywhere:
            self.addCleanup(client.close)
            client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        self.client.call("FLUSHALL")
        deadline = time.monotonic() + 10
        while self.client.call("DBSIZE") > 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.client.call("SET", "short", "v", "PX", "200")
        time.sleep(2.5)
        self.assertEqual(self.client.call("DBSIZE"), 1)
        for client in everywhere:
            client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        while self.client.call("DBSIZE") > 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.client.call("DBSIZE"), 0)

    def test_info_sections(self):
        def titles(*sections):
            text = self.client.call("INFO", *sections).decode()
            return [line[2:] for line in text.split("\r\n") if line.startswith("# ")]
        default = ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU",
                   "Modules", "Errorstats", "Cluster", "Keyspace"]
        everything = default[:8] + ["Commandstats", "Errorstats", "Latencystats", "Cluster",
                                    "Keyspace"]
        self.assertEqual(titles(), default)
        self.assertEqual(titles("default"), default)
        self.assertEqual(titles("ALL"), everything)
        self.assertEqual(titles("everything"), everything)
        self.assertEqual(titles("commandSTATS", "cpu", "cpu"), ["CPU", "Commandstats"])
        self.assertEqual(titles("default", "latencystats"),
                         default[:9] + ["Latencystats"] + default[9:])


class Acl(unittest.TestCase):
    def test_the_one_user_and_its_password(self):
        with Cluster(1) as cluster, cluster.nodes[0].connect() as client:
            client.call("CONFIG", "SET", "requirepass", "pässword")
            client.call("AUTH", "pässword")
            digest = hashlib.sha256("pässword".encode()).hexdigest().encode()
            self.assertEqual(client.call("ACL", "LIST"),
                             [b"user default on #" + digest + b" ~* &* +@all"])
            user = pairs(client.call("ACL", "GETUSER", "default"))
            self.assertEqual((user["flags"], user["passwords"]), ([b"on"], [digest]))

    def test_what_would_make_users_is_an_error(self):
        with Cluster(1) as cluster, cluster.nodes[0].connect() as client:
            for words in (("SETUSER", "x", "on"), ("LOAD",), ("SAVE",)):
                reply = client.ask("ACL", *words)
                self.assertIsInstance(reply, ReplyError)
                self.assertIn("default", str(reply))
            self.assertEqual(len(client.call("ACL", "GENPASS")), 64)
            self.assertEqual(len(client.call("ACL", "GENPASS", 5)), 2)
            self.assertNotEqual(client.call("ACL", "GENPASS"), client.call("ACL", "GENPASS"))
            self.assertIn(b"client|id", client.call("ACL", "CAT", "connection"))
            self.assertIn(b"get", client.call("ACL", "CAT", "STRING"))


class DebugCommand(unittest.TestCase):
    REFUSED = "ERR DEBUG command not allowed."

    def test_it_is_off_by_default_and_local_means_this_machine(self):
        with Cluster(1) as cluster, cluster.nodes[0].connect() as client:
            self.assertTrue(str(client.ask("DEBUG", "SLEEP", "0")).startswith(self.REFUSED))
        directory = tempfile.mkdtemp(prefix="cartwheel-test-")
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "socket")
        with Cluster(1, enable_debug_command="local", unixsocket=path) as cluster:
            with cluster.nodes[0].connect() as client:
                self.assertEqual(client.call("DEBUG", "SLEEP", "0"), "OK")
                self.assertEqual(client.call("CONFIG", "GET", "enable-debug-command"),
                                 [b"enable-debug-command", b"local"])
            with socket.socket(socket.AF_UNIX) as plain:
                plain.connect(path)
                plain.sendall(b"DEBUG SLEEP 0\r\n")
                self.assertEqual(plain.recv(100), b"+OK\r\n")


class ConfigSet(unittest.TestCase):
    def test_all_that_get_shows_may_be_set_again(self):
        with Cluster(1) as cluster, cluster.nodes[0].connect() as client:
            before = pairs(client.call("CONFIG", "GET", "*"))
            for name, value in before.items():
                self.assertEqual(client.ask("CONFIG", "SET", name, value), "OK", name)
            flat = [word for pair in before.items() for word in pair]
            self.assertEqual(client.ask("CONFIG", "SET", *flat), "OK")
            self.assertEqual(pairs(client.call("CONFIG", "GET", "*")), before)

    def test_all_or_nothing(self):
        with Cluster(1) as cluster, cluster.nodes[0].connect() as client:
            reply = client.ask("CONFIG", "SET", "timeout", "77", "maxclients", "9999999")
            self.assertRegex(str(reply), r"argument 'maxclients'\) - The operating system is not")
            reply = client.ask("CONFIG", "SET", "timeout", "77", "loglevel", "x")
            self.assertRegex(str(reply), r"argument 'loglevel'\) - argument\(s\) must be one of")
            reply = client.ask("CONFIG", "SET", "timeout", "77", "port", "1")
            self.assertRegex(str(reply), r"argument 'port'\) - can't set immutable config")
            self.assertEqual(client.call("CONFIG", "GET", "timeout"), [b"timeout", b"0"])

    def test_maxmemory_bounds_the_memory_engine_and_no_other(self):
        with Cluster(1, engine="memory") as cluster, cluster.nodes[0].connect() as client:
            client.call("SET", "a", "b")
            client.call("CONFIG", "SET", "maxmemory", "1")
            self.assertTrue(str(client.ask("SET", "a", "c")).startswith("OOM"))
            client.call("CONFIG", "SET", "maxmemory", "1gb")
            self.assertEqual(client.call("CONFIG", "GET", "maxmemory"),
                             [b"maxmemory", b"1073741824"])
            client.call("SET", "a", "c")
        with Cluster(1) as cluster, cluster.nodes[0].connect() as client:
            reply = client.ask("CONFIG", "SET", "maxmemory", "1gb")
            self.assertIn("it bounds the memory engine", str(reply))


class ConfigRewrite(unittest.TestCase):
    TEXT = """# a node
port {port}
bus-port {bus}   
dir "{directory}/data"

# how patient it is
TIMEOUT 7
loglevel 'notice'
"""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="cartwheel-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.port, bus = free_ports(2)
        self.path = os.path.join(self.directory, "node.conf")
        self.text = self.TEXT.format(port=self.port, bus=bus, directory=self.directory)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(self.text)

    def start(self, *flags):
        process = subprocess.Popen([BINARY, self.path, *flags], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

        def stop():
            process.terminate()
            process.wait(15)
        deadline = time.monotonic() + 20
        while True:
            try:
                Connection(self.port).close()
                return stop
            except OSError:
                if time.monotonic() > deadline:
                    stop()
                    raise
                time.sleep(0.05)

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def test_comments_and_order_stay_and_what_differs_is_written(self):
        stop = self.start("--maxclients", "500")
        try:
            with Connection(self.port) as client:
                client.call("CONFIG", "REWRITE")
                expected = self.text + "# Written by CONFIG REWRITE\nmaxclients 500\n"
                self.assertEqual(self.read(), expected)
                client.call("CONFIG", "SET", "timeout", "8", "requirepass", 'a "b\n',
                            "slowlog-max-len", "128", "notify-keyspace-events", "KEA")
                client.call("CONFIG", "REWRITE")
                client.call("CONFIG", "REWRITE")
        finally:
            stop()
        expected = expected.replace("TIMEOUT 7", "timeout 8").replace(
            "maxclients 500\n", 'maxclients 500\nrequirepass "a \\"b\\n"\n'
            "notify-keyspace-events AKE\n")
        self.assertEqual(sorted(self.read().splitlines()), sorted(expected.splitlines()))
        stop = self.start()
        try:
            with Connection(self.port) as client:
                client.call("AUTH", 'a "b\n')
                values = pairs(client.call("CONFIG", "GET", "timeout", "maxclients"))
                self.assertEqual(values, {"timeout": b"8", "maxclients": b"500"})
        finally:
            stop()

    def test_a_file_that_is_gone_is_an_error(self):
        stop = self.start()
        try:
            os.remove(self.path)
            with Connection(self.port) as client:
                self.assertEqual(str(client.ask("CONFIG", "REWRITE")),
                                 "ERR Rewriting CONFIG file: No such file or directory")
        finally:
            stop()


if __name__ == "__main__":
    unittest.main()
