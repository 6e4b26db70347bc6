"""Redis's own test suite against a ring of three: the units of which every test must pass (all
units: `make redis-suite`). Skipped, loudly, where the suite cannot be had.

And the runner itself: what a harness prints, good and bad, becomes the right counts."""

import collections
import os
import subprocess
import sys
import tempfile
import unittest

import document
import redis_suite
import suite_harness

HERE = os.path.dirname(os.path.abspath(__file__))

PRINTED = """Cleanup: may take some time... OK
[ready]: 4816
\x1b[1;37;49mTesting unit/made-up\x1b[0m
[\x1b[0;32;49mok\x1b[0m]: adds (1 ms)
[\x1b[0;32;49mok\x1b[0m]: adds (12 ms)
[\x1b[0;33;49mskip\x1b[0m]: pops
[\x1b[0;31;49merr\x1b[0m]: takes away in tests/unit/made-up.tcl
Expected '1' to be equal to '2'
[\x1b[0;36;49mignore\x1b[0m]: Tag: slow denied
%s
                   The End

[err]: after the end in tests/unit/made-up.tcl
"""
DONE = "[1/1 \x1b[0;33;49mdone\x1b[0m]: unit/made-up (0 seconds)\n"


def row(must, baseline, skips, text):
    unit = redis_suite.Unit("made-up", "unit/made-up", True, must)
    return redis_suite.Row(unit, collections.Counter(baseline), skips,
                           suite_harness.parse(unit.path, text))


class Counts(unittest.TestCase):

    def test_what_a_harness_printed(self):
        outcome = suite_harness.parse("unit/made-up", PRINTED % DONE)
        self.assertEqual(outcome.passed, {"adds": 2})
        self.assertEqual(outcome.failed, {"takes away": ["Expected '1' to be equal to '2'"]})
        self.assertEqual((outcome.skipped, outcome.ignored), ({"pops": 1}, 1))
        self.assertEqual(outcome.early, [])

    def test_a_unit_that_ended_early_is_noticed(self):
        for end in ("", "[err]: d command 'lpush'\nERR unknown command 'lpush'\n" + DONE,
                    "[exception]: Executing test client: ERR unknown command\n",
                    "[TIMEOUT]: clients state report follows.\n"):
            outcome = suite_harness.parse("unit/made-up", PRINTED % end)
            self.assertEqual(len(outcome.early), 1, end)
            self.assertEqual(len(outcome.failed), 1, end)

    def test_a_test_that_never_ran_failed(self):
        made = row(100, {"adds": 3, "takes away": 1, "pops": 1, "divides": 1},
                   {"pops": "lists"}, PRINTED % DONE)
        self.assertEqual((made.total, made.passed, made.asked()), (6, 2, 5))
        self.assertEqual(sorted(name for name, _ in made.failed),
                         ["adds", "divides", "takes away"])
        self.assertEqual(made.skipped, {"lists": 1})
        self.assertFalse(made.good())

    def test_the_share_that_must_pass(self):
        tests = {"adds": 2, "takes away": 1}
        self.assertFalse(row(100, tests, {}, PRINTED % DONE).good())
        self.assertFalse(row(67, tests, {}, PRINTED % DONE).good())
        self.assertTrue(row(66, tests, {}, PRINTED % DONE).good())
        self.assertTrue(row(100, {"adds": 2}, {}, PRINTED.replace("err", "ok") % DONE).good())

    def test_a_failure_that_redis_server_has_no_test_for_counts(self):
        self.assertFalse(row(100, {"adds": 2}, {}, PRINTED % DONE).good())

    def test_a_table_takes_the_place_of_the_old_one(self):
        self.assertEqual(document.put_between("a\nB\nold\nE\nz", "B", "E", "new"),
                         "a\nB\n\nnew\n\nE\nz")
        with self.assertRaises(ValueError):
            document.put_between("a\nB\n", "B", "E", "new")


class SkipFile(unittest.TestCase):

    def read(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".skip") as file:
            file.write(text)
            file.flush()
            return suite_harness.read_skips(file.name)

    def test_lines(self):
        skips = self.read("# why\n\nunit/a | b | c | lists, Lua\nunit/a | d | difference: e\n")
        self.assertEqual(skips, {"unit/a": {"b | c": "lists, Lua", "d": "difference: e"}})
        self.assertEqual([suite_harness.kind(reason) for reason in skips["unit/a"].values()],
                         ["lists", "difference"])

    def test_bad_lines(self):
        for line in ("unit/a", "unit/a | b", "unit/a | b | too hard", "unit/a | b | lists, later",
                     "unit/a | /b.* | lists", "unit/a | b | sets\nunit/a | b | sets"):
            with self.assertRaises(suite_harness.SkipFileError, msg=line):
                self.read(line + "\n")

    def test_ours_is_right(self):
        paths = {unit.path for unit in redis_suite.UNITS}
        skips = suite_harness.read_skips(os.path.join(HERE, "redis_suite.skip"))
        self.assertLessEqual(set(skips), paths)


def main():
    runner = unittest.main(exit=False)
    if not runner.result.wasSuccessful():
        return 1
    return subprocess.call([sys.executable, os.path.join(HERE, "redis_suite.py"), "--whole",
                            "--jobs", "2"])


if __name__ == "__main__":
    sys.exit(main())
