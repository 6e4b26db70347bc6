#!/usr/bin/python3
"""redis-py, plain and its RedisCluster, against three nodes: commands, pipelines, transactions,
publish and subscribe, locks, MONITOR, asyncio."""

import asyncio
import contextlib
import io
import threading
import time
import unittest

from cluster import Cluster, WithThreeNodes

try:
    import redis
    import redis.asyncio
    from redis.cluster import ClusterNode, RedisCluster
    from redis.lock import Lock
except ImportError:
    redis = None

if redis:
    class WatchLock(Lock):
        """redis-py's lock, which frees itself by a Lua script, with WATCH in place of Lua."""

        def do_release(self, expected_token):
            def delete(pipe):
                if pipe.get(self.name) != expected_token:
                    raise redis.exceptions.LockNotOwnedError("no longer owned")
                pipe.multi()
                pipe.delete(self.name)
            self.redis.transaction(delete, self.name)


class WithClients(WithThreeNodes):
    """A client of each node."""

    def setUp(self):
        self.clients = [redis.Redis(port=port, decode_responses=True) for port in self.ports]

    def tearDown(self):
        for client in self.clients:
            client.close()

    def next_message(self, pubsub):
        """The next message that is no confirmation."""
        for _ in range(50):
            message = pubsub.get_message(ignore_subscribe_messages=True, timeout=0.2)
            if message is not None:
                return message
        self.fail("no message within 10 s")


@unittest.skipUnless(redis, "python3-redis is not installed")
class Commands(WithClients):

    def test_client(self):
        a, b, c = self.clients
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

    def test_databases_are_apart(self):
        numbers = [redis.Redis(port=self.ports[i], db=i + 1) for i in range(3)]
        for number, client in enumerate(numbers):
            client.set("py:db", number)
        self.assertEqual([client.get("py:db") for client in numbers], [b"0", b"1", b"2"])
        self.assertIsNone(self.clients[0].get("py:db"))
        for client in numbers:
            client.close()

    def test_pipeline_keeps_going_after_an_error(self):
        with self.clients[0].pipeline(transaction=False) as pipe:
            pipe.set("py:text", "t").incr("py:text").get("py:text")
            replies = pipe.execute(raise_on_error=False)
        self.assertEqual([replies[0], replies[2]], [True, "t"])
        self.assertIsInstance(replies[1], redis.ResponseError)

    def test_reconnects_after_client_kill(self):
        client, killer = self.clients[0], redis.Redis(port=self.ports[0])
        self.assertEqual(killer.client_kill_filter(_id=client.client_id()), 1)
        self.assertTrue(client.set("py:killed", "alive"))
        self.assertEqual(killer.get("py:killed"), b"alive")
        killer.close()

    def test_monitor(self):
        with redis.Redis(port=self.ports[1]).monitor() as monitor:
            self.clients[1].set("py:monitored", 'with "quotes"')
            for _ in range(100):
                seen = monitor.next_command()
                if "py:monitored" in seen["command"]:
                    break
        self.assertEqual(seen["command"], 'SET py:monitored with "quotes"')
        self.assertEqual((seen["db"], seen["client_address"]), (0, "127.0.0.1"))

    def test_asyncio_client(self):
        async def story():
            client = redis.asyncio.Redis(port=self.ports[2], decode_responses=True)
            keys = ["pya:%d" % i for i in range(100)]
            await asyncio.gather(*(client.set(key, key) for key in keys))
            self.assertEqual(await asyncio.gather(*(client.get(key) for key in keys)), keys)
            async with client.pipeline(transaction=True) as pipe:
                self.assertEqual(await pipe.set("pya:n", 1).incr("pya:n").execute(), [True, 2])
            async with client.pubsub() as pubsub:
                await pubsub.subscribe("pya:news")
                self.assertEqual((await pubsub.get_message(timeout=10))["type"], "subscribe")
                await asyncio.to_thread(self.clients[0].publish, "pya:news", "hello")
                self.assertEqual((await pubsub.get_message(timeout=10))["data"], "hello")
            await client.close()
        asyncio.run(story())


@unittest.skipUnless(redis, "python3-redis is not installed")
class Transactions(WithClients):

    def test_multi_over_keys_of_several_slots(self):
        with self.clients[0].pipeline() as pipe:
            pipe.set("pym:1", "a").set("pym:2", 1).incr("pym:2").mget("pym:1", "pym:2")
            self.assertEqual(pipe.execute(), [True, True, 2, ["a", "2"]])
        self.assertEqual(self.clients[1].mget("pym:1", "pym:2"), ["a", "2"])

    def test_an_error_within_leaves_the_rest_done(self):
        with self.clients[0].pipeline() as pipe:
            pipe.set("pym:text", "t").incr("pym:text").append("pym:text", "u")
            replies = pipe.execute(raise_on_error=False)
        self.assertEqual([replies[0], replies[2]], [True, 2])
        self.assertIsInstance(replies[1], redis.ResponseError)

    def test_a_command_that_is_refused_aborts_all(self):
        with self.clients[0].pipeline() as pipe:
            pipe.set("pym:abort", "v").execute_command("SET", "pym:abort")
            with self.assertRaises(redis.ResponseError):
                pipe.execute()
        self.assertIsNone(self.clients[0].get("pym:abort"))

    def test_watch_notices_a_write_through_another_node(self):
        a, b, _ = self.clients
        a.set("pym:w", 1)
        with a.pipeline() as pipe:
            pipe.watch("pym:w", "pym:w2")
            b.set("pym:w", 2)
            pipe.multi()
            pipe.set("pym:w", 3)
            self.assertRaises(redis.WatchError, pipe.execute)
            pipe.watch("pym:w2")  # a key that is not there
            b.set("pym:w2", "born")
            pipe.multi()
            pipe.set("pym:w", 3)
            self.assertRaises(redis.WatchError, pipe.execute)
            pipe.watch("pym:w")
            b.set("pym:w", 4)
            pipe.unwatch()
            pipe.multi()
            pipe.set("pym:w", 5)
            self.assertEqual(pipe.execute(), [True])
        self.assertEqual(b.get("pym:w"), "5")

    def test_a_watch_loop_tries_again_until_nobody_interferes(self):
        a, b, _ = self.clients
        a.set("pym:loop", 0)
        attempts = []

        def add(pipe):
            value = int(pipe.get("pym:loop"))
            attempts.append(value)
            if len(attempts) <= 3:
                b.incrby("pym:loop", 10)
            pipe.multi()
            pipe.set("pym:loop", value + 1)
        self.assertEqual(a.transaction(add, "pym:loop"), [True])
        self.assertEqual(attempts, [0, 10, 20, 30])
        self.assertEqual(b.get("pym:loop"), "31")

    def test_a_lock_is_held_by_one(self):
        clients = [redis.Redis(port=port) for port in self.ports]
        first = WatchLock(clients[0], "pym:lock", timeout=30)
        second = WatchLock(clients[1], "pym:lock", timeout=30, blocking=False)
        self.assertTrue(first.acquire())
        self.assertTrue(first.owned() and second.locked())
        self.assertFalse(second.acquire())
        first.release()
        self.assertTrue(second.acquire())
        self.assertRaises(redis.exceptions.LockError, first.release)
        clients[2].set("pym:lock", "stolen")
        self.assertRaises(redis.exceptions.LockNotOwnedError, second.release)
        clients[2].delete("pym:lock")

        inside, most = 0, 0

        def work(client):
            nonlocal inside, most
            for _ in range(5):
                with WatchLock(client, "pym:lock", timeout=30, sleep=0.01):
                    inside += 1
                    most = max(most, inside)
                    client.set("pym:total", int(client.get("pym:total") or 0) + 1)
                    inside -= 1
        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((most, clients[0].get("pym:total")), (1, b"15"))
        for client in clients:
            client.close()


@unittest.skipUnless(redis, "python3-redis is not installed")
class PublishAndSubscribe(WithClients):

    def test_messages_reach_subscribers_of_every_node(self):
        pubsubs = [client.pubsub() for client in self.clients]
        for pubsub in pubsubs:
            pubsub.subscribe("pyp:news")
            pubsub.psubscribe("pyp:w*")
            for _ in range(2):
                self.assertIn("subscribe", pubsub.get_message(timeout=10)["type"])
        for number, client in enumerate(self.clients):
            client.publish("pyp:news", "from %d" % number)
            client.publish("pyp:weather", "rain")
            client.publish("pyp:other", "nobody hears this")
            for pubsub in pubsubs:
                news, weather = self.next_message(pubsub), self.next_message(pubsub)
                self.assertEqual((news["type"], news["data"]), ("message", "from %d" % number))
                self.assertEqual((weather["type"], weather["pattern"], weather["channel"]),
                                 ("pmessage", "pyp:w*", "pyp:weather"))
        self.assertEqual(self.clients[0].pubsub_channels("pyp:*"), ["pyp:news"])
        self.assertEqual(self.clients[0].pubsub_numsub("pyp:news"), [("pyp:news", 1)])
        self.assertEqual(self.clients[0].pubsub_numpat(), 1)
        for pubsub in pubsubs:
            pubsub.unsubscribe()
            pubsub.punsubscribe()
            pubsub.close()

    def test_subscriptions_survive_client_kill(self):
        client = self.clients[0]
        pubsub = client.pubsub()
        pubsub.subscribe("pyp:again")
        self.assertEqual(pubsub.get_message(timeout=10)["type"], "subscribe")
        victims = client.client_list(_type="pubsub")
        self.assertEqual(len(victims), 1)
        client.client_kill_filter(_id=victims[0]["id"])
        # redis-py says that once, then connects and subscribes again while it waits.
        self.assertRaises(redis.ConnectionError, pubsub.get_message, timeout=10)
        self.assertEqual(pubsub.get_message(timeout=10)["type"], "subscribe")
        self.clients[1].publish("pyp:again", "still there")
        self.assertEqual(self.next_message(pubsub)["data"], "still there")
        pubsub.close()

    def test_a_thread_handles_messages(self):
        heard = threading.Event()
        pubsub = self.clients[2].pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(**{"pyp:thread": lambda message: heard.set()})
        thread = pubsub.run_in_thread(sleep_time=0.01)
        self.clients[0].publish("pyp:thread", "x")
        self.assertTrue(heard.wait(10))
        thread.stop()
        thread.join(10)

    def test_cluster_client(self):
        client = RedisCluster(host="127.0.0.1", port=self.ports[0], decode_responses=True)
        pubsub = client.pubsub()
        pubsub.subscribe("pyc:news")
        self.assertEqual(pubsub.get_message(timeout=10)["type"], "subscribe")
        # This version finds no node for PUBLISH, which has no key, by itself.
        client.publish("pyc:news", "hello", target_nodes=RedisCluster.ALL_NODES)
        self.assertEqual(self.next_message(pubsub)["data"], "hello")
        pubsub.close()
        client.close()


@unittest.skipUnless(redis, "python3-redis is not installed")
class ClusterClient(WithThreeNodes):

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
        # Over all primaries each key comes, once or more.
        self.assertEqual(len(set(client.scan_iter("pyc:*", count=50))), 200)
        client.close()

    def test_cluster_client_reads_from_replicas_too(self):
        client = RedisCluster(host="127.0.0.1", port=self.ports[0], read_from_replicas=True,
                              decode_responses=True)
        for i in range(60):
            client.set("pyr:%d" % i, i)
            self.assertEqual(client.get("pyr:%d" % i), str(i))
        client.close()

    def test_goes_on_when_a_node_dies_and_when_it_is_back(self):
        with Cluster(3, node_timeout=1000) as ring, \
             contextlib.redirect_stderr(io.StringIO()):  # this version prints what it retries
            def connect():
                return RedisCluster(host="127.0.0.1", port=ring.nodes[0].port, socket_timeout=5)
            client = connect()
            keys = ["pyk:%d" % i for i in range(30)]  # of all three nodes

            def ask(key):
                """redis-py 4.3.4 copies itself to ask for the slots again, and cannot always."""
                nonlocal client
                try:
                    return client.incr(key)
                except redis.exceptions.RedisClusterException as error:
                    if "cannot pickle" not in str(error):
                        raise
                client = connect()
                return client.incr(key)

            def increment(seconds):
                deadline = time.monotonic() + seconds
                while time.monotonic() < deadline:
                    for key in keys:
                        counts[key] += 1
                        # What the dying node took may count twice, when it is tried again.
                        answer = ask(key)
                        self.assertTrue(counts[key] <= answer <= counts[key] + 1, (key, answer))
                        counts[key] = answer
            counts = dict.fromkeys(keys, 0)
            increment(1)
            ring.nodes[1].kill()
            increment(3)
            ring.nodes[1].start()
            ring.wait_ready()
            increment(1)
            client.close()


if __name__ == "__main__":
    unittest.main()
