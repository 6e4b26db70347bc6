#!/usr/bin/python3
"""How a node catches up: clients write at a fixed rate over a set of keys, one node is killed, is
away for a while and is started again, the load going on. Measures how long after its start it
agrees with its peers (they keep no more hints for it, and DYN.REPAIR finds nothing to repair) and
how many bytes hints and anti-entropy took for that, against the bytes that differed. Then every key
written in its absence is read from it alone. The exit status is 1 when it took too long or too much.

    redis-tests/recovery.py [--nodes 5] [--keys 100000] [--rate 2000] [--away 30]
"""

import argparse
import random
import sys
import threading
import time

from cluster import Cluster, ReplyError, pairs

VALUE_BYTES = 1024
BATCH = 20
AGREE_SECONDS = 10
# Nobody asks for a repair before: what the nodes do of themselves is to be measured.
UNDISTURBED_SECONDS = 3
MOST_TIMES_THE_DIFFERENCE = 3
COUNTERS = ("hints-bytes-sent", "anti-entropy-bytes-sent", "anti-entropy-keys-repaired",
            "hints-delivered", "read-repairs")


def value_of(number):
    return (b"%d " % number).ljust(VALUE_BYTES, b"v")


class Writer:
    """One thread that writes through one node. `last` is the number that each of its keys was last
    acknowledged with; a key has one writer, so that what stays is known."""

    def __init__(self, node, keys, rate, chance):
        self.node = node
        self.keys = keys
        self.gap = BATCH / rate
        self.chance = chance
        self.last = {}
        self.failures = []
        self.number = 0
        self.lag = 0
        self.stopping = False
        self.thread = threading.Thread(target=self.work)

    def fill(self):
        """Every key once, as fast as it goes."""
        with self.node.connect() as connection:
            for first in range(0, len(self.keys), 200):
                self.write(connection, self.keys[first:first + 200])

    def work(self):
        try:
            with self.node.connect() as connection:
                due = time.monotonic()
                while not self.stopping:
                    self.write(connection, self.chance.sample(self.keys, BATCH))
                    due += self.gap
                    self.lag = max(self.lag, time.monotonic() - due)
                    time.sleep(max(0, due - time.monotonic()))
        except OSError as error:
            self.failures.append(repr(error))

    def write(self, connection, keys):
        numbers = range(self.number, self.number + len(keys))
        self.number += len(keys)
        for key, number in zip(keys, numbers):
            connection.send("SET", key, value_of(number))
        for key, number in zip(keys, numbers):
            answer = connection.read()[1]
            if isinstance(answer, ReplyError):
                self.failures.append(str(answer))
            else:
                self.last[key] = number


class Recovery:

    def __init__(self, cluster, keys, rate):
        self.victim, *self.others = cluster.nodes
        names = ["key:%d" % i for i in range(keys)]
        count = len(self.others)
        self.writers = [Writer(node, names[i::count], rate / count, random.Random(i))
                        for i, node in enumerate(self.others)]
        self.nodes = cluster.nodes

    def counters(self):
        """Of the others: the victim's begin anew."""
        sums = dict.fromkeys(COUNTERS, 0)
        for node in self.nodes:
            with node.connect() as connection:
                status = pairs(connection.call("DYN.STATUS"))
            for name in COUNTERS:
                sums[name] += status[name]
        return sums

    def fill(self):
        threads = [threading.Thread(target=writer.fill) for writer in self.writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def measure(self, away):
        """The figures."""
        for writer in self.writers:
            writer.thread.start()
        time.sleep(1)
        self.victim.kill()
        killed = [dict(writer.last) for writer in self.writers]
        time.sleep(away)
        hints = sum(node.status("hints-pending") for node in self.others)
        before = {name: sum(node.status(name) for node in self.others) for name in COUNTERS}
        missed = self.missed_since(killed)
        began = time.monotonic()
        self.victim.start()
        serves = self.wait_until(began, self.victim.serves)
        drained = self.wait_until(
            began, lambda: all(node.status("hints-pending") == 0 for node in self.others))
        time.sleep(max(0, began + UNDISTURBED_SECONDS - time.monotonic()))
        agreed = self.wait_until(began, self.nothing_to_repair)
        after = self.counters()
        for writer in self.writers:
            writer.stopping = True
        for writer in self.writers:
            writer.thread.join()
        copies = self.copies_of_victim(missed)
        self.check_reads(copies)
        sent = {name: after[name] - before[name] for name in COUNTERS}
        return {
            "writes": sum(writer.number for writer in self.writers),
            "failed-writes": sum(len(writer.failures) for writer in self.writers),
            "load-lag": max(writer.lag for writer in self.writers),
            "hints": hints,
            "differing-keys": len(copies),
            "differing-bytes": len(copies) * VALUE_BYTES,
            "all-bytes": self.keys_of_victim() * VALUE_BYTES,
            "serves-after": serves,
            "drained-after": drained,
            "agreed-after": agreed,
            # What a comparison is answered with counts as read repair.
            "bytes": sent["hints-bytes-sent"] + sent["anti-entropy-bytes-sent"] +
                     sent["read-repairs"] * VALUE_BYTES,
            **sent,
        }

    def wait_until(self, began, condition):
        while not condition():
            if time.monotonic() - began > 6 * AGREE_SECONDS:
                raise RuntimeError("not agreed after %d s" % (6 * AGREE_SECONDS))
            time.sleep(0.05)
        return time.monotonic() - began

    def nothing_to_repair(self):
        with self.victim.connect(60) as connection:
            return connection.call("DYN.REPAIR") == 0

    def missed_since(self, killed):
        return [(key, number) for writer, then in zip(self.writers, killed)
                for key, number in list(writer.last.items()) if then.get(key) != number]

    def copies_of_victim(self, missed):
        """Of these keys, those that the victim replicates."""
        with self.victim.connect() as connection:
            held = self.slots_of_victim(connection)
            slots = self.ask_all(connection, [("CLUSTER", "KEYSLOT", key) for key, _ in missed])
        return [pair for pair, slot in zip(missed, slots) if slot in held]

    def slots_of_victim(self, connection):
        identity = connection.call("CLUSTER", "MYID")
        return {slot for first, last, nodes in connection.call("DYN.RING") if identity in nodes
                for slot in range(first, last + 1)}

    def keys_of_victim(self):
        with self.victim.connect() as connection:
            return (len(self.slots_of_victim(connection)) *
                    sum(len(writer.keys) for writer in self.writers) // 16384)

    def check_reads(self, copies):
        """With R = 1 a replica answers from its own copy."""
        last = {key: number for writer in self.writers for key, number in writer.last.items()}
        with self.victim.connect(60) as connection:
            connection.call("DYN.QUORUM", "R", 1)
            keys = [key for key, _ in copies]
            values = self.ask_all(connection, [("GET", key) for key in keys])
        stale = [key for key, value in zip(keys, values)
                 if isinstance(value, ReplyError) or value is None or
                 int(value.split()[0]) < last[key]]
        if stale:
            raise RuntimeError("%d of %d keys written in its absence are stale there: %s" % (
                len(stale), len(keys), stale[:5]))

    @staticmethod
    def ask_all(connection, commands):
        answers = []
        for first in range(0, len(commands), 200):
            for command in commands[first:first + 200]:
                connection.send(*command)
            answers += [connection.read()[1] for _ in commands[first:first + 200]]
        return answers


def run(nodes, keys, rate, away):
    """(figures, what is wrong with them)"""
    with Cluster(nodes) as cluster:
        recovery = Recovery(cluster, keys, rate)
        recovery.fill()
        figures = recovery.measure(away)
    wrong = []
    if figures["failed-writes"] > 0:
        wrong.append("%d writes failed" % figures["failed-writes"])
    if figures["agreed-after"] > AGREE_SECONDS:
        wrong.append("it agreed after %.1f s, not %d" % (figures["agreed-after"], AGREE_SECONDS))
    times = figures["bytes"] / max(1, figures["differing-bytes"])
    figures["times-the-difference"] = times
    if times > MOST_TIMES_THE_DIFFERENCE:
        wrong.append("%.1f times the bytes that differed were sent" % times)
    return figures, wrong


def text_of(figures):
    return "\n".join("%26s  %s" % (name, "%.2f" % value if isinstance(value, float) else value)
                     for name, value in figures.items())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=2000, help="writes a second")
    parser.add_argument("--away", type=float, default=30, help="seconds")
    arguments = parser.parse_args()
    figures, wrong = run(arguments.nodes, arguments.keys, arguments.rate, arguments.away)
    print("recovery: %d nodes, %d keys of %d bytes, %d writes/s, away for %g s" % (
        arguments.nodes, arguments.keys, VALUE_BYTES, arguments.rate, arguments.away))
    print(text_of(figures))
    for line in wrong:
        print("recovery: " + line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
