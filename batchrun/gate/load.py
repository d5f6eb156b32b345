"""The load of the host and of this process, as psutil tells it, and the limit of open files. Judging is the law's."""

from __future__ import annotations

import resource
from contextlib import suppress
from dataclasses import dataclass

import psutil

from batchrun.gate.law import smooth

SPARE_FILES = 64  # descriptors kept for the journal, the log, the simulator's pipes and the loop


@dataclass(frozen=True, slots=True)
class Load:
    """One sample. `cpu` and `cpu_ewma` are per cent of the host; `proc_cpu` is per cent of one core."""

    cpu: float
    cpu_ewma: float | None
    proc_cpu: float
    rss_mb: float
    cpu_mhz: float | None
    temp_c: float | None
    samples: int


UNKNOWN = Load(0.0, None, 0.0, 0.0, None, None, 0)


class LoadSampler:
    """Call `sample()` once a period, the first time one period after it was made (psutil's first reading is 0)."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._ewma: float | None = None
        self._samples = 0
        self._last = UNKNOWN
        psutil.cpu_percent(None)
        self._process.cpu_percent(None)

    def __repr__(self) -> str:
        return f"<LoadSampler {self._ewma} after {self._samples} samples>"

    def sample(self) -> Load:
        """The load now; the last one again where the machine does not tell: to look needs a file, and there may be none
        left to open (F29)."""
        with suppress(OSError, psutil.Error):
            self._last = self._look()
        return self._last

    def _look(self) -> Load:
        cpu, proc_cpu = psutil.cpu_percent(None), self._process.cpu_percent(None)
        rss = self._process.memory_info().rss
        self._ewma = smooth(self._ewma, cpu)
        self._samples += 1
        return Load(
            cpu=cpu,
            cpu_ewma=self._ewma,
            proc_cpu=proc_cpu,
            rss_mb=rss / 2**20,
            cpu_mhz=_megahertz(),
            temp_c=_celsius(),
            samples=self._samples,
        )


def raise_open_files() -> int:
    """Raise the soft limit of open files as far as we may; gives the number of connections that it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass  # macOS refuses more than kern.maxfilesperproc; the present limit then stands
    return max(1, soft - SPARE_FILES)


def _megahertz() -> float | None:
    try:
        frequency = getattr(psutil.cpu_freq(), "current", None)  # None on machines that do not tell
    except (OSError, NotImplementedError, AttributeError):
        return None
    return float(frequency) if frequency else None


def _celsius() -> float | None:
    read = getattr(psutil, "sensors_temperatures", None)
    if read is None:
        return None
    try:
        sensors = read()
    except OSError:
        return None
    readings = [entry.current for entries in sensors.values() for entry in entries if entry.current]
    return float(max(readings)) if readings else None
