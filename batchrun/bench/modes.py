"""`bench modes`: what streaming costs and gives, against one document at the end; the same requests, in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from batchrun.bench.endpoint import Endpoint, open_endpoint
from batchrun.bench.sample import Sample, answered, causes_of, samples_of
from batchrun.bench.statistics import Statistics, ratio, statistics_of
from batchrun.bench.worker import client_core, run_worker

STREAMING, WHOLE, MIXED = "streaming", "non-streaming", "mixed"
# The longest that a round may take: far above the second or two of the default length, for an endpoint may be slow.
SECONDS_A_ROUND = 15.0


@dataclass(frozen=True, slots=True)
class ModesPlan:
    """`iterations` requests in each mode, as many of them at once as `concurrency` says; `stream_ratio` is the share of
    streams among the mixed ones. `tokens` is the mean length of an answer."""

    iterations: int = 100
    concurrency: int = 10
    stream_ratio: float = 0.7
    tokens: int = 60

    @property
    def most_seconds(self) -> float:
        rounds = -(-self.iterations // self.concurrency)
        return 3 * (rounds + 1) * SECONDS_A_ROUND


@dataclass(frozen=True, slots=True)
class ModeFigures:
    """One mode; times in seconds, over the requests that were answered.

    `ttft_applies` False: a whole document has no first token, so `ttft` is None and not 0. In mixed traffic it is that
    of the streams. `cpu_a_request` is the CPU time of the whole client over all requests, failed ones included.
    """

    mode: str
    requests: int
    succeeded: int
    failed: int
    causes: dict[str, int]
    ttft_applies: bool
    ttft: Statistics | None
    total: Statistics | None
    cpu_a_request: float | None
    tokens: int


@dataclass(frozen=True, slots=True)
class ModesFigures:
    """`paired_requests` were answered in both modes; `streaming_later` is by how many seconds the stream of such a
    request ended after its document (median). `cpu_ratio` is streaming over non-streaming."""

    endpoint: str
    plan: ModesPlan
    modes: tuple[ModeFigures, ...]
    paired_requests: int
    streaming_later: float | None
    cpu_ratio: float | None
    spent_usd: float
    is_budget_used_up: bool


def measure_modes(endpoint: Endpoint, plan: ModesPlan, scenario: str = "calm") -> ModesFigures:
    """Ask everything in both modes, then a mix of them.

    Raises:
        BatchrunError: the client did not end well.
    """
    with open_endpoint(endpoint, scenario) as opened:
        order = {"endpoint": asdict(opened), "plan": asdict(plan)}
        told = run_worker("modes_worker", order, plan.most_seconds, client_core() if opened.is_embedded else None)
    return modes_figures(endpoint, plan, told)


def modes_figures(endpoint: Endpoint, plan: ModesPlan, told: Mapping[str, Any]) -> ModesFigures:
    """The figures in what the worker told."""
    streaming, whole, mixed = (_mode_figures(mode, told["modes"][mode]) for mode in (STREAMING, WHOLE, MIXED))
    later = _later(told["modes"][STREAMING]["samples"], told["modes"][WHOLE]["samples"])
    return ModesFigures(
        endpoint=endpoint.name,
        plan=plan,
        modes=(streaming, whole, mixed),
        paired_requests=len(later),
        streaming_later=median(later) if later else None,
        # What failures cost says nothing about a mode.
        cpu_ratio=ratio(streaming.cpu_a_request, whole.cpu_a_request) if later else None,
        spent_usd=told["spent_usd"],
        is_budget_used_up=told["is_budget_used_up"],
    )


def _mode_figures(mode: str, told: Mapping[str, Any]) -> ModeFigures:
    samples = samples_of(fields for fields in told["samples"] if fields is not None)
    good = answered(samples)
    return ModeFigures(
        mode=mode,
        requests=len(samples),
        succeeded=len(good),
        failed=len(samples) - len(good),
        causes=causes_of(samples),
        ttft_applies=mode == STREAMING or any(sample.streamed for sample in samples),
        ttft=statistics_of(sample.ttft for sample in good if sample.ttft is not None),
        total=statistics_of(sample.total for sample in good),
        cpu_a_request=ratio(told["cpu_seconds"], len(samples)),
        tokens=sum(sample.tokens for sample in good),
    )


def _later(streams: Sequence[Any], documents: Sequence[Any]) -> list[float]:
    """By how much each stream ended after the document of the same request, where both were answered."""
    both = [samples_of(pair) for pair in zip(streams, documents, strict=True) if None not in pair]
    return [stream.total - document.total for stream, document in both if _are_answered(stream, document)]


def _are_answered(*samples: Sample) -> bool:
    return all(sample.is_answered for sample in samples)
