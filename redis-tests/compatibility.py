#!/usr/bin/python3
"""The table of docs/redis-compatibility.md: which commands of Redis 7.0 work. It is made of what
both servers say: a redis-server which commands there are, a Cartwheel node which it has and how
they differ (COMMAND INFO and COMMAND DOCS, which read the command table's rows).

    compatibility.py           writes the table
    compatibility.py --check   only says, with status 1, when the document has another

Why a command is not there stands in this file. The status is 2 when that is missing, or when it
explains a command that is there; 77 without a redis-server."""

import argparse
import os
import shutil
import sys

import document
from cluster import ROOT, Cluster, RedisServer

DOCUMENT = os.path.join(ROOT, "docs", "redis-compatibility.md")
BEGIN = "<!-- The table of `make compatibility` -->"
END = "<!-- end of that table -->"

# Redis's groups in our order, with their titles.
GROUPS = {
    "connection": "Connection", "string": "Strings", "bitmap": "Bits",
    "hyperloglog": "HyperLogLogs", "generic": "Keys", "transactions": "Transactions", "pubsub": "Publish and subscribe",
    "server": "Server", "cluster": "Cluster", "scripting": "Scripts and functions",
    "list": "Lists", "hash": "Hashes", "set": "Sets", "sorted-set": "Sorted sets",
    "geo": "Places", "stream": "Streams",
}

EQUAL = "nodes are equal, there are no masters and replicas"
SLOTS = "which nodes hold a slot follows from the members"
CACHING = "no client-side caching"
MODULES = "no modules"
TYPE = "no %s yet"

# Why a command is not there: by its name, its container's, or its group.
REASONS = {
    "list": TYPE % "lists", "hash": TYPE % "hashes", "set": TYPE % "sets",
    "sorted-set": TYPE % "sorted sets", "geo": TYPE % "sorted sets", "stream": TYPE % "streams",
    "scripting": "no scripts yet",
    "client|caching": CACHING, "client|tracking": CACHING,
    "migrate": "keys move between nodes by themselves",
    "restore-asking": "slots do not migrate, and nobody is asked to import one",
    "module|load": MODULES, "module|loadex": MODULES, "module|unload": MODULES,
    "bgrewriteaof": "the log is trimmed by checkpoints all the time",
    "failover": EQUAL, "replicaof": EQUAL, "slaveof": EQUAL, "psync": EQUAL, "sync": EQUAL,
    "replconf": EQUAL, "cluster|replicate": EQUAL, "cluster|failover": EQUAL,
    "cluster|addslots": SLOTS, "cluster|addslotsrange": SLOTS, "cluster|delslots": SLOTS,
    "cluster|delslotsrange": SLOTS, "cluster|flushslots": SLOTS, "cluster|setslot": SLOTS,
    "cluster|bumpepoch": "epochs are agreed on by the members",
    "cluster|set-config-epoch": "epochs are agreed on by the members",
    "cluster|count-failure-reports": "each node judges for itself who is down",
    "cluster|reset": "a node does not forget its ring",
    "cluster|saveconfig": "the cluster's state is on disk before it counts",
}


class Server:
    """What a server says about its commands: {name: summary, group, difference}, subcommands as
    "config|get" among them."""

    def __init__(self, connection):
        connection.call("HELLO", "3")
        self.commands = {}
        self._add(connection.call("COMMAND", "DOCS"))
        self.names = set()
        for row in connection.call("COMMAND", "INFO"):
            self._name(row)

    def _add(self, docs):
        for name, doc in docs.items():
            self.commands[name.decode()] = {key.decode(): value for key, value in doc.items()}
            self._add(doc.get(b"subcommands", {}))

    def _name(self, row):
        self.names.add(row[0].decode())
        for subcommand in row[9]:
            self._name(subcommand)

    def text(self, name, field):
        return self.commands[name].get(field, b"").decode()


def reason(redis, name):
    """Why the command is not there; None when nobody wrote that down."""
    for key in (name, name.partition("|")[0], redis.text(name, "group")):
        if key in REASONS:
            return REASONS[key]
    return None


def shown(name):
    return "`%s`" % name.replace("|", " ").upper()


def row(redis, ours, name):
    if name not in ours.names:
        return "| %s | no | %s |" % (shown(name), reason(redis, name))
    difference = ours.text(name, "cartwheel_difference").replace("|", "\\|")
    return "| %s | %s | %s |" % (shown(name), "differs" if difference else "yes", difference)


def absent_container(ours, name):
    return "|" in name and name.partition("|")[0] not in ours.names


def table(redis, ours):
    lines = []
    for group, title in GROUPS.items():
        names = sorted(name for name in redis.commands if redis.text(name, "group") == group
                       and not absent_container(ours, name))
        lines += ["### " + title, "", "| command | works | how it differs, or why not |",
                  "|---|---|---|", *(row(redis, ours, name) for name in names), ""]
    lines += ["### Not in Redis 7.0", "", "| command | what it does |", "|---|---|"]
    lines += ["| %s | %s |" % (shown(name), ours.text(name, "summary").replace("|", "\\|"))
              for name in sorted(ours.names - set(redis.commands))]
    works = [name for name in redis.commands if name in ours.names]
    differ = [name for name in works if ours.text(name, "cartwheel_difference")]
    count = ("Of %d commands and subcommands %d are there, %d of them with a difference." %
             (len(redis.commands), len(works), len(differ)))
    return "\n".join([count, "", *lines])


def mistakes(redis, ours):
    """Reasons that are missing, and those that explain what is there."""
    found = ["%s: no reason says why it is not there" % name for name in sorted(redis.commands)
             if name not in ours.names and reason(redis, name) is None]
    found += ["%s: there is a reason why it is not there, and it is" % name
              for name in sorted(ours.names) if name in REASONS and name not in GROUPS]
    found += ["%s: COMMAND %s has it and COMMAND %s has not" % (name, *which)
              for which, names in ((("INFO", "DOCS"), ours.names - set(ours.commands)),
                                   (("DOCS", "INFO"), set(ours.commands) - ours.names))
              for name in sorted(names)]
    unknown = {redis.text(name, "group") for name in redis.commands} - set(GROUPS)
    return found + ["group %s has no title" % group for group in sorted(unknown)]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("redis-server") is None:
        print("no redis-server to ask for Redis's commands")
        return 77
    with RedisServer() as server, server.connect() as connection:
        redis = Server(connection)
    with Cluster(1) as ring, ring.nodes[0].connect() as connection:
        ours = Server(connection)
    found = mistakes(redis, ours)
    if found:
        print("\n".join(found))
        return 2
    new = table(redis, ours)
    if not arguments.check:
        document.write(DOCUMENT, BEGIN, END, new)
        return 0
    old = document.read(DOCUMENT)
    same = document.put_between(old, BEGIN, END, new) == old
    if not same:
        print("docs/redis-compatibility.md is not what the commands say: run `make compatibility`")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
