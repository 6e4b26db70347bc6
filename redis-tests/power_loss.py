"""What a power loss does to the files of a node that ran under power_loss.cc: after a kill -9, lose()
reads the shim's journal and undoes, keeps or tears each change that no sync had reached.

The names of a directory (made, removed, renamed files) come back as a journalling file system leaves
them: up to some point. The contents of files do not keep an order: each sector of each write that
was not synced reached the disk or did not."""

import os
import shutil
import struct

HEAD = struct.Struct("<cIQQQQ")
ZEROS = 1 << 63
SECTOR = 512


class Entry:
    def __init__(self, kind, file, a, b, old, new):
        self.kind, self.file, self.a, self.b, self.old, self.new = kind, file, a, b, old, new


def read_journal(path):
    entries = []
    if not os.path.exists(path):
        return entries  # the process was killed before it touched its disk
    with open(path, "rb") as journal:
        data = journal.read()
    at = 0
    while at + HEAD.size <= len(data):
        kind, file, a, b, old_length, new_length = HEAD.unpack_from(data, at)
        at += HEAD.size
        parts = []
        for length in (old_length, new_length):
            if length & ZEROS:
                parts.append(bytes(length & ~ZEROS))
            else:
                parts.append(data[at:at + length])
                at += length
        if at > len(data):
            break  # the kill came in the middle of it: the change itself was not made
        entries.append(Entry(kind.decode(), file, a, b, *parts))
    return entries


class Disk:
    """The files of a directory, as the journal says that they came to be."""

    def __init__(self, journal):
        self.links = journal + ".d"
        self.entries = read_journal(journal)
        self.synced, self.names_synced = {}, 0
        self.paths = {}  # by file
        for entry in self.entries:
            if entry.kind in "SD":
                self._note_sync(entry)
            else:
                self._note_name(entry)

    def _note_sync(self, entry):
        if entry.kind == "S":
            self.synced[entry.file] = max(self.synced.get(entry.file, 0), entry.a)
        else:
            self.names_synced = max(self.names_synced, entry.a)

    def _move(self, before, after):
        for file, path in self.paths.items():
            if path == before:
                self.paths[file] = after

    def _kept(self, number):
        return os.path.join(self.links, str(number))

    def _note_name(self, entry):
        if entry.kind in "FC":
            self.paths[entry.file] = entry.new.decode()
        elif entry.kind == "U":
            self._move(entry.new.decode(), self._kept(entry.a))
        elif entry.kind == "M":
            before, after = entry.new.decode().split("\n")
            self._move(after, self._kept(entry.a))
            self._move(before, after)

    def lose_names(self, random):
        """Undoes the last of the changes of names that were not synced."""
        changes = [entry for number, entry in enumerate(self.entries, 1)
                   if entry.kind in "CUM" and number > self.names_synced]
        for entry in reversed(changes[random.randint(0, len(changes)):]):
            if entry.kind == "C":
                path = self.paths.pop(entry.file)
                os.unlink(path)
            elif entry.kind == "U":
                path = entry.new.decode()
                os.link(self._kept(entry.a), path)
                self._move(self._kept(entry.a), path)
            else:
                before, after = entry.new.decode().split("\n")
                os.rename(after, before)
                self._move(after, before)
                if entry.a:
                    os.link(self._kept(entry.a), after)
                    self._move(self._kept(entry.a), after)

    def lose_contents(self, random, chance):
        """Of what was not synced each sector is kept with this chance. Returns how many were lost."""
        lost = 0
        for file, path in sorted(self.paths.items()):
            pending = [entry for number, entry in enumerate(self.entries, 1)
                       if entry.file == file and entry.kind in "WR"
                       and number > self.synced.get(file, 0)]
            if not pending or not os.path.exists(path):
                continue
            with open(path, "r+b") as stream:
                for entry in reversed(pending):
                    stream.seek(entry.a)
                    stream.write(entry.old)
                    stream.truncate(entry.b)
                for entry in pending:
                    lost += redo(stream, entry, random, chance)
        return lost


def redo(stream, entry, random, chance):
    if entry.kind == "R":
        if random.random() >= chance:
            return 1
        stream.truncate(entry.a)
        return 0
    lost, at = 0, 0
    while at < len(entry.new):
        end = min(len(entry.new), at + SECTOR - (entry.a + at) % SECTOR)
        if random.random() < chance:
            stream.seek(entry.a + at)
            stream.write(entry.new[at:end])
        else:
            lost += 1
        at = end
    return lost


def lose(journal, random):
    """Does to the disk what a power loss may do, forgets the journal, and returns how many sectors
    and sizes were lost."""
    disk = Disk(journal)
    disk.lose_names(random)
    lost = disk.lose_contents(random, random.choice([0, 0.1, 0.5, 0.9]))
    forget(journal)
    return lost


def forget(journal):
    """The disk has all of it: a new journal begins."""
    shutil.rmtree(journal + ".d", ignore_errors=True)
    os.mkdir(journal + ".d")
    if os.path.exists(journal):
        os.unlink(journal)
