"""Runs one unit of Redis's Tcl suite against a server that listens, and reads what it printed. A
harness process for each unit: one that hangs or dies takes no other with it.

And the skip file: which tests are left out, and why."""

import collections
import os
import random
import re
import shutil
import signal
import subprocess
import time

# What a store without replicas' streams, RDB files and Redis's memory limit cannot be asked. The
# units that also run with SELECT are asked what needs DEBUG, too.
TAGS = {True: "-slow -needs:repl -needs:debug -needs:save -needs:config-maxmemory",
        False: "-slow -needs:repl"}
# Seconds without progress until the harness gives up.
IDLE_SECONDS = 60

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MARK = re.compile(r"^\[(ok|err|skip|ignore|exception|TIMEOUT|ready|testing|\d+/\d+ done)\]: ?(.*)$")
TOOK = re.compile(r" \(\d+ ms\)$")

# A reason is one of these, or several, separated by commas; a "difference" says which.
REASONS = ("lists", "hashes", "sets", "sorted sets", "streams", "Lua", "RDB", "replication")
DIFFERENCE = "difference: "


class Outcome:
    """What one run of a unit did: how often each test passed, how it failed, and whether tests
    were lost since the unit's own code, between tests, raised an error."""

    def __init__(self):
        self.passed = collections.Counter()
        self.failed = {}  # name: what the harness said, once for each time
        self.skipped = collections.Counter()
        self.ignored = 0  # by a tag
        self.early = []  # errors outside tests
        self.seconds = 0.0

    def names(self):
        """Of all tests that ran, with how often."""
        ran = collections.Counter(self.passed)
        for name, details in self.failed.items():
            ran[name] += len(details)
        return ran


def parse(path, text):
    """The Outcome in a harness's output about the unit of that path."""
    outcome = Outcome()
    finished = False
    entries = []
    for line in COLOUR.sub("", text).splitlines():
        match = MARK.match(line)
        if match:
            entries.append((match.group(1), [match.group(2)]))
        elif line.strip() == "The End":
            break
        elif entries:
            entries[-1][1].append(line)
    place = " in tests/%s.tcl" % path
    for mark, lines in entries:
        first = lines[0]
        if mark == "ok":
            outcome.passed[TOOK.sub("", first)] += 1
        elif mark == "err" and first.endswith(place):
            detail = "\n".join(lines[1:]).strip()
            outcome.failed.setdefault(first[:-len(place)], []).append(detail)
        elif mark in ("err", "exception", "TIMEOUT"):
            outcome.early.append("\n".join(lines).strip())
        elif mark == "skip":
            outcome.skipped[first] += 1
        elif mark == "ignore":
            outcome.ignored += 1
        elif mark.endswith("done"):
            finished = True
    if not finished and not outcome.early:
        outcome.early.append("the harness ended before the unit did")
    return outcome


def run_unit(source, unit, port, log_path, skip=(), only=()):
    """Runs `unit` against 127.0.0.1:`port`, without the tests named in `skip`, or `only` some."""
    command = ["tclsh", "tests/test_helper.tcl", "--host", "127.0.0.1", "--port", str(port),
               "--clients", "1", "--durable", "--no-latency", "--ignore-encoding",
               "--ignore-digest", "--timeout", str(IDLE_SECONDS), "--tags",
               TAGS[unit.singledb], "--baseport", str(random.randrange(21000, 31000)),
               "--single", unit.path]
    if unit.singledb:
        command.append("--singledb")
    if skip:
        with open(log_path + ".skip", "w", encoding="utf-8") as file:
            file.write("\n".join(sorted(skip)) + "\n")
        command += ["--skipfile", log_path + ".skip"]
    for name in only:
        command += ["--only", name]
    start = time.monotonic()
    with open(log_path, "wb") as log:
        # A session of its own: what the harness leaves behind ends with it.
        harness = subprocess.Popen(command, cwd=source, stdout=log, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, start_new_session=True,
                                   env=dict(os.environ, LC_ALL="C.UTF-8"))
        try:
            harness.wait(10 * IDLE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            try:
                os.killpg(harness.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            harness.wait()
    with open(log_path, encoding="utf-8", errors="replace") as log:
        outcome = parse(unit.path, log.read())
    outcome.seconds = time.monotonic() - start
    return outcome


class SkipFileError(Exception):
    """A line that is not right."""


def read_skips(path):
    """{unit: {test: reason}} of the skip file, whose lines are `unit | test | reason`."""
    skips = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            unit, _, rest = line.partition(" | ")
            name, _, reason = rest.rpartition(" | ")
            where = "%s:%d: " % (path, number)
            if not unit or not name or not reason:
                raise SkipFileError(where + "not `unit | test | reason`")
            if name.startswith("/"):
                raise SkipFileError(where + "a test's name is meant, not a pattern")
            if not reason.startswith(DIFFERENCE) and \
                    not all(part in REASONS for part in reason.split(", ")):
                raise SkipFileError(where + "the reason must be of %s, or start with '%s'" %
                                    (", ".join(REASONS), DIFFERENCE))
            if name in skips.setdefault(unit, {}):
                raise SkipFileError(where + "the test is there twice")
            skips[unit][name] = reason
    return skips


def kind(reason):
    """What a skipped test is counted under: the first thing it needs, or "difference"."""
    return "difference" if reason.startswith(DIFFERENCE) else reason.split(", ")[0]


def missing_tools():
    """What is not installed of what the harness needs."""
    return [tool for tool in ("tclsh", "redis-server") if shutil.which(tool) is None]
