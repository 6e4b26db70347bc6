"""A short run of recovery.py, which make soak runs long."""

import unittest

import recovery


class RecoveryTest(unittest.TestCase):

    def test_a_node_catches_up_without_a_full_copy(self):
        figures, wrong = recovery.run(nodes=5, keys=20_000, rate=800, away=4)
        print(recovery.text_of(figures))
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
