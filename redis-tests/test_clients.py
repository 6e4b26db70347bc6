"""Real clients, unchanged: redis-cli, redis-py and its RedisCluster, redis-benchmark."""

import shutil
import subprocess
import unittest

from cluster import Cluster

try:
    import redis
    from redis.cluster import ClusterNode, RedisCluster
except ImportError:
    redis = None

HAVE_CLI = shutil.which("redis-cli") is not None


class WithThreeNodes(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3).start()
        cls.ports = [node.port for node in cls.cluster.nodes]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def run_tool(self, *command, text=None, timeout=120):
        words = [str(word) for word in command]
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=timeout,
                              check=False)
        self.assertEqual(done.returncode, 0, (command, done.stdout[-2000:], done.stderr[-2000:]))
        return done.stdout


@unittest.skipUnless(HAVE_CLI, "redis-cli is not installed")
class RedisCli(WithThreeNodes):

    def cli(self, port, *arguments, text=None):
        return self.run_tool("redis-cli", "-p", str(port), *arguments, text=text)

    def test_plain(self):
        self.assertEqual(self.cli(self.ports[0], "SET", "cli", "v"), "OK\n")
        self.assertEqual(self.cli(self.ports[1], "GET", "cli"), "v\n")
        self.assertEqual(self.cli(self.ports[2], "-n", "3", "GET", "cli"), "\n")

    def test_resp3(self):
        self.cli(self.ports[0], "-3", "SET", "cli3", "v")
        self.assertEqual(self.cli(self.ports[1], "-3", "GET", "cli3"), "v\n")
        self.assertIn("cartwheel_version", self.cli(self.ports[1], "-3", "HELLO", "3"))

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

    def test_cluster_check_and_info_accept_us(self):
        for port in self.ports:
            check = self.cli(port, "--cluster", "check", "127.0.0.1:%d" % port)
            self.assertIn("[OK] All nodes agree about slots configuration.", check)
            self.assertIn("[OK] All 16384 slots covered.", check)
            info = self.cli(port, "--cluster", "info", "127.0.0.1:%d" % port)
            self.assertIn("in 3 masters.", info)

    def test_scan_and_stat_modes(self):
        for i in range(50):
            self.cli(self.ports[0], "-x", "SET", "scanned:%d" % i, text="v")
        keys = self.cli(self.ports[1], "--scan", "--pattern", "scanned:*").split()
        self.assertEqual(len(set(keys)), 50)
        big = self.cli(self.ports[2], "--bigkeys")
        self.assertIn("Biggest string found", big)

    def test_pipe_mode(self):
        commands = "".join("SET piped:%d v\r\n" % i for i in range(1000))
        out = self.cli(self.ports[0], "--pipe", text=commands)
        self.assertIn("errors: 0, replies: 1000", out)
        self.assertEqual(self.cli(self.ports[2], "GET", "piped:999"), "v\n")


@unittest.skipUnless(redis, "python3-redis is not installed")
class RedisPy(WithThreeNodes):

    def test_client(self):
        clients = [redis.Redis(port=port, decode_responses=True) for port in self.ports]
        a, b, c = clients
        self.assertTrue(a.ping())
        self.assertTrue(a.set("py", "v", ex=100))
        self.assertEqual(b.get("py"), "v")
        self.assertTrue(0 < c.ttl("py") <= 100)
        self.assertEqual(a.incrby("py:n", 5), 5)
        self.assertEqual(b.mget("py", "py:n", "py:no"), ["v", "5", None])
        self.assertTrue(b.mset({"py:1": "1", "py:2": "2"}))
        self.assertIsNone(c.set("py", "w", nx=True))
        self.assertEqual(c.set("py", "w", get=True), "v")
        self.assertEqual(sorted(a.scan_iter("py:[12]")), ["py:1", "py:2"])
        self.assertEqual(a.delete("py:1", "py:2", "py:none"), 2)
        self.assertEqual(a.exists("py", "py"), 2)
        self.assertEqual(a.getex("py", persist=True), "w")
        self.assertEqual(a.type("py"), "string")
        self.assertEqual(a.info("server")["redis_version"], "7.0.15")
        self.assertEqual(a.config_get("maxclients")["maxclients"], "10000")
        self.assertEqual(a.client_getname(), None)
        self.assertIn("get", a.command())
        self.assertGreater(len(a.client_list()), 0)
        with a.pipeline(transaction=False) as pipe:
            for i in range(100):
                pipe.set("py:pipe:%d" % i, i)
            for i in range(100):
                pipe.get("py:pipe:%d" % i)
            replies = pipe.execute()
        self.assertEqual(replies[100:], [str(i) for i in range(100)])
        for client in clients:
            client.close()

    def test_cluster_client(self):
        client = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", self.ports[1])],
                              decode_responses=True)
        self.assertEqual(len(client.get_nodes()), 3)
        with self.cluster.nodes[0].connect() as connection:
            for i in range(50):  # it goes to the first node of a key's preference list
                first = connection.call("DYN.PREFLIST", "pyc:%d" % i)[0]
                self.assertEqual(client.get_node_from_key("pyc:%d" % i).port, first[2])
        for i in range(200):
            self.assertTrue(client.set("pyc:%d" % i, i))
        for i in range(200):
            self.assertEqual(client.get("pyc:%d" % i), str(i))
        self.assertEqual(client.incr("pyc:n"), 1)
        self.assertEqual(client.mget_nonatomic("pyc:1", "pyc:2", "pyc:3"), ["1", "2", "3"])
        self.assertEqual(client.delete("pyc:n"), 1)
        with client.pipeline() as pipe:
            for i in range(50):
                pipe.get("pyc:%d" % i)
            self.assertEqual(pipe.execute(), [str(i) for i in range(50)])
        self.assertEqual(client.cluster_info()["cluster_state"], "ok")
        self.assertEqual(len(client.cluster_nodes()), 3)
        self.assertEqual(client.keyslot("foo"), client.cluster_keyslot("foo"))
        client.close()

    def test_cluster_client_reads_from_replicas_too(self):
        client = RedisCluster(host="127.0.0.1", port=self.ports[0], read_from_replicas=True,
                              decode_responses=True)
        for i in range(60):
            client.set("pyr:%d" % i, i)
            self.assertEqual(client.get("pyr:%d" % i), str(i))
        client.close()


@unittest.skipUnless(shutil.which("redis-benchmark"), "redis-benchmark is not installed")
class RedisBenchmark(WithThreeNodes):

    def benchmark(self, *arguments):
        out = self.run_tool("redis-benchmark", "-p", str(self.ports[0]), "-n", "5000", "-c", "20",
                            "-q", *arguments)
        self.assertNotIn("rror", out)
        return out

    def test_through_one_node(self):
        out = self.benchmark("-t", "ping,set,get,incr", "-P", "16", "-r", "1000")
        for name in ("PING", "SET", "GET", "INCR"):
            self.assertIn(name, out)
        self.assertIn("MSET", self.benchmark("-t", "set,get,mset", "-r", "1000"))
        self.benchmark("-3", "-t", "set,get")

    def test_cluster_mode(self):
        out = self.benchmark("--cluster", "-t", "set,get", "-P", "16", "-r", "1000")
        self.assertIn("Cluster has 3 master nodes", out)


if __name__ == "__main__":
    unittest.main()
