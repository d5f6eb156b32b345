"""`bench journal`: what it costs a run that each answer is durable before it counts, and how slow a disk may be.

Two measurements. Streams that finish at their own pace, on this disk, on a slow one and without a journal: how long do
items wait, and what does the event loop feel? And finishes at a given rate, without streams: do group commits keep up?
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from batchrun.bench.sample import answered, causes_of, samples_of
from batchrun.bench.statistics import Statistics, ratio, statistics_of
from batchrun.bench.worker import Figures, client_core, pin, run_worker, server_core
from batchrun.errors import ConfigError
from batchrun.simulator.process import start_simulator

NONE, HERE, SLOW = "no journal", "this disk", "slow disk"
TTFT_SECONDS = 0.2
# More than so many syncs behind the last finish, and the queue has grown faster than it was written.
SYNCS_BEHIND = 10


@dataclass(frozen=True, slots=True)
class JournalPlan:
    """`items` answers of about `tokens` tokens, so many `streams` at once; then `rate` finishes a second for `seconds`.
    An fsync of the slow disk takes `sync_ms`: 10 ms are those of a disk that turns."""

    streams: int = 200
    items: int = 1000
    tokens: int = 60
    tokens_a_second: float = 20.0
    rate: int = 1000
    seconds: float = 5.0
    sync_ms: float = 10.0

    @property
    def most_seconds(self) -> float:
        """The longest that one disk may be measured."""
        waves = -(-self.items // self.streams) + 1
        return max(self.seconds, waves * (TTFT_SECONDS + 2 * self.tokens / self.tokens_a_second)) * 3 + 30.0


@dataclass(frozen=True, slots=True)
class Loop:
    """What the event loop felt: how late its timers were (seconds), and the CPU, in cores, of its thread and of all
    others together, which is the journal's where there is one."""

    lag: Statistics | None
    worst_lag: float | None
    cores: float | None
    other_cores: float | None


@dataclass(frozen=True, slots=True)
class StreamsFigures:
    """Streams on one disk; seconds. `wait` is from the whole answer to its being durable, `wait_share` all of it over
    the whole time that the items took."""

    disk: str
    items: int
    failed: int
    causes: dict[str, int]
    total_seconds: float
    wall: Statistics | None
    wait: Statistics | None
    worst_wait: float | None
    wait_share: float | None
    loop: Loop


@dataclass(frozen=True, slots=True)
class RateFigures:
    """Finishes at a given rate on one disk; seconds. `behind` is from the last finish to the moment at which all were
    durable; `held_back` finishes found the queue full, which would have stopped the admission of new items."""

    disk: str
    finished: int
    commits: int
    records_a_commit: float | None
    wait: Statistics | None
    worst_wait: float | None
    behind: float
    held_back: int
    keeps_up: bool
    loop: Loop


@dataclass(frozen=True, slots=True)
class JournalComparison:
    """`sync_seconds` is what an fdatasync takes on this disk, as the median of some."""

    plan: JournalPlan
    sync_seconds: float
    streams: tuple[StreamsFigures, ...]
    rates: tuple[RateFigures, ...]


def measure_journal(plan: JournalPlan, place: Path) -> JournalComparison:
    """Write journals below `place`, and remove them.

    Raises:
        ConfigError: nothing can be written there.
        BatchrunError: a worker did not end well.
    """
    try:
        directory = tempfile.TemporaryDirectory(prefix=".batchrun-bench-", dir=place)
    except OSError as exc:
        raise ConfigError(f"--dir {place}: cannot be written to ({exc.strerror}); name a directory of yours") from exc
    with directory as made:
        return _measured(plan, made)


def _measured(plan: JournalPlan, directory: str) -> JournalComparison:
    pace = ("--ttft", str(TTFT_SECONDS), "--tokens-per-second", str(plan.tokens_a_second))
    order: dict[str, Any] = {"plan": asdict(plan), "place": directory}
    with start_simulator("calm", extra=pace) as server:
        pin(server.pid, server_core())
        asked = order | {"base_url": server.base_url}
        streams = run_worker("journal_worker", asked, 3 * plan.most_seconds, client_core())
    rates = run_worker("journal_rate_worker", order, 2 * plan.most_seconds, client_core())
    return journal_comparison(plan, streams, rates)


def journal_comparison(
    plan: JournalPlan, streams: Mapping[str, Figures], rates: Mapping[str, Figures]
) -> JournalComparison:
    """The figures in what the workers told, by disk."""
    return JournalComparison(
        plan=plan,
        sync_seconds=rates[HERE]["sync_seconds"],
        streams=tuple(_streams(disk, told) for disk, told in streams.items()),
        rates=tuple(_rate(disk, told, plan) for disk, told in rates.items()),
    )


def _streams(disk: str, told: Figures) -> StreamsFigures:
    samples = samples_of(told["samples"])
    good, waits = answered(samples), told["waits"]
    return StreamsFigures(
        disk=disk,
        items=len(samples),
        failed=len(samples) - len(good),
        causes=causes_of(samples),
        total_seconds=told["total_seconds"],
        wall=statistics_of(sample.total for sample in good),
        wait=statistics_of(waits),
        worst_wait=max(waits, default=None),
        wait_share=ratio(sum(waits), sum(sample.total for sample in good)) if waits else None,
        loop=_loop(told),
    )


def _rate(disk: str, told: Figures, plan: JournalPlan) -> RateFigures:
    waits, held_back, behind = told["waits"], told["held_back"], told["behind"]
    sync = plan.sync_ms / 1000 if disk == SLOW else told["sync_seconds"]
    return RateFigures(
        disk=disk,
        finished=len(waits),
        commits=told["commits"],
        records_a_commit=ratio(len(waits), told["commits"]),
        wait=statistics_of(waits),
        worst_wait=max(waits, default=None),
        behind=behind,
        held_back=held_back,
        keeps_up=held_back == 0 and behind <= SYNCS_BEHIND * max(sync, 0.001),
        loop=_loop(told),
    )


def _loop(told: Figures) -> Loop:
    return Loop(
        lag=statistics_of(told["lags"]),
        worst_lag=max(told["lags"], default=None),
        cores=ratio(told["loop_cpu"], told["total_seconds"]),
        other_cores=ratio(told["other_cpu"], told["total_seconds"]),
    )
