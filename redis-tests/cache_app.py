#!/usr/bin/python3
"""A cache over redis-py, as web sites keep one before what is slow to compute, and a load on it:

    cache_app.py SECONDS PORT...

Threads ask for keys of which some are popular; what is not in the cache is computed and kept for
one to three seconds. Everything is checked against the clock and against what an ideal cache would
do, and a JSON object says what was seen:

    requests, hits, computed  of all requests; hits and computed are all of them
    stale                     hits whose time was over before they were asked for
    wrong                     hits whose value is not what computing gives
    lost                      misses of what had been stored, acknowledged, and was still to live
    retries                   tries that went to another node because the first failed
"""

import json
import random
import sys
import threading
import time

import redis

KEYS = 4000
THREADS = 4
TTL_SECONDS = (1.0, 3.0)


def compute(key):
    return "page of " + key


class Cache:
    """Get-or-compute over any of some nodes: one that fails is left for the next."""

    def __init__(self, ports):
        self.clients = [redis.Redis(port=port, socket_timeout=3, decode_responses=True)
                        for port in ports]
        self.current = 0
        self.retries = 0

    def ask(self, *command):
        for _ in range(20):
            number = self.current
            try:
                return self.clients[number].execute_command(*command)
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError) as error:
                # Error replies that pass: a node that starts, or that waits for a dead one.
                if isinstance(error, redis.ResponseError) and not isinstance(
                        error, redis.BusyLoadingError) and not str(error).startswith(
                        ("BUSY ", "NOQUORUM ", "LOADING ")):
                    raise
                self.retries += 1
                self.current = (number + 1) % len(self.clients)
                time.sleep(0.05)
        raise RuntimeError("no node answers")

    def get(self, key):
        """The kept (value, the second until which it may be served), or None."""
        kept = self.ask("GET", "cache:" + key)
        return None if kept is None else tuple(json.loads(kept))

    def put(self, key, value, until):
        # An absolute time: a second try does not live longer.
        self.ask("SET", "cache:" + key, json.dumps([value, until]), "PXAT", int(until * 1000))


class Load:
    """What one thread saw, against what all of them stored."""

    stored = {}  # key: until when an ideal cache would have it
    lock = threading.Lock()

    def __init__(self, ports, seed):
        self.cache = Cache(ports)
        self.random = random.Random(seed)
        self.seen = dict.fromkeys(("requests", "hits", "computed", "stale", "wrong", "lost"), 0)

    def get_or_compute(self, key):
        with self.lock:
            ideal = self.stored.get(key, 0)
        asked = time.time()
        kept = self.cache.get(key)
        answered = time.time()
        self.seen["requests"] += 1
        if kept is not None:
            value, until = kept
            self.seen["hits"] += 1
            self.seen["stale"] += until < asked
            self.seen["wrong"] += value != compute(key)
            return value
        # The store counts in whole milliseconds.
        self.seen["lost"] += answered < ideal - 0.001
        self.seen["computed"] += 1
        value = compute(key)
        until = time.time() + self.random.uniform(*TTL_SECONDS)
        self.cache.put(key, value, until)
        with self.lock:
            # Of two threads that stored at once either may have won.
            known = self.stored.get(key, 0)
            self.stored[key] = until if known <= asked else min(known, until)
        return value

    def run(self, deadline):
        while time.monotonic() < deadline:
            popularity = self.random.random() ** 3
            self.get_or_compute("%d" % (KEYS * popularity))


def main():
    seconds, ports = float(sys.argv[1]), [int(port) for port in sys.argv[2:]]
    loads = [Load(ports, seed) for seed in range(THREADS)]
    deadline = time.monotonic() + seconds
    failures = []

    def run(load):
        try:
            load.run(deadline)
        except Exception as error:  # shown below; the other threads go on
            failures.append(error)
    threads = [threading.Thread(target=run, args=(load,)) for load in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    seen = {name: sum(load.seen[name] for load in loads) for name in loads[0].seen}
    seen["retries"] = sum(load.cache.retries for load in loads)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
