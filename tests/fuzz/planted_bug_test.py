#!/usr/bin/python3
"""The fuzz targets' main without libFuzzer: finds what planted_bug.cc hides, writes the input to a
file, and fails with that file again.

    planted_bug_test.py PROGRAM"""

import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


class PlantedBugTest(unittest.TestCase):

    def corpus(self, directory, *inputs):
        corpus = os.path.join(directory, "corpus")
        os.makedirs(corpus)
        for name, text in enumerate(inputs):
            with open(os.path.join(corpus, str(name)), "w", encoding="ascii") as file:
                file.write(text)
        return corpus

    def find(self, start):
        with tempfile.TemporaryDirectory() as directory:
            corpus = self.corpus(directory, start + "SORT a LIMIT 0 1", start + "GET b 10 20")
            findings = os.path.join(directory, "findings")
            status, output = run("--seconds", "60", "--seed", "7", "--findings", findings, corpus)
            self.assertNotEqual(status, 0, output)
            self.assertIn("seed 7", output)
            found = os.path.join(findings, os.path.basename(PROGRAM) + "-7")
            self.assertIn("the input that failed is in " + found, output)
            with open(found, "rb") as file:
                self.assertEqual(file.read(1), start.encode())
            status, output = run("--findings", directory, found)
            self.assertNotEqual(status, 0, output)
            self.assertIn("the input that failed is in ", output)

    def test_a_failed_check(self):
        self.find("c")

    def test_a_fault(self):
        self.find("s")

    def test_an_endless_recursion(self):
        self.find("r")

    def test_nothing_to_find(self):
        with tempfile.TemporaryDirectory() as directory:
            findings = os.path.join(directory, "findings")
            status, output = run("--seconds", "1", "--findings", findings,
                                 self.corpus(directory, "sGET b 10 20"))
            self.assertEqual(status, 0, output)
            self.assertEqual(os.listdir(findings), [])

    def test_no_corpus(self):
        with tempfile.TemporaryDirectory() as directory:
            self.assertNotEqual(run("--findings", directory)[0], 0)
            empty = os.path.join(directory, "empty")
            os.makedirs(empty)
            self.assertNotEqual(run("--findings", directory, empty)[0], 0)
            self.assertNotEqual(run("--findings", directory, empty + "/none")[0], 0)


if __name__ == "__main__":
    unittest.main()
