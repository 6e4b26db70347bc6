#!/usr/bin/python3
"""Chaos: five real nodes whose buses a proxy joins (fault_proxy.cc), clients that write all the
while (chaos_client.cc), and faults by a seeded schedule. After each kind of fault everything is
healed, hints must get where they belong, the clients go on for a moment in which nothing may fail,
the nodes must agree, and what the clients were told is checked. At the end a table; the exit status
is 1 when anything was violated. Of the table: "stale" are reads that missed something where
fallbacks may have taken part, which is allowed; "stale-read" those that must not (quorum_watch.h).

    redis-tests/chaos.py [--seed S] [--minutes M] [--kills N] [--faults KIND,...]

The seed repeats the schedule, not the order in which processes run."""

import argparse
import collections
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import cluster

NODES = 5
PROGRAMS = os.environ.get("CARTWHEEL_CHAOS", os.path.join(cluster.ROOT, "build", "redis-tests"))
AGREE_SECONDS = 60
CALM_SECONDS = 0.5
# The longest that an operation takes: what began during a fault may still fail.
OPERATION_SECONDS = 1.1
# Of the checker's findings, those that have a column of their own.
COLUMNS = ("lost", "resurrected", "stale-read")
OTHERS = ("invented", "two-values", "wrong-answer", "unexpected")
# Kinds during which one node of five at most is not there: nobody else refuses anything.
ONE_GONE = ("kill-cycles", "kill", "terminate")
FAILURES = ("unknown", "refused", "unreachable", "failed-reads")


class Program:
    """A child that answers each line with lines, the last of which begins with "ok"."""

    def __init__(self, name, *arguments):
        self.name = name
        self.process = subprocess.Popen(
            [os.path.join(PROGRAMS, name), *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        self.lock = threading.Lock()

    def read(self):
        lines = []
        while not lines or not lines[-1].startswith("ok"):
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("%s ended with status %d" % (self.name, self.process.wait()))
            if line.startswith("error"):
                raise RuntimeError(self.name + ": " + line.strip())
            lines.append(line.rstrip("\n"))
        return lines

    def ask(self, *words):
        """The lines of the answer."""
        with self.lock:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(" ".join(map(str, words)) + "\n")
                self.process.stdin.flush()
            return self.read()

    def close(self):
        """The program ends when its stdin does."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def numbers(line):
    """"ok a=1 b=2" as a dictionary."""
    return {name: int(value) for name, value in (word.split("=") for word in line.split()[1:])}


class Faults:
    """The kinds of faults: each method brings one about, waits, and heals it. `longest` bounds how
    long one lasts."""

    def __init__(self, nodes, proxy, longest):
        self.nodes = nodes
        self.proxy = proxy
        self.longest = longest
        self.busy = set()  # nodes whose processes a fault has in hand
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def victims(self, chance, count=1):
        """So many nodes, or fewer, whose processes no other fault has in hand."""
        with self.lock:
            free = [i for i in range(NODES) if i not in self.busy]
            numbers = chance.sample(free, min(count, len(free)))
            self.busy.update(numbers)
        try:
            yield [self.nodes[number] for number in numbers]
        finally:
            with self.lock:
                self.busy.difference_update(numbers)

    def last(self, chance, least=0.3):
        """Some time, short ones as likely as long ones."""
        time.sleep(min(self.longest, least * (self.longest / least) ** chance.random()))

    def restart(self, nodes):
        for node in nodes:
            node.start()
        deadline = time.monotonic() + cluster.START_SECONDS
        for node in nodes:
            while not node.serves():
                if time.monotonic() > deadline:
                    raise RuntimeError("a node does not come back:\n" + node.log())
                time.sleep(0.02)

    def kill_and_restart(self, nodes, wait):
        for node in nodes:
            node.kill()
        wait()
        self.restart(nodes)

    def kill(self, chance):
        with self.victims(chance) as nodes:
            self.kill_and_restart(nodes, lambda: self.last(chance))

    def kill_many(self, chance):
        """Also all of them at once: under the same kernel nothing that was written is lost."""
        with self.victims(chance, chance.randint(2, NODES)) as nodes:
            self.kill_and_restart(nodes, lambda: self.last(chance))

    def terminate(self, chance):
        with self.victims(chance) as nodes:
            for node in nodes:
                node.stop()
            self.last(chance)
            self.restart(nodes)

    def stand_still(self, chance):
        with self.victims(chance) as nodes:
            for node in nodes:
                node.process.send_signal(signal.SIGSTOP)
            try:
                self.last(chance, 0.01)
            finally:
                for node in nodes:
                    node.process.send_signal(signal.SIGCONT)

    def on_ways(self, chance, ways, *rule):
        """`rule` is a command and its amount, for [(from, to)]."""
        for way in ways:
            self.proxy.ask(rule[0], *way, *rule[1:])
        self.last(chance)
        for way in ways:
            self.proxy.ask("heal", *way)

    def some_way(self, chance):
        """From one node to another, to all, or from all."""
        one, other = chance.sample(range(NODES), 2)
        return chance.choice([(one, other), (one, "*"), ("*", one)])

    def delay(self, chance):
        self.on_ways(chance, [self.some_way(chance)], "delay", chance.choice([5, 50, 300, 700]))

    def throttle(self, chance):
        self.on_ways(chance, [self.some_way(chance)], "throttle", chance.choice([2000, 20000]))

    def one_way_cut(self, chance):
        self.on_ways(chance, [self.some_way(chance)], chance.choice(["hold", "swallow"]))

    def cut(self, chance):
        """One node, or two, from all others."""
        side = chance.sample(range(NODES), chance.choice([1, 2]))
        rest = [i for i in range(NODES) if i not in side]
        ways = [way for a in side for b in rest for way in ((a, b), (b, a))]
        self.on_ways(chance, ways, chance.choice(["hold", "swallow"]))

    def half_open(self, chance):
        number = chance.randrange(NODES)
        self.proxy.ask("half-open", number)
        self.last(chance)
        self.proxy.ask("heal", "*", number)

    def reset(self, chance):
        for _ in range(chance.randint(1, 5)):
            self.proxy.ask("reset", *self.some_way(chance))
            time.sleep(chance.random() * min(self.longest, 1))

    def mixed(self, chance):
        """Two or three at once."""
        failures = []

        def bring_about(kind, seed):
            try:
                getattr(self, kind)(random.Random(seed))
            except Exception as error:  # for the thread that waits
                failures.append(error)
        threads = [threading.Thread(target=bring_about, args=(kind, chance.random()))
                   for kind in chance.choices(KINDS[:-1], k=chance.choice([2, 3]))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


KINDS = ("kill", "kill_many", "terminate", "stand_still", "delay", "throttle", "one_way_cut", "cut",
         "half_open", "reset", "mixed")


class Chaos:
    """A cluster behind the proxy with its clients; a context manager."""

    def __init__(self, seed, longest=20, rate=400, history=None):
        self.seed = seed
        self.chance = random.Random(seed)
        self.history = history or tempfile.gettempdir()
        announced = cluster.free_ports(NODES)
        self.cluster = cluster.Cluster(NODES, announce_bus_port=announced,
                                       fsync=["everysec", "always"] * (NODES // 2) + ["everysec"])
        self.nodes = self.cluster.nodes
        self.announced = announced
        self.longest = longest
        self.rate = rate
        self.rows = collections.defaultdict(collections.Counter)
        self.agreed = collections.defaultdict(list)
        self.drained = collections.defaultdict(list)
        self.violations = []
        self.episodes = 0
        self.programs = contextlib.ExitStack()

    def __enter__(self):
        try:
            ports = ["%d:%d" % (announced, node.bus_port)
                     for announced, node in zip(self.announced, self.nodes)]
            self.proxy = self.program("fault_proxy", *ports)
            self.proxy.read()
            self.cluster.start()
            for number, node in enumerate(self.nodes):
                with node.connect() as connection:
                    identity = connection.call("CLUSTER", "MYID").decode()
                    self.proxy.ask("node", number, identity[:16])
            # Links that were dialled before the proxy knew who is who. An operation that loses all
            # its links at once is refused.
            self.proxy.ask("reset", "*", "*")
            time.sleep(0.2)  # until all have met it
            self.cluster.wait_ready()
            self.client = self.program("chaos_client", self.history, self.rate,
                                       *[node.port for node in self.nodes])
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *unused):
        self.close()

    def program(self, name, *arguments):
        program = Program(name, *arguments)
        self.programs.callback(program.close)
        return program

    def close(self):
        for node in self.nodes:
            if node.process is not None:
                node.process.send_signal(signal.SIGCONT)
        try:
            self.programs.close()
        finally:
            self.cluster.stop()

    def counts(self):
        return collections.Counter(numbers(self.client.ask("counts")[-1]))

    def episode(self, kind, times, bring_about):
        """Load, `times` faults of a kind, then peace and the check."""
        self.episodes += 1
        row = self.rows[kind]
        self.client.ask("begin", "s%d-e%d-%s" % (self.seed, self.episodes, kind),
                        self.chance.getrandbits(63))
        time.sleep(0.3)
        for _ in range(times):
            before = self.counts()
            bring_about()
            during = self.counts() - before
            row.update(during)
            row["times"] += 1
            if kind in ONE_GONE and during["refused"] + during["refused-reads"] > 0:
                self.violation("violation refused with one node of %d gone, %s: %s" % (
                    NODES, kind, dict(during)))
            time.sleep(self.chance.random() * 0.5)
        self.calm(kind)
        lines = self.client.ask("finish", AGREE_SECONDS)
        result = numbers(lines[-1])
        agreed_ms = result.pop("agreed-ms")
        if agreed_ms >= 0:
            self.agreed[kind].append(agreed_ms / 1000)
        row.update(result)
        for line in lines[:-1]:
            self.violation(line)

    def violation(self, line):
        self.violations.append(line)
        print(line, flush=True)

    def calm(self, kind):
        """All is healed: hints get home, and from then on nothing is refused."""
        healed = time.monotonic()
        drained_ms = numbers(self.client.ask("drain", AGREE_SECONDS)[-1])["drained-ms"]
        if drained_ms < 0:
            return self.violation("violation hints remain after %d s: %s" % (
                AGREE_SECONDS, [node.status("hints-pending") for node in self.nodes]))
        self.drained[kind].append(drained_ms / 1000)
        time.sleep(max(0, healed + OPERATION_SECONDS - time.monotonic()))
        before = self.counts()
        time.sleep(CALM_SECONDS)
        calm = self.counts() - before
        failed = {name: calm[name] for name in FAILURES if calm[name] > 0}
        if failed:
            self.violation("violation failures after all was healed, %s: %s" % (kind, failed))

    def kill_cycles(self, times):
        """kill -9 of one node, again and again."""
        faults = Faults(self.nodes, self.proxy, self.longest)
        victim = [self.chance.choice(self.nodes)]
        for done in range(0, times, 50):
            self.episode("kill-cycles", min(50, times - done),
                         lambda: faults.kill_and_restart(
                             victim, lambda: time.sleep(self.chance.random() * 0.5)))

    def play(self, kinds, seconds):
        """Kinds of faults in turn, until the time is over."""
        faults = Faults(self.nodes, self.proxy, self.longest)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for kind in self.chance.sample(kinds, len(kinds)):
                if time.monotonic() < deadline:
                    self.episode(kind, self.chance.randint(1, 3),
                                 lambda method=getattr(faults, kind): method(self.chance))

    def table(self):
        heads = ("fault", "times", "acknowledged", "unknown", "refused", "reads", "failed-reads",
                 "refused-reads", *COLUMNS, "other", "twins", "stale", "certain-reads",
                 "drained (s)", "agreed (s)")

        def range_of(seconds):
            return "%.1f to %.1f" % (min(seconds), max(seconds)) if seconds else "never"
        lines = [heads]
        for kind, row in self.rows.items():
            lines.append((kind, row["times"], row["acknowledged"], row["unknown"], row["refused"],
                          row["reads"], row["failed-reads"], row["refused-reads"],
                          *[row[name] for name in COLUMNS],
                          sum(row[name] for name in OTHERS), row["twins"], row["stale"],
                          row["certain-reads"], range_of(self.drained[kind]),
                          range_of(self.agreed[kind])))
        widths = [max(len(str(line[i])) for line in lines) for i in range(len(heads))]
        return "\n".join("  ".join(str(cell).rjust(width) for cell, width in zip(line, widths))
                         for line in lines)


def main():
    # Whoever ends a long run gets its nodes ended as well.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit("chaos: terminated"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=0, help="of faults in turn")
    parser.add_argument("--kills", type=int, default=0, help="kill -9 cycles of one node, at first")
    parser.add_argument("--faults", default=",".join(KINDS), help="the kinds in turn")
    parser.add_argument("--longest", type=float, default=20, help="seconds that a fault lasts")
    arguments = parser.parse_args()
    kinds = arguments.faults.split(",")
    if not set(kinds) <= set(KINDS):
        sys.exit("chaos: the kinds of faults are " + ",".join(KINDS))
    replay = "redis-tests/chaos.py --seed %d --minutes %g --kills %d --faults %s --longest %g" % (
        arguments.seed, arguments.minutes, arguments.kills, arguments.faults, arguments.longest)
    print("chaos: " + replay, flush=True)
    with Chaos(arguments.seed, arguments.longest) as chaos:
        try:
            chaos.kill_cycles(arguments.kills)
            chaos.play(kinds, arguments.minutes * 60)
        finally:
            print(chaos.table())
    if chaos.violations:
        print("chaos: %d violations; again: %s" % (len(chaos.violations), replay))
    sys.exit(1 if chaos.violations else 0)


if __name__ == "__main__":
    main()
