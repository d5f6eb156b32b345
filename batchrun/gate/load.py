"""The load of the host, of the container and of this run, once a period. Judging is the law's.

What the system does not tell is None, and costs nothing.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from batchrun.gate import kernel_text
from batchrun.gate.container import Container, CpuUse, affinity
from batchrun.gate.family import Family, FamilyUse
from batchrun.gate.law import Signals, smooth

SPARE_FILES = 64  # descriptors kept for the journal, the log, the simulator's pipes and the loop
RESERVE = 0.05  # of the memory stays free, and never less than
LEAST_RESERVE_MB = 64.0


@dataclass(frozen=True, slots=True)
class Load:
    """One sample. `cpu` and `cpu_ewma` are per cent of the host; `proc_cpu` is per cent of one core. `scarce_cpu` is
    smoothed too: of the host or of the container's allowance, whichever is nearer its end. `signals` None: nothing else
    is known."""

    cpu: float
    cpu_ewma: float | None
    proc_cpu: float
    rss_mb: float
    cpu_mhz: float | None
    temp_c: float | None
    samples: int
    scarce_cpu: float | None = None
    signals: Signals | None = None


UNKNOWN = Load(0.0, None, 0.0, 0.0, None, None, 0)


class LoadSampler:
    """Call `sample()` once a period on the event loop's thread, the first time one period after it was made (psutil's
    first reading is 0). `root` is where /proc and /sys are looked for."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._process = psutil.Process()
        self._ewma: float | None = None
        self._scarce: float | None = None
        self._samples = 0
        self._last = UNKNOWN
        self._watch = SignalWatch(root, affinity())
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
        signals = self._watch.look(cpu)
        self._ewma = smooth(self._ewma, cpu)
        self._scarce = smooth(self._scarce, max(cpu, signals.allowance or 0.0))
        self._samples += 1
        return Load(
            cpu=cpu,
            cpu_ewma=self._ewma,
            proc_cpu=proc_cpu,
            rss_mb=rss / 2**20,
            cpu_mhz=_megahertz(),
            temp_c=_celsius(),
            samples=self._samples,
            scarce_cpu=self._scarce,
            signals=signals,
        )


@dataclass(frozen=True, slots=True)
class _Marks:
    """What the counters stood at: seconds, of the wall and of CPUs."""

    wall: float
    loop: float
    family: FamilyUse
    container: CpuUse | None
    waited: int | None


class SignalWatch:
    """Counters that only grow, turned into what happened since the last look."""

    def __init__(
        self, root: Path = Path("/"), kept_on: float | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._container = Container(root, kept_on)
        self._family = Family(root)
        self._pressure = self._container.pressure or root / "proc/pressure/cpu"
        self._cores = psutil.cpu_count() or 1
        self._marks = self._mark()

    def __repr__(self) -> str:
        return f"<SignalWatch {self._container!r} {self._family!r}>"

    def look(self, host: float) -> Signals:
        """What happened since the last look; `host` is what the whole host used meanwhile, in per cent."""
        before, now = self._marks, self._mark()
        self._marks = now
        seconds = max(now.wall - before.wall, 1e-3)
        used = max(0.0, now.family.cpu_seconds - before.family.cpu_seconds)
        # Counted by ticks here and by the idle time there: ours is never more than all.
        own = min(host, 100.0 * used / seconds / self._cores)
        allowance, own_allowance, throttled = _of_container(before.container, now.container, used, seconds)
        pressure = None
        if now.waited is not None and before.waited is not None:
            pressure = min(100.0, (now.waited - before.waited) / 1e4 / seconds)
        free, reserve = self._memory()
        return Signals(
            host=host,
            own=own,
            allowance=allowance,
            own_allowance=own_allowance,
            throttled=throttled,
            loop=min(100.0, 100.0 * (now.loop - before.loop) / seconds),
            pressure=pressure,
            free_memory_mb=free,
            reserve_mb=reserve,
            own_memory_mb=now.family.memory_mb,
            free_files=_free_files(),
        )

    def _mark(self) -> _Marks:
        try:
            waited = kernel_text.waited(self._pressure.read_text(encoding="utf-8"))
        except OSError:  # no such file, or a kernel that has it and does not tell
            waited = None
        return _Marks(self._now(), time.thread_time(), self._family.use(), self._container.cpu(), waited)

    def _memory(self) -> tuple[float, float]:
        """Megabytes that are free, and that are to stay so."""
        host = psutil.virtual_memory()
        free, total = min((host.available, host.total), self._container.free_memory() or (host.available, host.total))
        return free / 2**20, max(LEAST_RESERVE_MB, RESERVE * total / 2**20)


def _of_container(
    before: CpuUse | None, now: CpuUse | None, own: float, seconds: float
) -> tuple[float | None, float, float]:
    """Per cent of the allowance that were used by all and by us, and of the time in which nothing was allowed."""
    if before is None or now is None:
        return None, 0.0, 0.0
    allowed = now.cores * seconds
    used = own if now.used is None or before.used is None else now.used - before.used
    # Each core is held back on its own, so the sum may be longer than the period.
    throttled = max(0.0, now.throttled - before.throttled) / seconds / max(1.0, now.cores)
    return 100.0 * max(used, own) / allowed, 100.0 * own / allowed, min(100.0, 100.0 * throttled)


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


def _free_files() -> int | None:
    """How many connections could still be opened."""
    try:
        opened = sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        return None
    return max(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - opened - SPARE_FILES)


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
