"""Commands run against redis-server and against Cartwheel, whose replies must be the same bytes."""

import re
import shlex


def words_of(line):
    """Shell words, with \\xNN inside double quotes."""
    words = []
    for word in shlex.split(line.replace("\\x", "\0x")):
        text = re.sub("\0x(..)", lambda match: chr(int(match.group(1), 16)), word)
        words.append(text.encode("latin-1"))
    return words


def commands_of(table):
    """One command a line; blank lines and lines that begin with # are none."""
    return [words_of(line) for line in table.splitlines()
            if line.strip() and not line.startswith("#")]


def differences(theirs, ours, commands):
    """A text for each command whose replies differ. Both connections begin with an empty server."""
    theirs.call("FLUSHALL")
    ours.call("FLUSHALL")
    found = []
    for command in commands:
        expected = theirs.raw(*command)
        got = ours.raw(*command)
        if got != expected:
            found.append("%r\n  redis     %r\n  cartwheel %r" % (
                b" ".join(command)[:300], expected[:300], got[:300]))
    return found
