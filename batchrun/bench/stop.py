"""`bench stop`: what is saved by ending a generation once it has said enough; each request whole and stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from batchrun.bench.endpoint import Endpoint, open_endpoint
from batchrun.bench.statistics import mean_of, ratio
from batchrun.bench.worker import client_core, run_worker

WHOLE, STOPPED = "whole", "stopped"
DEFAULT_RULE: Mapping[str, Any] = {"min_tokens": 40, "sentence_end": True}
SECONDS_A_ROUND = 30.0  # the longest, for an endpoint may be slow; whole answers of the embedded provider take 4 s


@dataclass(frozen=True, slots=True)
class StopPlan:
    """`stop_when` as a job line has it; it has been checked."""

    items: int = 40
    concurrency: int = 10
    max_tokens: int = 400
    stop_when: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULT_RULE))

    @property
    def most_seconds(self) -> float:
        return 2 * (-(-self.items // self.concurrency) + 1) * SECONDS_A_ROUND


@dataclass(frozen=True, slots=True)
class StopSample:
    """One request, whole or stopped; `cause` as in `failure.py`. `rule` None: the answer ended by itself, and `tokens`
    are the provider's number. A stopped one never learns its number: `tokens` is None, `characters` is about what was
    received, `stopped_at` where in it the rule held."""

    total: float
    connections: int
    cause: str | None = None
    rule: str | None = None
    tokens: int | None = None
    characters: int = 0
    stopped_at: int | None = None


@dataclass(frozen=True, slots=True)
class StopFigures:
    """All requests of one kind; means over those that did not fail, seconds.

    `tokens` are output tokens an item that were received. Those of a stopped item are reckoned from its characters, as
    `characters_a_token` of the whole answers has it, for its provider never tells them: `is_estimated`. `at_rule` is
    how many there were where the rule held. `events_sent` is how many events an item the embedded provider had sent
    when it noticed the end (one a token, and a few round them), None elsewhere.
    """

    kind: str
    items: int
    failed: int
    causes: dict[str, int]
    ended_by_rule: dict[str, int]
    is_estimated: bool
    tokens: float | None
    at_rule: float | None
    events_sent: float | None
    total: float | None
    cpu_a_request: float | None


@dataclass(frozen=True, slots=True)
class StopComparison:
    """Savings are shares of 1, of received tokens: against `max_tokens`, which whole answers do not use up either, and
    against the mean of the whole answers, which is what stopping really changes. `connections` were made by all
    requests together: who finds its connection closed is the one that comes after a stopped one."""

    endpoint: str
    plan: StopPlan
    kinds: tuple[StopFigures, StopFigures]
    characters_a_token: float | None
    saved_of_max_tokens: float | None
    whole_below_max_tokens: float | None
    saved_of_whole: float | None
    connections: int
    spent_usd: float
    is_budget_used_up: bool


def measure_stop(endpoint: Endpoint, plan: StopPlan) -> StopComparison:
    """Ask everything whole and stopped, the order turned from round to round.

    Raises:
        BatchrunError: the client did not end well.
    """
    with open_endpoint(endpoint) as opened:
        order = {"endpoint": asdict(opened), "plan": asdict(plan)}
        core = client_core() if opened.is_embedded else None
        told = run_worker("stop_worker", order, plan.most_seconds, core)
    return stop_comparison(endpoint, plan, told)


def stop_comparison(endpoint: Endpoint, plan: StopPlan, told: Mapping[str, Any]) -> StopComparison:
    """The figures in what the worker told."""
    samples = {kind: [StopSample(**fields) for fields in told["kinds"][kind]["samples"]] for kind in (WHOLE, STOPPED)}
    rate = _characters_a_token(samples[WHOLE])
    whole, stopped = (_figures(kind, told["kinds"][kind], samples[kind], rate) for kind in (WHOLE, STOPPED))
    return StopComparison(
        endpoint=endpoint.name,
        plan=plan,
        kinds=(whole, stopped),
        characters_a_token=rate,
        saved_of_max_tokens=_saved(stopped.tokens, plan.max_tokens),
        whole_below_max_tokens=_saved(whole.tokens, plan.max_tokens),
        saved_of_whole=_saved(stopped.tokens, whole.tokens),
        connections=sum(sample.connections for kind in samples.values() for sample in kind),
        spent_usd=told["spent_usd"],
        is_budget_used_up=told["is_budget_used_up"],
    )


def _figures(
    kind: str, told: Mapping[str, Any], samples: Sequence[StopSample], characters_a_token: float | None
) -> StopFigures:
    good = [sample for sample in samples if sample.cause is None]
    stopped_at = [sample.stopped_at for sample in good if sample.stopped_at is not None]
    # Those of failed requests are among them, and cannot be told apart.
    can_tell = bool(good) and len(good) == len(samples)
    return StopFigures(
        kind=kind,
        items=len(samples),
        failed=len(samples) - len(good),
        causes=dict(Counter(sample.cause for sample in samples if sample.cause is not None)),
        ended_by_rule=dict(Counter(sample.rule for sample in good if sample.rule is not None)),
        is_estimated=any(sample.rule is not None for sample in good),
        tokens=mean_of(_received(good, characters_a_token)),
        at_rule=ratio(mean_of(stopped_at), characters_a_token),
        events_sent=ratio(told["events_sent"], len(good)) if can_tell else None,
        total=mean_of(sample.total for sample in good),
        cpu_a_request=ratio(told["cpu_seconds"], len(samples)),
    )


def _received(samples: Sequence[StopSample], characters_a_token: float | None) -> list[float]:
    """Tokens of each item: the provider's number, else reckoned. None are left out where there is no rate."""
    known = [float(sample.tokens) for sample in samples if sample.tokens is not None]
    if characters_a_token is None:
        return known
    return known + [sample.characters / characters_a_token for sample in samples if sample.tokens is None]


def _characters_a_token(whole: Sequence[StopSample]) -> float | None:
    """How long a token is, by the answers of this run of which the provider told the number."""
    told = [sample for sample in whole if sample.tokens]
    return ratio(sum(sample.characters for sample in told), sum(sample.tokens or 0 for sample in told))


def _saved(used: float | None, of: float | None) -> float | None:
    share = ratio(used, of)
    return None if share is None else 1 - share
