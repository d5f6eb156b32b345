"""What a disk may hold when the power comes back: from the operations that a program issued, the states that are legal.

Pure: no file is touched here. The assumptions, all on the dark side of what Linux file systems do:

- Bytes are safe once an fdatasync of their file has returned after they were written, names once an fsync of their
  directory has; nothing else makes anything safe, and an fdatasync does not make the name of a new file safe.
- Of what is not safe yet each operation arrives or not, whatever becomes of the others, those of its own file too.
- A write may arrive up to any byte. The rest is missing, or reads as NULs, for the size may arrive before the bytes; so
  may its beginning, or any stretch in the middle. A gap before a write that arrived without its predecessor is NULs.
- A rename is atomic: the old file stands under the name, or the new one.
- What an fdatasync has refused to make safe is no longer waited for: a later one says that all is well and writes
  nothing of it (what Linux has done since 2018). The cut of a file, which is metadata, is not lost in this way.
- A kill without a power cut takes nothing: the next process reads all that was written, safe or not.

Not here: safe bytes that go bad, and drives that lie about what is safe. Both are the business of `test_damage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

FOLDER = -1  # stands in the place of a file's number under the name of a directory


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes at an offset of a file; files go by numbers, for names come and go."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """All from `size` on was dropped."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Named:
    """A new file or directory; names are paths below the place of the test."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """`file` has gone from one name to the other, and what stood there is gone."""

    source: str
    target: str
    file: int


@dataclass(frozen=True, slots=True)
class Removed:
    """The name is free."""

    name: str


@dataclass(frozen=True, slots=True)
class Synced:
    """An fdatasync of the file has returned."""

    file: int


@dataclass(frozen=True, slots=True)
class SyncFailed:
    """An fdatasync of the file was refused."""

    file: int


@dataclass(frozen=True, slots=True)
class NamesSynced:
    """An fsync of the directory has returned."""

    folder: str


@dataclass(frozen=True, slots=True)
class Told:
    """From here on the user relies on these result lines: nothing may take them back."""

    lines: frozenset[bytes]


Change = Wrote | Cut | Named | Renamed | Removed
Event = Change | Synced | SyncFailed | NamesSynced | Told

# What has arrived of a change: the stretch [start, end) of a write as "part" (nothing behind it), as "amid nuls", or
# all but that stretch ("but a hole"). Of other changes everything or nothing.
Fate = tuple[int, int, Literal["part", "amid nuls", "but a hole"]]
LOST: Fate = (0, 0, "part")
Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Moment:
    """The power goes now: what is safe, what is on its way, and what was told."""

    files: Mapping[int, bytes]
    names: Mapping[str, int]
    waiting: tuple[Change, ...]
    told: frozenset[bytes]

    def after(self, fates: Sequence[Fate]) -> dict[str, bytes]:
        """The files that are found if the changes on their way fared so."""
        files, names = dict(self.files), dict(self.names)
        for change, fate in zip(self.waiting, fates, strict=True):
            _arrive(files, names, change, fate)
        return {name: files.get(file, b"") for name, file in names.items() if file != FOLDER and _is_found(name, names)}


def moments(trace: Iterable[Event], found: Files, folders: Iterable[str] = (), first: int = 0) -> Iterator[Moment]:
    """The moments that matter, from a medium on which `found` is safe: before each sync from event number `first` on,
    and the end.

    What a power cut may leave in between is among what it may leave at the next of these, where more was told.
    """
    numbers = {name: number for number, name in enumerate(found)}
    files = {numbers[name]: data for name, data in found.items()}
    names = numbers | dict.fromkeys(folders, FOLDER)
    waiting: list[Change] = []
    doomed: set[int] = set()  # places in `waiting` that no sync will clear
    told: frozenset[bytes] = frozenset()
    for number, event in enumerate(trace):
        match event:
            case Told(lines):
                told |= lines
            case Synced() | NamesSynced() | SyncFailed():
                if number >= first:
                    yield Moment(dict(files), dict(names), tuple(waiting), told)
                waiting, doomed = _synced(event, files, names, waiting, doomed)
            case _:
                waiting.append(event)
    yield Moment(files, names, tuple(waiting), told)


def whole(change: Change) -> Fate:
    """All of it has arrived."""
    return (0, len(change.data) if isinstance(change, Wrote) else 1, "part")


def _synced(
    event: Synced | NamesSynced | SyncFailed,
    files: dict[int, bytes],
    names: dict[str, int],
    waiting: list[Change],
    doomed: set[int],
) -> tuple[list[Change], set[int]]:
    """What is on its way after the sync, and which of it for ever; what has arrived stands in `files` and `names`."""
    left: list[Change] = []
    left_doomed: set[int] = set()
    for place, change in enumerate(waiting):
        is_doomed = place in doomed
        if _covers(event, change) and not is_doomed:
            is_doomed = isinstance(event, SyncFailed) and isinstance(change, Wrote)
            if not is_doomed and not isinstance(event, SyncFailed):
                _arrive(files, names, change, whole(change))
                continue
        if is_doomed:
            left_doomed.add(len(left))
        left.append(change)
    return left, left_doomed


def _covers(event: Synced | NamesSynced | SyncFailed, change: Change) -> bool:
    match event, change:
        case ((Synced(file) | SyncFailed(file)), (Wrote() | Cut())):
            return change.file == file
        case NamesSynced(folder), (Named(name=name) | Renamed(target=name) | Removed(name=name)):
            return _folder_of(name) == folder
    return False


def _arrive(files: dict[int, bytes], names: dict[str, int], change: Change, fate: Fate) -> None:
    if fate == LOST:
        return
    match change:
        case Wrote(file, offset, data):
            content = files.get(file, b"").ljust(offset, b"\0")
            arrived = _arrived(data, fate)
            files[file] = content[:offset] + arrived + content[offset + len(arrived) :]
        case Cut(file, size):
            files[file] = files.get(file, b"")[:size]
        case Named(name, file):
            names[name] = file
        case Renamed(source, target, file):
            names.pop(source, None)
            names[target] = file
        case Removed(name):
            names.pop(name, None)


def _arrived(data: bytes, fate: Fate) -> bytes:
    start, end, how = fate
    match how:
        case "part":
            return data[:end]
        case "amid nuls":
            return b"\0" * start + data[start:end] + b"\0" * (len(data) - end)
        case "but a hole":
            return data[:start] + b"\0" * (end - start) + data[end:]


def _is_found(name: str, names: Mapping[str, int]) -> bool:
    folder = _folder_of(name)
    return folder == "." or folder in names


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0] or "."
