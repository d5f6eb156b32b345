"""The container that this process is in, as its control groups tell it: how much CPU and memory it may use and uses.

Looked for once, read once a period. What is not there is None: on a Mac, outside of containers, in old kernels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from batchrun.gate import kernel_text

T = TypeVar("T")

GROUPS = "sys/fs/cgroup"


class CpuUse(NamedTuple):
    """How many `cores` may be used; since the start so many seconds were used, and nothing was allowed for so many."""

    cores: float
    used: float | None
    throttled: float


class Container:
    """`root` is where /proc and /sys are looked for; `kept_on` are the cores on which this process is kept, None: on
    all of them."""

    def __init__(self, root: Path = Path("/"), kept_on: float | None = None) -> None:
        self._kept_on = kept_on
        groups = root / GROUPS
        member = kernel_text.membership(_read(root / "proc/self/cgroup") or "")
        self._is_unified = (groups / "cgroup.controllers").exists()
        self._cpus = list(_levels(groups, "" if self._is_unified else "cpu", member))
        self._accounts = list(_levels(groups, "" if self._is_unified else "cpuacct", member))
        self._memories = list(_levels(groups, "" if self._is_unified else "memory", member))
        self._quotas = [(cores, place) for place, level in enumerate(self._cpus) if (cores := self._cores(level))]

    def __repr__(self) -> str:
        return f"<Container, version {2 if self._is_unified else 1}, {len(self._quotas)} quotas>"

    @property
    def pressure(self) -> Path | None:
        """The file that tells how long something in here has waited for a CPU."""
        files = [level / "cpu.pressure" for level in self._cpus[:1]] if self._is_unified else []
        return next((file for file in files if file.exists()), None)

    def cpu(self) -> CpuUse | None:
        """Of the level that allows the least; None where every core may be used."""
        allowed = self._kept_on
        if not self._quotas:
            return None if allowed is None else CpuUse(allowed, None, 0.0)
        cores, place = min(self._quotas)
        if allowed is not None and allowed < cores:
            return CpuUse(allowed, None, 0.0)
        told = kernel_text.figures(_read(self._cpus[place] / "cpu.stat") or "")
        if self._is_unified:
            return CpuUse(cores, told.get("usage_usec", 0) / 1e6, told.get("throttled_usec", 0) / 1e6)
        used = None
        if place < len(self._accounts):
            used = kernel_text.size(_read(self._accounts[place] / "cpuacct.usage") or "")
        return CpuUse(cores, None if used is None else used / 1e9, told.get("throttled_time", 0) / 1e9)

    def free_memory(self) -> tuple[int, int] | None:
        """Bytes that are free and that there are in all, where the least is free; None without a limit. What is cached
        of files counts as free, for the kernel gives it up first."""
        names = ("memory.max", "memory.current", "inactive_file")
        if not self._is_unified:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        found = []
        for level in self._memories:
            most = kernel_text.size(_read(level / names[0]) or "")
            used = kernel_text.size(_read(level / names[1]) or "")
            if most is not None and used is not None:
                cached = kernel_text.figures(_read(level / "memory.stat") or "").get(names[2], 0)
                found.append((max(0, most - used + cached), most))
        return min(found, default=None)

    def _cores(self, level: Path) -> float | None:
        if self._is_unified:
            return kernel_text.cores_of_max(_read(level / "cpu.max") or "")
        return kernel_text.cores_of_quota(
            _read(level / "cpu.cfs_quota_us") or "", _read(level / "cpu.cfs_period_us") or ""
        )


def _levels(groups: Path, controller: str, member: kernel_text.Membership) -> Iterator[Path]:
    """The directories from the own group up to the top. Inside a container its own group is often the top itself,
    though its path says otherwise."""
    top = groups / controller if controller else groups
    path = member.controllers.get(controller) if controller else member.unified
    parts = [part for part in (path or "").split("/") if part not in ("", ".", "..")]
    for count in range(len(parts), -1, -1):
        level = top.joinpath(*parts[:count])
        if _or_none(level.is_dir):
            yield level


def affinity() -> float | None:
    """The cores on which we are kept, if those are not all."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = len(os.sched_getaffinity(0))
    return float(cores) if cores < (os.cpu_count() or 1) else None


def _read(file: Path) -> str | None:
    return _or_none(lambda: file.read_text(encoding="utf-8", errors="replace"))


def _or_none(read: Callable[[], T]) -> T | None:
    with suppress(OSError):
        return read()
    return None
