"""The night in one value, made of what the files say. Pure: values and iterables in, no clock, no file, no drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from batchrun.outcome import Status
from batchrun.report.census import Census, Loop, Totals
from batchrun.report.cost import Cost, cost_of
from batchrun.report.early import EarlyEnds
from batchrun.report.lines import Line, Stretch
from batchrun.report.look import LookAt, items_to_look_at
from batchrun.report.night import Night
from batchrun.report.resume import Position, Resume, next_step
from batchrun.report.series import LimitShare, Period, Series
from batchrun.report.spread import Spread
from batchrun.report.stalls import Flavour, consumer, provider, receive_side, stream

EXAMPLES = 3  # enough to see a pattern, few enough for a line


@dataclass(frozen=True, slots=True)
class Kind:
    """Items of one kind: a cause of failure, or `incomplete`, `refused`. `message` is that of the first example."""

    name: str
    count: int
    message: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retries:
    """Attempts that failed, by cause, whatever became of their items; `in_finished` of them in the `items` that have
    finished. `is_known` is False where a run of the night did not tell of its own: then there may be more."""

    attempts: int
    in_finished: int
    items: int
    causes: Mapping[str, int]
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Tokens:
    """Output tokens of the night: of answers, of answers that no sink has taken, and thrown away with failed attempts.
    `per_second` is of all answers over the time in which a run was alive."""

    answers: int
    undelivered: int
    wasted: int
    per_second: float

    @property
    def wasted_share(self) -> float:
        return self.wasted / (self.answers + self.undelivered + self.wasted) if self.wasted else 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """A night. `totals` is the whole job file as it stands, `tonight` what finished during the night; causes and
    examples tell of all that stands, everything after them of the night. `gone` items finished once and are no longer
    in the job file: nothing counts them but the sums of the night. `wall` is of the attempts that answered, `elapsed`
    of the same items with retries and waiting."""

    night: Night
    total: int | None
    totals: Totals
    tonight: Totals
    pending: int | None
    gone: int
    causes: tuple[Kind, ...]
    others: tuple[Kind, ...]
    retries: Retries
    tokens: Tokens
    cost: Cost
    wall: Spread | None
    elapsed: Spread | None
    ttft: Spread | None
    tok_s: Spread | None
    loop: Loop | None
    flavours: tuple[Flavour, ...]
    early: EarlyEnds | None
    limits: tuple[LimitShare, ...]
    series: Series
    look_at: tuple[LookAt, ...]
    resume: Resume


def summarise(night: Night, lines: Iterable[Line | Stretch], periods: Iterable[Period]) -> Summary:
    """Count a night. Reads both iterables once, and keeps of them what `Census` and `Series` say."""
    census, series = Census(night.since), Series()
    census.take(lines)
    series.take(periods)
    ids = night.file.ids
    gone = 0 if ids is None else census.keep_only(ids)
    totals, limits, loop, retries = census.totals(), series.limits(), census.loop(), _retries(census, night)
    total = night.total if ids is None else len(ids)
    pending = None if total is None else max(total - totals.finished, 0)
    return Summary(
        night=night,
        total=total,
        totals=totals,
        tonight=census.night(),
        pending=pending,
        gone=gone,
        causes=tuple(_kind(census, cause, number) for cause, number in census.causes().most_common()),
        others=_others(census, totals),
        retries=retries,
        tokens=_tokens(census, night),
        cost=cost_of(census, night),
        wall=census.wall(),
        elapsed=census.elapsed(),
        ttft=census.ttft(),
        tok_s=census.tok_s(),
        loop=loop,
        flavours=(
            receive_side(loop, census.culprits.best(EXAMPLES, census.counts)),
            stream(retries.causes, is_known=retries.is_known),
            provider(retries.causes, limits, is_known=retries.is_known),
            *_consumer(census),
        ),
        early=census.early.sum(),
        limits=tuple(limits),
        series=series,
        look_at=tuple(items_to_look_at(census)),
        resume=_resume(night, totals, pending),
    )


def _consumer(census: Census) -> Iterator[Flavour]:
    slowest = census.most_held_up.best(EXAMPLES, census.counts)
    if flavour := consumer(census.held_up, census.consumer_bound, slowest):
        yield flavour


def _resume(night: Night, totals: Totals, pending: int | None) -> Resume:
    at = Position(
        totals=totals,
        pending=pending,
        exit_code=night.runs[-1].exit_code if night.runs else None,
        is_running=night.is_running,
        is_starting=night.is_starting,
        is_changed=night.file.is_changed,
        retry=night.retry,
    )
    return next_step(night.command, at)


def _retries(census: Census, night: Night) -> Retries:
    """What the runs told: an item that has not finished has no record of its own. Where a run told less than the
    records of its items do (it was killed, or is an older version's), theirs count."""
    told: Counter[str] = Counter()
    for run in night.runs:
        told.update(run.retried or {})
    causes = told | census.retried
    return Retries(
        attempts=causes.total(),
        in_finished=census.retried.total(),
        items=census.retried_items,
        causes=dict(causes),
        is_known=all(run.retried is not None for run in night.runs),
    )


def _kind(census: Census, name: str, number: int) -> Kind:
    examples = census.kinds.of(name, EXAMPLES, census.counts)
    message = examples[0].note if examples else ""
    return Kind(name, number, message, tuple(example.id for example in examples))


def _others(census: Census, totals: Totals) -> tuple[Kind, ...]:
    kinds = ((Status.INCOMPLETE, totals.incomplete), (Status.REFUSED, totals.refused))
    return tuple(_kind(census, str(name), number) for name, number in kinds if number)


def _tokens(census: Census, night: Night) -> Tokens:
    undelivered = census.undelivered.sum().tokens
    per_second = (census.tokens + undelivered) / night.seconds if night.seconds else 0.0
    wasted = max(sum(run.wasted_tokens for run in night.runs), census.wasted_tokens)
    return Tokens(census.tokens, undelivered, wasted, per_second)
