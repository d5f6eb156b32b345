"""What a night cost, as far as that is known. Pure: the items' own costs and what the runs told of theirs come in.

None is "not known", never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from batchrun.prices.bill import month_at_this_rate
from batchrun.report.census import Census
from batchrun.report.night import Night
from batchrun.report.plain import moment
from batchrun.report.undelivered import Undelivered
from batchrun.spent import DIGITS, Spent

LEAST_HOURS = 24.0  # a night stands for its day: cron starts the next one tomorrow


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars. `usd` is of the answers whose price is known; of those that no sink has taken `undelivered` tells,
    which is no waste. `wasted_usd_estimate` is what failed attempts cost: by the output that was thrown away, without
    their input; of `wasted_tokens_unpriced` not even that is known. `month_usd` is what all of them come to in a month
    of such days. `unknown_models` have no known price, as far as the runs told."""

    usd: float | None = None
    items_priced: int = 0
    items_unpriced: int = 0
    usd_an_item: float | None = None
    wasted_usd_estimate: float | None = None
    wasted_tokens_unpriced: int = 0
    saved_by_cache_usd: float | None = None
    month_usd: float | None = None
    undelivered: Undelivered = field(default_factory=Undelivered)
    unknown_models: tuple[str, ...] = ()
    simulated: bool = False


def cost_of(census: Census, night: Night) -> Cost:
    """What the items of the night cost by their records, and what the runs told beyond that."""
    if night.simulated:
        return Cost(simulated=True)
    told = [run.spent for run in night.runs if run.spent is not None]
    usd = census.cost_usd if census.priced else None
    wasted = _wasted(census, told)
    undelivered = census.undelivered.sum()
    spent = (usd or 0.0) + (wasted or 0.0) + (undelivered.usd or 0.0)
    return Cost(
        usd=usd,
        items_priced=census.priced,
        items_unpriced=census.unpriced,
        usd_an_item=None if usd is None else usd / census.priced,
        wasted_usd_estimate=wasted,
        wasted_tokens_unpriced=_unpriced_waste(census, told),
        saved_by_cache_usd=_known_sum(spent.saved_by_cache_usd for spent in told),
        month_usd=month_at_this_rate(spent, _hours(night)) if spent else None,
        undelivered=undelivered,
        unknown_models=tuple(dict.fromkeys(name for spent in told for name in spent.unknown_models)),
    )


def cost_facts(cost: Cost) -> dict[str, Any]:
    """As JSON, to a fraction of a cent: a small item costs less than a thousandth of one."""
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in asdict(cost).items()}


def _wasted(census: Census, told: list[Spent]) -> float | None:
    """What was paid for nothing; None where there was waste and nobody could price it."""
    if not told:
        return census.lost_usd or (None if census.wasted_tokens else 0.0)
    estimate = _known_sum(spent.wasted_usd_estimate for spent in told)
    return census.lost_usd or None if estimate is None else estimate + census.lost_usd


def _unpriced_waste(census: Census, told: list[Spent]) -> int:
    return sum(spent.wasted_tokens_unpriced for spent in told) if told else census.wasted_tokens


def _known_sum(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def _hours(night: Night) -> float:
    """The stretch in which this much was spent, idle time included."""
    if not night.runs:
        return max(LEAST_HOURS, night.hours)
    last = max(run.until for run in night.runs)
    return max(LEAST_HOURS, night.hours, (moment(last) - moment(night.since)).total_seconds() / 3600)
