"""What the machine says of itself: only that it says something sane, for each machine says something else."""

from __future__ import annotations

import os
import resource

import pytest

from batchrun.gate.load import SPARE_FILES, LoadSampler, raise_open_files


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
