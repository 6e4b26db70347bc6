#!/usr/bin/python3
"""Redis 7.0.15's own test suite, black box, against a ring of three Cartwheel nodes: a harness
process and a fresh ring for each unit.

    redis_suite.py [UNIT]...          default: all; a unit is named as in the table, e.g. `string`
                                      or `string+select`, which is the one with SELECT
                   --whole            only the units of which every test must pass
                   --baseline         on redis-server instead
                   --check-reasons    the skip file instead: a test that is left out since it needs,
                                      say, lists, must fail on a redis-server without them
                   --skip FILE        default: redis_suite.skip beside this
                   --jobs N           units run at a time; default 1
                   --write DOCUMENT   puts the table into it, after a run of all units
                   --logs DIRECTORY   default: logs in the cache (suite_sources.py)

How many tests a unit has is asked of redis-server once and kept in the cache. A test of those that
was neither left out nor passed counts as failed, also when it never ran.

The exit status is 1 when a unit passes less than it must, 2 when the skip file is wrong, 77 when
the suite could not be had."""

import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys

import document
import suite_harness
import suite_sources
from cluster import BINARY, Cluster, RedisServer

Unit = collections.namedtuple("Unit", "name path singledb must")

HERE = os.path.dirname(os.path.abspath(__file__))
# How many percent must pass of the tests that are not left out; 0: reported only.
UNITS = [
    Unit("string", "unit/type/string", True, 100),
    Unit("incr", "unit/type/incr", True, 100),
    Unit("expire", "unit/expire", True, 100),
    Unit("keyspace", "unit/keyspace", True, 90),
    Unit("protocol", "unit/protocol", True, 100),
    Unit("scan", "unit/scan", True, 90),
    Unit("quit", "unit/quit", True, 100),
    Unit("pubsub", "unit/pubsub", True, 90),
    Unit("multi", "unit/multi", True, 90),
    Unit("introspection", "unit/introspection", True, 90),
    Unit("introspection-2", "unit/introspection-2", True, 90),
    Unit("info-command", "unit/info-command", True, 90),
    Unit("slowlog", "unit/slowlog", True, 90),
    Unit("bitops", "unit/bitops", True, 100),
    Unit("bitfield", "unit/bitfield", True, 100),
    Unit("hyperloglog", "unit/hyperloglog", True, 100),
    Unit("other", "unit/other", True, 0),
    Unit("dump", "unit/dump", True, 0),
    Unit("pause", "unit/pause", True, 0),
    Unit("latency-monitor", "unit/latency-monitor", True, 0),
    Unit("string+select", "unit/type/string", False, 100),
    Unit("incr+select", "unit/type/incr", False, 100),
    Unit("expire+select", "unit/expire", False, 100),
    Unit("keyspace+select", "unit/keyspace", False, 90),
]

# The commands that a redis-server must do without to be without a thing: those of the ACL
# categories, and these. FUNCTION FLUSH stays, with which the harness begins.
WITHOUT = {
    "lists": (["list"], []),
    "hashes": (["hash"], []),
    "sets": (["set"], []),
    "sorted sets": (["sortedset", "geo"], []),
    "streams": (["stream"], []),
    "Lua": (["scripting"], []),
    "RDB": ([], ["save", "bgsave"]),
    "replication": ([], ["sync", "psync", "replicaof", "slaveof", "failover"]),
}
OF_ALL_TYPES = {"sort", "sort_ro", "function"}

NEVER_RAN = "never ran"
BEGIN = "<!-- The table of `make redis-suite` -->"
END = "<!-- end of the table -->"


class Row:
    """What became of a unit's tests."""

    def __init__(self, unit, baseline, skips, outcome):
        self.unit = unit
        self.total = sum(baseline.values())
        self.skipped = collections.Counter()
        self.passed = 0
        self.failed = []  # (test, what was said)
        self.early = outcome.early
        self.seconds = outcome.seconds
        for name, times in baseline.items():
            if name in skips:
                self.skipped[suite_harness.kind(skips[name])] += times
                continue
            details = list(outcome.failed.get(name, []))
            passed = min(outcome.passed[name], times)
            self.passed += max(0, min(passed, times - len(details)))
            details += [NEVER_RAN] * (times - passed - len(details))
            self.failed += [(name, detail) for detail in details]
        for name, details in outcome.failed.items():
            if name not in baseline:
                self.failed += [(name, "not a test on redis-server: " + detail)
                                for detail in details]

    def asked(self):
        return self.total - sum(self.skipped.values())

    def good(self):
        return 100 * self.passed >= self.unit.must * self.asked() and \
            not (self.unit.must == 100 and self.failed)


def ring_options():
    """Options for the ring that this build of Cartwheel has, as the suite's redis-server has."""
    text = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
    return {"enable_debug_command": "yes"} if "--enable-debug-command" in text else {}


class Suite:
    """The suite's sources, the logs, and the table of what redis-server does."""

    def __init__(self, source, logs, skips):
        self.source = source
        self.logs = logs
        self.skips = skips

    def log(self, unit, what):
        directory = os.path.join(self.logs, what.replace(" ", "-"))
        os.makedirs(directory, exist_ok=True)
        return os.path.join(directory, unit.name + ".log")

    def on_redis(self, unit, what="redis-server", options=(), **choice):
        """A run against a fresh redis-server."""
        with RedisServer("--enable-debug-command", "yes", "--enable-protected-configs", "yes",
                         "--enable-module-command", "yes", *options) as server:
            return suite_harness.run_unit(self.source, unit, server.port, self.log(unit, what),
                                          **choice)

    def baseline(self, unit):
        """How often each test of the unit runs on redis-server; asked once."""
        path = os.path.join(self.source, "baseline", unit.name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            if kept["tags"] == suite_harness.TAGS[unit.singledb]:
                return collections.Counter(kept["tests"])
        outcome = self.on_redis(unit)
        if outcome.early:
            raise RuntimeError("%s on redis-server: %s" % (unit.name, outcome.early))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"tags": suite_harness.TAGS[unit.singledb], "tests": outcome.names()}, file)
        return outcome.names()

    def on_ring(self, unit):
        """The Outcome of a run through one node of a fresh ring: not always the same one."""
        skips = self.skips.get(unit.path, {})
        with Cluster(3, **ring_options()) as ring:
            node = ring.nodes[UNITS.index(unit) % len(ring.nodes)]
            outcome = suite_harness.run_unit(self.source, unit, node.port,
                                             self.log(unit, "cartwheel"), skip=skips)
            ended = [other.log()[-600:] for other in ring.nodes
                     if other.process.poll() is not None]
        outcome.early += ["a node ended: " + log for log in ended]
        return outcome

    def rows(self, units, jobs):
        """Runs the units, so many at a time, and says what became of them."""
        # This one takes as long as many others together: it does not stand at the end of the queue.
        queue = sorted(units, key=lambda unit: unit.name != "hyperloglog")
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            outcomes = {unit: pool.submit(self.on_ring, unit) for unit in queue}
            baselines = {unit: pool.submit(self.baseline, unit) for unit in queue}
        return [Row(unit, baselines[unit].result(), self.skips.get(unit.path, {}),
                    outcomes[unit].result()) for unit in units]

    def unknown_skips(self, units):
        """Lines of the skip file that leave out tests which the units do not have."""
        found = []
        for path in sorted({unit.path for unit in units} & set(self.skips)):
            known = set().union(*(self.baseline(unit) for unit in UNITS if unit.path == path))
            found += ["%s | %s: no such test" % (path, name) for name in self.skips[path]
                      if name not in known]
        return found

    def wrong_reasons(self, unit):
        """Tests of the unit that pass without what they are said to need."""
        skips = {name: reason.split(", ") for name, reason in
                 self.skips.get(unit.path, {}).items()
                 if not reason.startswith(suite_harness.DIFFERENCE)}
        baseline = self.baseline(unit)
        if not skips:
            return []
        # A test that fails may leave a mess for the next, so run those alone that can be.
        outcome = self.on_redis(unit, "with all", only=skips)
        alone = {name for name in skips if outcome.passed[name] == baseline[name]}
        wrong = []
        for thing in WITHOUT:
            named = {name for name, things in skips.items() if thing in things}
            for names, choice in ((named & alone, {"only": named & alone}),
                                  (named - alone, {"skip": set(skips) - named})):
                if names:
                    outcome = self.on_redis(unit, "without " + thing, without(thing), **choice)
                    wrong += ["%s: passes without %s" % (name, thing) for name in sorted(names)
                              if outcome.passed[name] == baseline[name]]
        return wrong


def without(thing):
    """The options of a redis-server that has not the thing's commands."""
    categories, commands = WITHOUT[thing]
    with RedisServer() as server, server.connect() as connection:
        for category in categories:
            listed = connection.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", category)
            commands = commands + [name.decode().split("|")[0] for name in listed]
    options = []
    for name in sorted(set(commands) - OF_ALL_TYPES):
        options += ["--rename-command", name, ""]
    return options


def said(detail):
    """A failure in a line. Of an error that is no failed assertion the harness cuts ten characters
    off, and repeats it in full."""
    lines = detail.strip().splitlines() or [""]
    full = len(lines) > 1 and lines[1].endswith(lines[0]) and lines[1]
    return "".join(c if c.isprintable() else "?" for c in (full or lines[0])[:150])


def print_rows(rows):
    print("%-16s %6s %7s %7s %8s %6s  %s" % ("unit", "redis", "passed", "failed", "skipped",
                                             "s", "must, and what was left out"))
    for row in rows:
        note = "%d %%" % row.unit.must if row.unit.must else ""
        note += "" if row.good() else " NOT REACHED"
        note += "".join("; %d %s" % (times, reason) for reason, times in
                        sorted(row.skipped.items()))
        note += "; ENDED EARLY" if row.early else ""
        print("%-16s %6d %7d %7d %8d %6.0f  %s" %
              (row.unit.name, row.total, row.passed, len(row.failed), sum(row.skipped.values()),
               row.seconds, note.strip("; ")))
    for row in rows:
        for text in row.early:
            print("\n%s ended early: %s" % (row.unit.name, text[:700]))
        if row.failed:
            print("\n%s failed:" % row.unit.name)
        for name, detail in row.failed:
            if detail != NEVER_RAN:
                print("  %s: %s" % (name, said(detail)))
        lost = [name for name, detail in row.failed if detail == NEVER_RAN]
        if lost:
            print("  and %d never ran, from '%s' to '%s'" % (len(lost), lost[0], lost[-1]))
    sys.stdout.flush()


def markdown(rows):
    """The table for the document."""
    lines = ["| unit | tests on redis-server | passed | failed | skipped |",
             "|---|---|---|---|---|"]
    for row in rows:
        skipped = ", ".join("%d %s" % (times, reason)
                            for reason, times in sorted(row.skipped.items()))
        name = row.unit.name.replace("+select", ", with SELECT")
        lines.append("| %s | %d | %d | %d | %s |" %
                     (name, row.total, row.passed, len(row.failed), skipped))
    return "\n".join(lines)


def check_reasons(suite, units):
    wrong = ["%s | %s" % (unit.path, text) for unit in units for text in suite.wrong_reasons(unit)]
    print("\n".join(wrong) or "every test that is left out needs what is said")
    return 2 if wrong else 0


def run(suite, units, arguments):
    if arguments.baseline:
        for unit in units:
            outcome = suite.on_redis(unit)
            print("%-16s %4d passed, %d failed, %d left out by tags, %.0f s%s" % (
                unit.name, sum(outcome.passed.values()), len(outcome.failed), outcome.ignored,
                outcome.seconds, ", ENDED EARLY" if outcome.early else ""), flush=True)
        return 0
    if arguments.check_reasons:
        return check_reasons(suite, units)
    rows = suite.rows(units, arguments.jobs)
    print_rows(rows)
    unknown = suite.unknown_skips(units)
    if unknown:
        print("\n".join(unknown))
        return 2
    if arguments.write and units == UNITS:
        document.write(arguments.write, BEGIN, END, markdown(rows))
    return 0 if all(row.good() for row in rows) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", nargs="*", metavar="UNIT")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--baseline", action="store_true")
    parser.add_argument("--check-reasons", action="store_true")
    parser.add_argument("--skip", default=os.path.join(HERE, "redis_suite.skip"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write")
    parser.add_argument("--logs")
    arguments = parser.parse_args()
    known = {unit.name: unit for unit in UNITS}
    for name in arguments.units:
        if name not in known:
            parser.error("no unit '%s': %s" % (name, " ".join(known)))
    units = [known[name] for name in arguments.units] or UNITS
    if arguments.whole:
        units = [unit for unit in units if unit.must == 100]
    missing = suite_harness.missing_tools()
    try:
        if missing:
            raise suite_sources.SourcesMissing(" and ".join(missing) + " not installed")
        source = suite_sources.fetch()
        skips = suite_harness.read_skips(arguments.skip)
    except suite_sources.SourcesMissing as error:
        print("REDIS'S TEST SUITE DID NOT RUN: %s" % error)
        return 77
    except suite_harness.SkipFileError as error:
        print(error)
        return 2
    logs = arguments.logs or os.path.join(suite_sources.cache_directory(), "logs")
    return run(Suite(source, logs, skips), units, arguments)


if __name__ == "__main__":
    sys.exit(main())
