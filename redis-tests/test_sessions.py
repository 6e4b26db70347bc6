#!/usr/bin/python3
"""Runs node/session_app.mjs, a web application with its sessions in Cartwheel, over three nodes, as
a browser and an operator meet it: it is restarted, and nodes are killed under it."""

import http.cookiejar
import json
import os
import re
import subprocess
import time
import unittest
import urllib.error
import urllib.request

import cluster
import node_packages


class App:
    """The application's process."""

    def __init__(self, node, client, ports):
        environment = dict(node_packages.environment(), SESSION_CLIENT=client)
        self.process = subprocess.Popen(
            [node, str(node_packages.HERE / "session_app.mjs"), *map(str, ports)],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        match = re.match(r"port (\d+)$", line)
        if not match:
            self.process.kill()
            raise RuntimeError("no application: " + line + self.process.communicate()[0])
        self.url = "http://127.0.0.1:" + match.group(1)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        self.process.terminate()
        try:
            self.process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode


class Browser:
    """Keeps its cookies whatever application it talks to."""

    def __init__(self):
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def ask(self, app, path, post=False):
        data = b"" if post else None
        request = urllib.request.Request(app.url + path, data=data)
        with self.opener.open(request, timeout=20) as response:
            return json.load(response)

    def views(self, app):
        return self.ask(app, "/view")["views"]

    def status(self, app, path):
        try:
            self.ask(app, path)
        except urllib.error.HTTPError as error:
            return error.code
        return 200


class SessionsTest(unittest.TestCase):
    node = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3, node_timeout=1000).start()
        cls.nodes = cls.cluster.nodes
        cls.ports = [node.port for node in cls.nodes]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def start_again(self, *nodes):
        for node in nodes:
            node.start()
        self.cluster.wait_ready()

    def session_ttls(self):
        with self.nodes[2].connect() as connection:
            keys = connection.call("KEYS", "session:*")
            return [connection.call("PTTL", key) for key in keys]

    def test_a_session_from_login_to_logout(self):
        for client in ("one", "cluster"):
            alice, bob = Browser(), Browser()
            with App(self.node, client, self.ports) as app:
                self.assertEqual(alice.status(app, "/view"), 401)
                self.assertEqual(self.session_ttls(), [])  # nothing is kept for strangers
                alice.ask(app, "/login/alice", post=True)
                bob.ask(app, "/login/bob", post=True)
                self.assertEqual([alice.views(app) for _ in range(3)], [1, 2, 3])
                self.assertEqual(bob.views(app), 1)
                self.assertEqual(alice.ask(app, "/who"), {"name": "alice"})
                self.assertEqual(alice.ask(app, "/sessions"), ["alice", "bob"])
                alice.ask(app, "/logout", post=True)
                self.assertEqual(alice.status(app, "/view"), 401)
                self.assertEqual(bob.views(app), 2)
                bob.ask(app, "/logout", post=True)
                self.assertEqual(self.session_ttls(), [])
                self.assertEqual(app.stop(), 0)

    def test_each_visit_refreshes_the_ttl(self):
        browser = Browser()
        with App(self.node, "one", self.ports[1:]) as app:
            browser.ask(app, "/login/carol", post=True)
            first, = self.session_ttls()
            self.assertTrue(590_000 < first <= 600_000)
            time.sleep(1.5)
            before, = self.session_ttls()
            browser.ask(app, "/who")
            after, = self.session_ttls()
            self.assertLess(before, first - 1400)
            self.assertGreater(after, before + 1000)
            # A session that ran out is one that never was.
            with self.nodes[0].connect() as connection:
                key, = connection.call("KEYS", "session:*")
                connection.call("PEXPIRE", key, 1)
            time.sleep(0.1)
            self.assertEqual(browser.ask(app, "/who"), {"name": None})
            self.assertEqual(self.session_ttls(), [])

    def test_sessions_outlive_the_application_and_any_one_node(self):
        browser = Browser()
        with App(self.node, "one", self.ports[:1]) as app:
            browser.ask(app, "/login/dave", post=True)
            self.assertEqual(browser.views(app), 1)
        with App(self.node, "one", self.ports[1:2]) as app:  # a restart, at another node
            self.assertEqual(browser.views(app), 2)
            self.nodes[0].kill()
            self.assertEqual([browser.views(app) for _ in range(20)], list(range(3, 23)))
            self.start_again(self.nodes[0])
            # The application's own node: its client waits, and connects again by itself.
            self.nodes[1].kill()
            self.nodes[1].start()
            seen = self.patient_views(browser, app, 22)
            self.cluster.wait_ready()
        with App(self.node, "one", self.ports[2:]) as app:
            self.assertEqual(browser.views(app), seen + 1)
            browser.ask(app, "/logout", post=True)

    def test_a_cluster_client_goes_on_when_a_node_dies_for_good(self):
        browsers = [Browser() for _ in range(12)]  # of sessions on all nodes
        with App(self.node, "cluster", self.ports) as app:
            for number, browser in enumerate(browsers):
                browser.ask(app, "/login/user%d" % number, post=True)
                self.assertEqual(browser.views(app), 1)
            self.nodes[2].kill()
            for browser in browsers:
                self.patient_views(browser, app, 1)
            self.start_again(self.nodes[2])
            for browser in browsers:
                self.patient_views(browser, app, 2)
                browser.ask(app, "/logout", post=True)

    def patient_views(self, browser, app, seen):
        """Views, tried again while it fails: the count goes on from `seen`. A try that failed may
        have counted."""
        deadline = time.monotonic() + 30
        failed = 0
        while True:
            try:
                views = browser.views(app)
            except urllib.error.HTTPError as error:
                self.assertEqual(error.code, 503)
                failed += 1
                self.assertLess(time.monotonic(), deadline, "no answer within 30 s")
                time.sleep(0.1)
                continue
            self.assertTrue(seen < views <= seen + 1 + failed, (seen, views, failed))
            return views


if __name__ == "__main__":
    os.environ["NODE_ENV"] = "production"
    node_packages.main(SessionsTest)
