"""What a Linux kernel writes of itself in /proc and /sys, as numbers. Pure: texts come in as arguments.

A text that is not what it should be gives None, or leaves its line out: kernels differ, and a signal that one of them
does not give is none.
"""

from __future__ import annotations

from typing import NamedTuple

UNLIMITED = 1 << 60  # bytes: version 1 writes the largest number of pages that it knows where nothing is limited


class Membership(NamedTuple):
    """Where this process stands: its path in version 2 (None without it), and by controller in version 1."""

    unified: str | None
    controllers: dict[str, str]


class Task(NamedTuple):
    """A line of /proc/PID/stat: CPU seconds in clock ticks, those of its children that have ended included; memory in
    pages."""

    parent: int
    ticks: int
    pages: int


def membership(text: str) -> Membership:
    """/proc/self/cgroup."""
    unified, controllers = None, {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        names, colon, path = rest.partition(":")
        if not colon:
            continue
        if not names:
            unified = path
        for name in filter(None, names.split(",")):
            controllers[name] = path
    return Membership(unified, controllers)


def cores_of_max(text: str) -> float | None:
    """cpu.max of version 2: how many cores may be used; None where nothing is limited."""
    quota, _, period = text.strip().partition(" ")
    return cores_of_quota(quota, period)


def cores_of_quota(quota: str, period: str) -> float | None:
    """The same of cpu.cfs_quota_us and cpu.cfs_period_us of version 1."""
    try:
        share, whole = int(quota), int(period)
    except ValueError:
        return None
    return share / whole if share > 0 and whole > 0 else None


def figures(text: str) -> dict[str, int]:
    """Lines of a name and a number, such as cpu.stat and memory.stat."""
    told = {}
    for line in text.splitlines():
        name, _, number = line.strip().partition(" ")
        if number.isascii() and number.isdigit():
            told[name] = int(number)
    return told


def size(text: str) -> int | None:
    """One number of bytes; None for `max` and for what is as good as that."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if int(text) < UNLIMITED else None


def waited(text: str) -> int | None:
    """Of a pressure file: the microseconds for which something has waited since the start."""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        told = dict(part.split("=", 1) for part in rest.split() if "=" in part)
        if kind == "some" and told.get("total", "").isdigit():
            return int(told["total"])
    return None


def task(text: str) -> Task | None:
    """/proc/PID/stat. The name of the program, in brackets, may hold anything."""
    fields = text[text.rfind(")") + 1 :].split()
    try:
        parent, pages = int(fields[1]), int(fields[21])
        ticks = sum(int(field) for field in fields[11:15])
    except (IndexError, ValueError):
        return None
    return Task(parent, ticks, pages)
