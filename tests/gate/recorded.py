"""Recorded /proc and /sys: what kernels of both kinds write, as files below a directory."""

from __future__ import annotations

import os
from pathlib import Path

GROUPS = "sys/fs/cgroup"


def record(root: Path, files: dict[str, str]) -> Path:
    """Write the files below `root`; a later call changes them."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def stat(pid: int, parent: int, ticks: int, pages: int = 100) -> dict[str, str]:
    """/proc/PID/stat of a process that has used so many ticks."""
    text = f"{pid} (name) S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 5 999 {pages} 0\n"
    return {f"proc/{pid}/stat": text}


def version_2(usage: int = 0, throttled: int = 0, current: int = 100 << 20) -> dict[str, str]:
    """A container with half a core and 512 MB, one level below a slice with two cores."""
    own, above = f"{GROUPS}/jobs.slice/night", f"{GROUPS}/jobs.slice"
    return {
        "proc/self/cgroup": "0::/jobs.slice/night\n",
        f"{GROUPS}/cgroup.controllers": "cpu memory\n",
        f"{above}/cpu.max": "200000 100000\n",
        f"{above}/memory.max": "max\n",
        f"{above}/memory.current": f"{900 << 20}\n",
        f"{own}/cpu.max": "50000 100000\n",
        f"{own}/cpu.stat": f"usage_usec {usage}\nnr_periods 9\nnr_throttled 3\nthrottled_usec {throttled}\n",
        f"{own}/cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=700\n",
        f"{own}/memory.max": f"{512 << 20}\n",
        f"{own}/memory.current": f"{current}\n",
        f"{own}/memory.stat": f"anon 5\ninactive_file {20 << 20}\n",
    }


def version_1(usage: int = 0, throttled: int = 0) -> dict[str, str]:
    """A container that sees its own group at the top, though its path is that of the host."""
    return {
        "proc/self/cgroup": "4:memory:/docker/abc\n2:cpuacct,cpu:/docker/abc\n",
        f"{GROUPS}/cpu/cpu.cfs_quota_us": "150000\n",
        f"{GROUPS}/cpu/cpu.cfs_period_us": "100000\n",
        f"{GROUPS}/cpu/cpu.stat": f"nr_periods 5\nnr_throttled 1\nthrottled_time {throttled}\n",
        f"{GROUPS}/cpuacct/cpuacct.usage": f"{usage}\n",
        f"{GROUPS}/memory/memory.limit_in_bytes": f"{256 << 20}\n",
        f"{GROUPS}/memory/memory.usage_in_bytes": f"{200 << 20}\n",
        f"{GROUPS}/memory/memory.stat": f"total_inactive_file {10 << 20}\n",
    }


def own_stat(ticks: int) -> dict[str, str]:
    return stat(os.getpid(), 1, ticks)
