"""The sources of Redis 7.0.15, for its test suite: fetched once with `apt-get source` into a cache
outside this repository. apt works on lists and a configuration of its own there, so that nothing
under /etc or /var changes and no root is needed.

REDIS_SUITE_DIR names the cache (default: cartwheel/redis-suite in the user's cache directory)."""

import contextlib
import fcntl
import glob
import os
import re
import shutil
import subprocess

VERSION = "7.0.15"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class SourcesMissing(Exception):
    """Why there are none."""


def cache_directory():
    above = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("REDIS_SUITE_DIR") or os.path.join(above, "cartwheel", "redis-suite")


def entry(uris, suites):
    return ("Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n" %
            (uris, suites, KEYRING))


def source_entries():
    """This machine's Debian mirrors as deb-src entries, those of other vendors left out."""
    lines = []  # each of the old form: deb [options] URI suite component...
    for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.list")]:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lines += file.readlines()
    found = [re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S*debian\S*)\s+(\S+)\s.*\bmain\b", line)
             for line in lines]
    entries = [entry(match.group(1), match.group(2)) for match in found if match]
    for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
        with open(path, encoding="utf-8") as file:
            for stanza in re.split(r"\n\s*\n", file.read()):
                fields = dict(re.findall(r"(?m)^(\w+):\s*(.*)$", stanza))
                if "debian" in fields.get("URIs", "") and "main" in fields.get("Components", ""):
                    entries.append(entry(fields["URIs"], fields["Suites"]))
    return entries or [entry("http://deb.debian.org/debian", "bookworm")]


def run(cache, log, *command):
    done = subprocess.run(command, cwd=cache, stdout=log, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SourcesMissing("%s failed, see %s" % (" ".join(command[:1]), log.name))


def download(cache, log):
    for directory in ("parts", "lists/partial", "archives/archives/partial"):
        os.makedirs(os.path.join(cache, directory), exist_ok=True)
    with open(os.path.join(cache, "parts", "debian.sources"), "w", encoding="utf-8") as file:
        file.write("\n".join(source_entries()))
    apt = ["apt-get", "-q", "-o", "Dir::Etc::sourcelist=/dev/null",
           "-o", "Dir::Etc::sourceparts=" + os.path.join(cache, "parts"),
           "-o", "Dir::State::lists=" + os.path.join(cache, "lists"),
           "-o", "Dir::Cache=" + os.path.join(cache, "archives")]
    run(cache, log, *apt, "update")
    run(cache, log, *apt, "source", "--download-only", "redis")


def unpack(cache, log):
    found = glob.glob(os.path.join(cache, "redis_%s-*.dsc" % VERSION))
    if not found:
        raise SourcesMissing("the mirror has no Redis %s, see %s" % (VERSION, log.name))
    fresh = os.path.join(cache, "src.part")
    shutil.rmtree(fresh, ignore_errors=True)
    run(cache, log, "dpkg-source", "--no-check", "-x", sorted(found)[-1], fresh)
    shutil.rmtree(os.path.join(cache, "src"), ignore_errors=True)
    os.rename(fresh, os.path.join(cache, "src"))


def fetch():
    """The directory of the unpacked sources; at the first call they are downloaded."""
    cache = os.path.abspath(cache_directory())
    source = os.path.join(cache, "src")
    suite = os.path.join(source, "tests", "test_helper.tcl")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="utf-8") as lock, \
            contextlib.closing(lock):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(suite):
            for tool in ("apt-get", "dpkg-source"):
                if shutil.which(tool) is None:
                    raise SourcesMissing("%s is not installed" % tool)
            with open(os.path.join(cache, "fetch.log"), "w", encoding="utf-8") as log:
                download(cache, log)
                unpack(cache, log)
        if not os.path.exists(suite):
            raise SourcesMissing("%s is not there" % suite)
    return source
