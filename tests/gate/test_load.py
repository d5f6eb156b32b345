"""What the machine says of itself: only that it says something sane, for each machine says something else."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from batchrun.gate.law import Signals
from batchrun.gate.load import LEAST_RESERVE_MB, SPARE_FILES, LoadSampler, SignalWatch, raise_open_files
from tests.gate.recorded import GROUPS, own_stat, record, version_2


def busy(seconds: float) -> None:
    """Use the CPU for about so long."""
    until = resource.getrusage(resource.RUSAGE_SELF).ru_utime + seconds
    while resource.getrusage(resource.RUSAGE_SELF).ru_utime < until:
        sum(range(2000))


def test_a_sample_is_sane() -> None:
    """Per cent are per cent, a Python process has some megabytes, and the unknown is None, not 0."""
    sampler = LoadSampler()
    busy(0.05)
    load = sampler.sample()
    assert 0 <= load.cpu <= 100
    assert load.proc_cpu > 0
    assert 5 < load.rss_mb < 4096
    assert load.cpu_mhz is None or load.cpu_mhz > 0
    assert load.temp_c is None or load.temp_c != 0


def test_the_first_sample_initialises_the_average_and_all_are_counted() -> None:
    """`cpu_ewma` begins as the first reading; the law counts samples from 1."""
    sampler = LoadSampler()
    busy(0.02)
    first = sampler.sample()
    busy(0.02)
    second = sampler.sample()
    assert first.cpu_ewma == first.cpu
    assert second.cpu_ewma == pytest.approx(first.cpu + 0.3 * (second.cpu - first.cpu))
    assert (first.samples, second.samples) == (1, 2)


def test_open_files_are_raised_and_some_are_spared() -> None:
    """The soft limit never falls; what is left for connections leaves room for the journal and the log."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        low = min(256, soft)
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
        room = raise_open_files()
        raised, hard_after = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert raised >= low
        assert hard_after == hard
        assert room == raised - SPARE_FILES
        assert raise_open_files() == room
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_signals_of_this_machine_are_sane() -> None:
    """Ours is a part of all; the loop is this thread; what is not told is None."""
    watch = SignalWatch()
    busy(0.1)
    told = watch.look(100.0)
    assert 0 < told.own <= 100
    assert 0 < told.loop <= 100
    assert told.free_memory_mb is not None
    assert told.free_memory_mb > 0
    assert told.reserve_mb >= LEAST_RESERVE_MB
    assert 5 < told.own_memory_mb < 8192
    assert told.free_files is None or told.free_files > 0
    assert told.pressure is None or 0 <= told.pressure <= 100
    assert told.allowance is None or told.allowance >= told.own_allowance >= 0


def test_the_signals_of_a_container(tmp_path: Path) -> None:
    """Half a core of which all of the container use a part; held back, and short of memory before the host is."""
    moment = iter((100.0, 110.0))
    root = record(tmp_path, version_2(usage=1_000_000) | own_stat(ticks=0))
    watch = SignalWatch(root, now=lambda: next(moment))
    # In ten seconds: 4 of the 5 that were allowed, 2 seconds of nothing, 3 seconds in which something waited.
    record(root, version_2(usage=5_000_000, throttled=2_000_000, current=500 << 20) | own_stat(ticks=300))
    waits = "some avg10=0.00 avg60=0.00 avg300=0.00 total=3000700\n"
    record(root, {f"{GROUPS}/jobs.slice/night/cpu.pressure": waits})
    told: Signals = watch.look(50.0)
    assert told.allowance == pytest.approx(80.0)
    assert told.own_allowance == pytest.approx(60.0)
    assert told.throttled == pytest.approx(20.0)
    assert told.pressure == pytest.approx(30.0)
    assert told.free_memory_mb == pytest.approx(32.0)
    assert told.reserve_mb == LEAST_RESERVE_MB


def test_the_load_remembers_the_scarcer_cpu(tmp_path: Path) -> None:
    """Of the host or of the allowance, whichever is nearer its end."""
    load = LoadSampler(record(tmp_path, {})).sample()
    assert load.signals is not None
    assert load.scarce_cpu == max(load.cpu, load.signals.allowance or 0.0)


def test_what_cannot_be_looked_at_is_told_as_it_was() -> None:
    """F29: to look needs a file; where none is left to open, the last sample holds and nothing breaks."""
    sampler = LoadSampler()
    busy(0.02)
    seen = sampler.sample()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull, "rb") as highest:  # noqa: PTH123 - its number is what matters
        limit = highest.fileno()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        assert sampler.sample() == seen
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sampler.sample().samples == seen.samples + 1
