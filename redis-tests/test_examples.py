#!/usr/bin/python3
"""Runs the shopping carts of examples/ against three nodes. CARTWHEEL_CART names the C++ one."""

import os
import subprocess
import unittest

import cluster
import node_packages

PYTHON_CART = ["/usr/bin/python3", os.path.join(cluster.ROOT, "examples/cart/cart.py")]
CXX_CART = [os.environ.get("CARTWHEEL_CART", os.path.join(cluster.ROOT, "build/examples/cart"))]


class CartTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nodes = cluster.Cluster(3).start()
        cls.addClassCleanup(cls.nodes.stop)
        cls.ports = [str(node.port) for node in cls.nodes.nodes]

    def node_cart(self):
        try:
            return [node_packages.prepare(), os.path.join(cluster.ROOT, "examples/cart/cart.mjs")]
        except node_packages.Missing as missing:
            self.skipTest(str(missing))

    def run_cart(self, program, *arguments):
        modules = dict(os.environ, CART_MODULES=str(node_packages.PACKAGES / "package.json"))
        result = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=60,
                                env=modules)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_both_additions_survive_in_python(self):
        said = self.run_cart(PYTHON_CART, "demo", *self.ports)
        self.assertIn("the third node has 2 versions", said)
        self.assertIn("merged, 1 version: [{'book': 1, 'kettle': 2, 'lamp': 1}]", said)

    def test_both_additions_survive_in_cxx(self):
        said = self.run_cart(CXX_CART, "demo", *self.ports)
        self.assertIn("the third node has 2 versions:", said)
        self.assertIn("merged, 1 version:\n---\n1 book\n2 kettle\n1 lamp\n", said)

    def test_both_additions_survive_in_node_js(self):
        said = self.run_cart(self.node_cart(), "demo", *self.ports)
        self.assertIn("the third node has 2 versions:", said)
        self.assertIn("merged, 1 version:\n1 book\n2 kettle\n1 lamp\n", said)

    def test_a_cart_of_node_js_is_the_others_too(self):
        program = self.node_cart()
        self.run_cart(PYTHON_CART, "add", self.ports[0], "eve", "1", "green tea")
        self.run_cart(program, "add", self.ports[1], "eve", "2", "cups")
        for each in (program, CXX_CART):
            self.assertEqual(self.run_cart(each, "show", self.ports[2], "eve"),
                             "2 cups\n1 green tea\n")

    def test_the_two_programs_share_a_cart(self):
        self.run_cart(PYTHON_CART, "add", self.ports[0], "bob", "1", "green tea")
        self.run_cart(CXX_CART, "add", self.ports[1], "bob", "2", "cups")
        self.run_cart(PYTHON_CART, "add", self.ports[2], "bob", "1", "cups")
        for program in (PYTHON_CART, CXX_CART):
            self.assertEqual(self.run_cart(program, "show", self.ports[2], "bob"),
                             "3 cups\n1 green tea\n")


if __name__ == "__main__":
    unittest.main()
