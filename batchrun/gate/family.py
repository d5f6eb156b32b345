"""What this process, its sinks and its children use: CPU seconds and memory, of all of them together.

Children that have ended are in their parent's own account, so the sum only grows. One that is born, works and is waited
for within a period is counted too; one whose parent does not wait for it is lost with its end.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from batchrun.gate import kernel_text


class FamilyUse(NamedTuple):
    cpu_seconds: float
    memory_mb: float


class Family:
    """`root` is where /proc is looked for; where there is none, the system is asked by psutil."""

    def __init__(self, root: Path = Path("/"), head: int | None = None) -> None:
        self._proc = root / "proc"
        self._head = os.getpid() if head is None else head
        self._strangers: set[int] = set()
        self._has_proc = (self._proc / str(self._head) / "stat").exists()
        self._tick = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")

    def __repr__(self) -> str:
        return f"<Family of {self._head}>"

    def use(self) -> FamilyUse:
        """All that has been used since the head began, and the memory that is used now."""
        if not self._has_proc:
            return self._by_psutil()
        members = self._members()
        ticks = sum(each.ticks for each in members)
        return FamilyUse(ticks / self._tick, sum(each.pages for each in members) * self._page / 2**20)

    def _members(self) -> list[kernel_text.Task]:
        """Only processes that were not there at the last look are asked whose they are: a busy host has thousands."""
        present = {int(entry.name) for entry in self._proc.iterdir() if entry.name.isdigit()}
        self._strangers &= present
        known = {pid: told for pid in present - self._strangers if (told := self._task(pid)) is not None}
        family = {self._head}
        grown = True
        while grown:
            new = {pid for pid, told in known.items() if told.parent in family} - family
            family |= new
            grown = bool(new)
        self._strangers |= known.keys() - family
        return [told for pid, told in known.items() if pid in family]

    def _task(self, pid: int) -> kernel_text.Task | None:
        with suppress(OSError):
            return kernel_text.task((self._proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace"))
        return None

    def _by_psutil(self) -> FamilyUse:
        seconds = memory = 0.0
        head = psutil.Process(self._head)
        for member in (head, *head.children(recursive=True)):
            with suppress(psutil.Error):
                times = member.cpu_times()
                seconds += times.user + times.system + times.children_user + times.children_system
                memory += member.memory_info().rss
        return FamilyUse(seconds, memory / 2**20)
