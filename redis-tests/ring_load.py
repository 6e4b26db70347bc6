"""A load on a ring that changes: threads that write and read through all nodes and know what they
were told. Each has counters of its own, which it SETs to rising numbers, and adds to carts that it
shares with the others: DYN.GET, the union of the siblings and one thing more, DYN.PUT with the
context. What was acknowledged must be there whatever became of the ring meanwhile."""

import random
import threading

from cluster import ReplyError

COUNTERS = 40  # of each thread
CARTS = 30     # of all


def things(values):
    """What is in a cart, all siblings together."""
    return {thing for value in values for thing in value.split()}


class RingLoad:
    """A context manager. Errors are in `failures`, but for those on connections to nodes that
    `excuse` named: such a node is left alone from then on, and what it was asked is unknown."""

    def __init__(self, nodes, threads=6):
        self.nodes = list(nodes)
        self.excused = set()
        self.leaving = set()
        self.failures = []
        self.done = 0
        self.counters = {}  # key: (acknowledged, tried last)
        self.carts = {"cart:%d" % i: set() for i in range(CARTS)}
        self.lock = threading.Lock()
        self.stopping = False
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()

    def excuse(self, node):
        self.excused.add(node)
        self.nodes = [other for other in self.nodes if other is not node]

    def let_go(self, node):
        """It is told to leave: it serves until its process ends, and may only hang up then."""
        self.leaving.add(node)

    def add(self, node):
        self.nodes = self.nodes + [node]

    def work(self, number):
        chance = random.Random(number)
        connections = {}
        turn = 0
        while not self.stopping:
            turn += 1
            node = chance.choice(self.nodes)
            try:
                if node not in connections:
                    connections[node] = node.connect(10)
                self.act(connections[node], chance, number, turn)
                self.done += 1
            except (ReplyError, OSError) as error:
                if node in connections:
                    connections.pop(node).close()
                if node in self.leaving and isinstance(error, OSError):
                    self.nodes = [other for other in self.nodes if other is not node]
                elif node not in self.excused:
                    self.failures.append("port %d: %r" % (node.port, error))
        for connection in connections.values():
            connection.close()

    def act(self, connection, chance, number, turn):
        if chance.random() < 0.6:
            key = "counter:%d:%d" % (number, chance.randrange(COUNTERS))
            acknowledged, _ = self.counters.get(key, (0, 0))
            if chance.random() < 0.5:
                value = connection.call("GET", key)
                if acknowledged and (value is None or int(value) < acknowledged):
                    self.failures.append("GET %s: %r, not %d" % (key, value, acknowledged))
                return
            self.counters[key] = (acknowledged, turn)
            connection.call("SET", key, turn)
            self.counters[key] = (turn, turn)
            return
        cart = "cart:%d" % chance.randrange(CARTS)
        thing = b"%d:%d" % (number, turn)
        with self.lock:
            known = set(self.carts[cart])
        context, values = connection.call("DYN.GET", cart)
        found = things(values)
        if known - found:
            self.failures.append("DYN.GET %s lacks %s" % (cart, sorted(known - found)[:5]))
        connection.call("DYN.PUT", cart, context, b" ".join(sorted(found | {thing})))
        with self.lock:
            self.carts[cart].add(thing)

    def lost(self, connection):
        """What was acknowledged and is not there at R = 1 for who asks this node, in lines."""
        lines = []
        for key, (acknowledged, tried) in sorted(self.counters.items()):
            values = connection.call("DYN.GET", key, "R", "1")[1]
            if acknowledged and not any(acknowledged <= int(value) <= tried for value in values):
                lines.append("%s: %s, not %d" % (key, values, acknowledged))
        for cart, wanted in self.carts.items():
            missing = wanted - things(connection.call("DYN.GET", cart, "R", "1")[1])
            if missing:
                lines.append("%s lacks %s" % (cart, sorted(missing)[:5]))
        return lines
