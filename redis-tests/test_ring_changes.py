#!/usr/bin/python3
"""A ring that grows and shrinks while it serves: joins, leaves, removals and replacements under a
load of which nothing may be refused nor lost, and what DYN.PLAN says of them."""

import contextlib
import io
import threading
import time
import unittest

from cluster import Cluster, ReplyError, pairs
from ring_load import RingLoad

try:
    from redis.cluster import RedisCluster
except ImportError:
    RedisCluster = None

PARTITION_SLOTS = 64  # of 256 partitions


def ring_of(node):
    """The replicas of each partition, in order."""
    with node.connect() as connection:
        runs = connection.call("DYN.RING")
    return [nodes for first, last, nodes in runs for _ in range(first, last + 1, PARTITION_SLOTS)]


def gained(before, after):
    """How many partitions have a replica that they had not."""
    return sum(1 for old, new in zip(before, after) if set(new) - set(old))


def owned(node):
    """How many partitions each node owns."""
    with node.connect() as connection:
        members = [pairs(member) for member in connection.call("DYN.NODES")]
    return {member["id"]: member["tokens"] for member in members}


def plan_of(node, *words):
    with node.connect() as connection:
        plan = pairs(connection.call("DYN.PLAN", *words))
    plan["nodes"] = {name.encode(): pairs(share) for name, share in pairs(plan["nodes"]).items()}
    return plan


class MapWatch:
    """Asks a node for CLUSTER SLOTS all the time; `seen` is when it said what."""

    def __init__(self, node):
        self.node, self.seen, self.stopping = node, [], False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        with self.node.connect() as connection:
            while not self.stopping:
                runs = connection.call("CLUSTER", "SLOTS")
                if not self.seen or self.seen[-1][1] != runs:
                    self.seen.append((time.monotonic(), runs))
                time.sleep(0.01)

    def stop(self):
        self.stopping = True
        self.thread.join()


class RingChangesTest(unittest.TestCase):

    def wait_for(self, condition, what, seconds=15):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def change(self, node, *command):
        with node.connect() as connection:
            self.assertEqual(connection.call(*command), "OK")

    def kill(self, cluster, victim):
        """kill -9; returns its id once everybody takes it for down."""
        identity = victim.id()
        victim.kill()
        cluster.nodes.remove(victim)

        # In the log, which says it when the node has made up its mind.
        line = "node %s does not answer: taken for down" % identity
        for node in cluster.nodes:
            self.wait_for(lambda: line in node.log(), "a killed node is alive")
        return identity

    def assert_map(self, cluster):
        """CLUSTER SLOTS of each node covers all slots and names just the nodes there are."""
        ports = {node.port for node in cluster.nodes}

        def is_right(node):
            with node.connect() as connection:
                runs = connection.call("CLUSTER", "SLOTS")
            covered = sum(last - first + 1 for first, last, *_ in runs)
            firsts = {run[2][1] for run in runs}
            return covered == 16384 and firsts == ports
        for node in cluster.nodes:
            self.wait_for(lambda: is_right(node), "CLUSTER SLOTS does not follow", 5)

    def assert_nothing_lost(self, cluster, load):
        """Every node has every acknowledged write, when all have been compared."""
        self.assertEqual(load.failures, [])
        for node in cluster.nodes:
            with node.connect(60) as connection:
                connection.call("DYN.REPAIR")
        for node in cluster.nodes:
            with node.connect() as connection:
                self.assertEqual(load.lost(connection), [])

    def test_three_become_five_and_three_again(self):
        with Cluster(3, node_timeout=1500, gossip_interval=300) as cluster:
            with cluster.nodes[0].connect() as connection:
                for i in range(2000):
                    connection.call("SET", "filler:%d" % i, "x" * 500)
            with RingLoad(cluster.nodes) as load:
                time.sleep(0.5)
                for node in (cluster.add(), cluster.add()):
                    # It just began and has no ring yet: its clients get -LOADING.
                    load.excused.add(node)
                    load.add(node)
                cluster.wait_ready()
                load.excused.clear()
                self.assert_map(cluster)
                self.assertGreater(cluster.nodes[4].status("transfer-keys"), 0)
                time.sleep(0.5)

                leaver = cluster.nodes.pop(1)
                load.let_go(leaver)
                self.change(leaver, "DYN.LEAVE")
                self.assertEqual(leaver.wait_end(20), 0, leaver.log())
                self.assertIn("this node has left its ring", leaver.log())
                cluster.wait_ready()
                self.assert_map(cluster)
                time.sleep(0.5)

                victim = cluster.nodes[2]
                load.excuse(victim)
                identity = self.kill(cluster, victim)
                self.change(cluster.nodes[0], "DYN.REMOVE", identity)
                cluster.wait_ready()
                self.assert_map(cluster)
                time.sleep(0.5)
            self.assertGreater(load.done, 1000)
            self.assert_nothing_lost(cluster, load)
            with cluster.nodes[2].connect() as connection:
                self.assertEqual(connection.call("DBSIZE"), 2000 + len(load.counters) + 30)
                for i in range(2000):
                    self.assertEqual(connection.call("GET", "filler:%d" % i), b"x" * 500)

    def replaced(self, node, before, old, new):
        """`new` stands exactly where `old` stood in the ring."""
        old, new = old.encode(), new.encode()
        self.assertEqual(ring_of(node),
                         [[new if name == old else name for name in nodes] for nodes in before])

    def test_a_node_takes_the_place_of_one_that_is_gone(self):
        with Cluster(4, node_timeout=1000, gossip_interval=300) as cluster:
            with RingLoad(cluster.nodes) as load:
                time.sleep(0.5)
                before = ring_of(cluster.nodes[0])
                load.excuse(cluster.nodes[3])
                first = self.kill(cluster, cluster.nodes[3])
                second = cluster.add(replace=first)
                cluster.wait_ready()
                self.replaced(cluster.nodes[0], before, first, second.id())
                load.add(second)

                before = ring_of(cluster.nodes[0])
                load.excuse(cluster.nodes[1])
                gone = self.kill(cluster, cluster.nodes[1])
                third = cluster.new_node(seeds="")
                cluster.nodes.append(third)
                third.start()
                self.wait_for(third.serves, "a ring of one")
                self.change(third, "DYN.REPLACE", gone,
                            "127.0.0.1:%d" % cluster.nodes[0].bus_port)
                cluster.wait_ready()
                self.replaced(cluster.nodes[0], before, gone, third.id())
                self.assert_map(cluster)
                time.sleep(0.3)
            self.assert_nothing_lost(cluster, load)

    def test_n_goes_down_and_up_again(self):
        with Cluster(4, node_timeout=1500, gossip_interval=300) as cluster:
            with RingLoad(cluster.nodes) as load:
                time.sleep(0.5)
                self.change(cluster.nodes[1], "DYN.SETTINGS", "N", "2")
                cluster.wait_ready()
                self.assertEqual({len(nodes) for nodes in ring_of(cluster.nodes[2])}, {2})
                time.sleep(0.3)
                self.change(cluster.nodes[2], "DYN.SETTINGS", "N", "3", "W", "3")
                cluster.wait_ready()
                self.assertEqual({len(nodes) for nodes in ring_of(cluster.nodes[0])}, {3})
                with cluster.nodes[3].connect() as connection:
                    self.assertEqual(pairs(connection.call("DYN.SETTINGS")),
                                     {"n": 3, "r": 2, "w": 3})
                time.sleep(0.3)
            self.assert_nothing_lost(cluster, load)

    def assert_maps_follow(self, nodes, change):
        """What a change makes of CLUSTER SLOTS is there on all of them within a gossip round."""
        longest_round = 1.25  # of gossip-interval 1000
        watches = [MapWatch(node) for node in nodes]
        try:
            change()
            time.sleep(longest_round)
        finally:
            for watch in watches:
                watch.stop()
        last = watches[0].seen[-1][1]
        self.assertEqual([watch.seen[-1][1] for watch in watches], [last] * len(nodes))
        self.assertNotIn(last, [watch.seen[0][1] for watch in watches])
        times = [next(when for when, runs in watch.seen if runs == last) for watch in watches]
        self.assertLess(max(times) - min(times), longest_round)

    def test_cluster_slots_follows_within_a_gossip_round(self):
        with Cluster(4) as cluster:
            def join():
                cluster.add()
                cluster.wait_ready()

            def leave():
                leaver = cluster.nodes.pop()
                self.change(leaver, "DYN.LEAVE")
                self.assertEqual(leaver.wait_end(20), 0)
                cluster.wait_ready()
            self.assert_maps_follow(list(cluster.nodes), join)
            self.assert_map(cluster)
            self.assert_maps_follow(cluster.nodes[:-1], leave)
            self.assert_map(cluster)

    def assert_served(self, client, keys, turn):
        """Every command of a cluster client, by whatever map it has; for how many keys that named
        another node than the first."""
        with self.asked.connect() as connection:
            old = sum(client.get_node_from_key(key).port !=
                      connection.call("DYN.PREFLIST", key)[0][2] for key in keys)
        for key in keys:
            self.assertTrue(client.set(key, turn))
            self.assertEqual(client.get(key), turn)
            self.assertEqual(client.incr("{%s}:n" % key), int(turn))
        return old

    @unittest.skipUnless(RedisCluster, "python3-redis is not installed")
    def test_a_client_with_an_old_map_is_served(self):
        keys = ["old:%d" % i for i in range(60)]
        with Cluster(4, node_timeout=1500, gossip_interval=300) as cluster, \
             contextlib.redirect_stderr(io.StringIO()):  # redis-py prints what it retries
            self.asked = cluster.nodes[0]
            client = RedisCluster(host="127.0.0.1", port=self.asked.port, decode_responses=True)
            first_map = {node.port for node in client.get_nodes()}
            self.assertEqual(self.assert_served(client, keys, "1"), 0)
            self.asked = cluster.add()
            cluster.wait_ready()
            self.assertGreater(self.assert_served(client, keys, "2"), 0)

            # Not the first it would ask for a new map: this version trips over itself there.
            last = list(client.nodes_manager.startup_nodes.values())[-1]
            leaver = next(node for node in cluster.nodes if node.port == last.port)
            cluster.nodes.remove(leaver)
            self.change(leaver, "DYN.LEAVE")
            self.assertEqual(leaver.wait_end(20), 0)
            cluster.wait_ready()
            self.assertEqual({node.port for node in client.get_nodes()}, first_map)
            self.assertGreater(self.assert_served(client, keys, "3"), 0)
            # Where it found nobody it asked for the map again.
            self.assertEqual({node.port for node in client.get_nodes()},
                             {node.port for node in cluster.nodes})
            self.assertEqual(self.assert_served(client, keys, "4"), 0)
            client.close()

    def test_nodes_at_random_places_of_other_weights_and_zones(self):
        with Cluster(3, placement="tokens", tokens=16, partitioner="md5", partitions=1024,
                     zone=["a", "a", "b"], weight=["1", "2", "1"], gossip_interval=300) as cluster:
            with RingLoad(cluster.nodes) as load:
                time.sleep(0.5)
                plan = plan_of(cluster.nodes[0], "JOIN", "0.5", "c")
                self.assertEqual(plan["zones-violated"], 0)
                self.assertGreater(plan["nodes"][b"(new)"]["after"], 0)
                joiner = cluster.add(zone="c", weight="0.5")
                load.excused.add(joiner)
                cluster.wait_ready()
                load.excused.clear()
                load.add(joiner)
                zones, tokens = {}, {}
                with joiner.connect() as connection:
                    for member in map(pairs, connection.call("DYN.NODES")):
                        zones[member["id"]] = member["zone"]
                        tokens[member["port"]] = member["tokens"]
                    runs = connection.call("DYN.RING")
                self.assertEqual([tokens[node.port] for node in cluster.nodes], [16, 32, 16, 8])
                for _, _, nodes in runs:
                    self.assertEqual({zones[node] for node in nodes}, {b"a", b"b", b"c"})
                time.sleep(0.3)
                leaver = cluster.nodes.pop(0)
                load.let_go(leaver)
                self.change(leaver, "DYN.LEAVE")
                self.assertEqual(leaver.wait_end(20), 0)
                cluster.wait_ready()
            self.assert_nothing_lost(cluster, load)

    def test_what_is_planned_is_what_happens(self):
        with Cluster(4) as cluster:
            asked = cluster.nodes[0]
            with asked.connect() as connection:
                for i in range(3000):
                    connection.call("SET", "planned:%d" % i, "x" * 200)
            plan, before = plan_of(asked, "JOIN", "1", "default"), ring_of(asked)
            self.assertEqual(sum(share["after"] for share in plan["nodes"].values()), 256)
            joiner = cluster.add()
            cluster.wait_ready()
            self.assertEqual(plan["partitions-moved"], gained(before, ring_of(asked)))
            plan["nodes"][joiner.id().encode()] = plan["nodes"].pop(b"(new)")
            self.assertEqual({name: share["after"] for name, share in plan["nodes"].items()},
                             owned(asked))
            received = joiner.status("transfer-bytes-received")
            self.assertGreater(received, 0.7 * plan["bytes-moved"])
            self.assertLess(received, 1.3 * plan["bytes-moved"])

            leaver = cluster.nodes[1]
            identity = leaver.id()
            plan, before = plan_of(asked, "LEAVE", identity), ring_of(asked)
            removal = plan_of(asked, "REMOVE", identity)
            self.assertEqual(removal["nodes"], plan["nodes"])
            self.assertEqual(plan["nodes"][identity.encode()]["after"], 0)
            cluster.nodes.remove(leaver)
            self.change(leaver, "DYN.LEAVE")
            self.assertEqual(leaver.wait_end(20), 0)
            cluster.wait_ready()
            self.assertEqual(plan["partitions-moved"], gained(before, ring_of(asked)))
            self.assertEqual({name: share["after"] for name, share in plan["nodes"].items()
                              if name != identity.encode()}, owned(asked))
            self.assertEqual(plan["zones-violated"], 0)

    def test_when_a_majority_is_gone_for_good(self):
        with Cluster(3, node_timeout=1000, gossip_interval=300) as cluster:
            with RingLoad(cluster.nodes) as load:
                time.sleep(0.5)
            gone = [self.kill(cluster, node) for node in cluster.nodes[1:]]
            rest = cluster.nodes[0]
            with rest.connect() as connection:
                for words in (("DYN.REMOVE", *gone), ("DYN.SETTINGS", "N", "2")):
                    reply = connection.ask(*words)
                    self.assertIsInstance(reply, ReplyError)
                    self.assertTrue(str(reply).startswith("NOQUORUM "), reply)
                reply = connection.ask("DYN.REMOVE", gone[0], "FORCE")
                self.assertEqual(str(reply), "ERR node %s does not answer either: name it as well" %
                                 gone[1])
                self.assertEqual(connection.call("DYN.REMOVE", *gone, "FORCE"), "OK")
            cluster.wait_ready()
            self.assert_nothing_lost(cluster, load)
            # It goes on as any ring.
            cluster.add()
            cluster.wait_ready()
            self.assert_nothing_lost(cluster, load)

    def test_who_was_removed_is_in_nobodys_way(self):
        with Cluster(3, node_timeout=1000, gossip_interval=300) as cluster:
            gone = self.kill(cluster, cluster.nodes[2])
            a, b = cluster.nodes
            self.change(a, "CLUSTER", "FORGET", gone)
            cluster.wait_ready()
            identity = b.id()
            with a.connect() as connection:
                reply = str(connection.ask("DYN.REMOVE", identity))
                self.assertRegex(reply, "^ERR node %s is still heard by node" % identity)
            # Of two that live the one can remove the other, by force, by a majority.
            self.change(a, "DYN.REMOVE", identity, "FORCE")
            cluster.nodes.remove(b)
            self.assertEqual(b.wait_end(), 1)
            self.assertIn("this node was removed from its ring", b.log())
            cluster.wait_ready()

    def test_a_ring_in_motion_says_for_whom_it_waits(self):
        with Cluster(3, node_timeout=1000, gossip_interval=300, transfer_rate="200kb") as cluster:
            with cluster.nodes[0].connect() as connection:
                for i in range(1000):
                    connection.call("SET", "slow:%d" % i, "x" * 2000)
            joiner = cluster.add()
            node = cluster.nodes[0]
            self.wait_for(lambda: node.status("ring-phase") == 1, "no motion")
            identity = joiner.id()
            with node.connect() as connection:
                status = pairs(connection.call("DYN.STATUS"))
                self.assertEqual(status["waiting-for"], identity.encode())
                members = {pairs(member)["id"].decode(): pairs(member)
                           for member in connection.call("DYN.NODES")}
                self.assertEqual(members[identity]["status"], b"joining")
                self.assertEqual(members[identity]["tokens"], 0)
            self.assertGreater(joiner.status("transfers"), 0)
            # One that joins and dies keeps the ring in motion, until it is removed.
            self.kill(cluster, joiner)
            self.assertEqual(node.status("ring-phase"), 1)
            self.change(node, "DYN.REMOVE", identity)
            cluster.wait_ready()
            self.assertEqual(node.status("waiting-for"), b"")

    def test_whose_copies_are_missed_is_said(self):
        with Cluster(5, node_timeout=1000, gossip_interval=300) as cluster:
            with cluster.nodes[0].connect() as connection:
                for i in range(500):
                    connection.call("SET", "missed:%d" % i, "v")
            gone = [self.kill(cluster, cluster.nodes[-1]) for _ in range(2)]
            joiner = cluster.add()
            # Of partitions that both had one copy is left, and a quorum may be without that one.
            self.wait_for(lambda: joiner.serves() and
                          set(gone) <= set(joiner.status("waiting-for").decode().split()),
                          "the joiner does not say whom it misses")
            self.assertEqual(joiner.status("ring-phase"), 1)
            # Until node-timeout is over the joiner takes all members for alive.
            with cluster.nodes[0].connect() as connection:
                self.wait_for(lambda: connection.ask("DYN.REMOVE", *gone) == "OK", "still heard")
            cluster.wait_ready()
            with joiner.connect() as connection:
                for i in range(500):
                    self.assertEqual(connection.call("GET", "missed:%d" % i), b"v")

    def test_the_rate_of_transfer_can_be_changed(self):
        with Cluster(3, gossip_interval=300, transfer_rate="100kb") as cluster:
            with cluster.nodes[0].connect() as connection:
                for i in range(1000):
                    connection.call("SET", "slow:%d" % i, "x" * 2000)
            cluster.add(transfer_rate="100kb")
            self.wait_for(lambda: cluster.nodes[0].status("ring-phase") == 1, "no motion")
            time.sleep(1)
            self.assertEqual(cluster.nodes[0].status("ring-phase"), 1)
            for node in cluster.nodes:
                self.change(node, "CONFIG", "SET", "transfer-rate", "0")
            cluster.wait_ready()


if __name__ == "__main__":
    unittest.main()
