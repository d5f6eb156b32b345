"""Many worlds in one table: how the adaptive law does against the best fixed limit and against the steady law. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batchrun.bench.trial import SELDOM, YIELDED, Trial
from batchrun.bench.world import KINDS
from batchrun.report.spread import percentile

ALL = "all"
CROWD = 1.5  # times the slots that are of use
NOTABLE = 0.01  # slower by less is a draw


@dataclass(frozen=True, slots=True)
class WorldFigures:
    """Worlds of one kind of neighbours. `slower` is by how much of the oracle's time the adaptive law took longer.

    `hot` worlds had a CPU of more than ten points above the target for more than 2 % of their settled time; `swinging`
    ones are among the `still` ones, in which nothing changes; in `crowded` ones half of the slots did nothing but make
    each stream slower. Of `arrivals` of a neighbour who takes half the machine
    `yielded` were made room for within three periods. `steady_kept` counts the worlds in which the steady law left the
    machine what the target leaves it, and `worse` and `better` are among those, the latter where a limit binds. Among
    them are worlds in which it was quick because it made no room for others: `fair` ones leave those out, and
    `fair_bound` ones those as well in which no limit is quicker than the oracle's, whatever a law does.
    """

    kind: str
    worlds: int
    slower_median: float
    slower_p95: float
    steady_median: float
    steady_p95: float
    far_above: float
    hot: int
    still: int
    swinging: int
    crowded: int
    steady_crowded: int
    arrivals: int
    yielded: int
    steady_kept: int
    worse: int
    bound: int
    better: int
    fair: int
    fair_worse: int
    fair_bound: int
    fair_better: int


def world_figures(trials: Sequence[Trial]) -> list[WorldFigures]:
    """One row for all of them, and one for each kind."""
    rows = [_figures(ALL, trials)]
    rows += [_figures(kind, [trial for trial in trials if trial.world.kind == kind]) for kind in KINDS]
    return [row for row in rows if row.worlds]


def limits_of(trials: Iterable[Trial]) -> Counter[str]:
    """In how many worlds which signal limited most of the time."""
    return Counter(trial.adaptive.limited_by for trial in trials)


def _figures(kind: str, trials: Sequence[Trial]) -> WorldFigures:
    slower, steady = (
        sorted(getattr(trial, law).slower for trial in trials) or [math.nan] for law in ("adaptive", "steady")
    )
    swings = [trial.adaptive.swing for trial in trials if trial.adaptive.swing is not None]
    yields = [points for trial in trials for points in trial.adaptive.yields]
    kept = [trial for trial in trials if trial.steady.keeps_to(trial.world.bounds.target_cpu)]
    bound = [trial for trial in kept if trial.is_bound]
    fair = [trial for trial in kept if trial.steady.keeps_all_rules(trial.world.bounds.target_cpu)]
    fair_bound = [trial for trial in fair if trial.has_choice]
    return WorldFigures(
        kind=kind,
        worlds=len(trials),
        slower_median=percentile(slower, 0.5),
        slower_p95=percentile(slower, 0.95),
        steady_median=percentile(steady, 0.5),
        steady_p95=percentile(steady, 0.95),
        far_above=sum(trial.adaptive.far_above for trial in trials) / max(1, len(trials)),
        hot=sum(trial.adaptive.far_above > SELDOM for trial in trials),
        still=len(swings),
        swinging=sum(swing > 1.0 for swing in swings),
        crowded=sum(trial.adaptive.crowd > CROWD for trial in trials),
        steady_crowded=sum(trial.steady.crowd > CROWD for trial in trials),
        arrivals=len(yields),
        yielded=sum(points <= YIELDED for points in yields),
        steady_kept=len(kept),
        worse=sum(map(_is_worse, kept)),
        bound=len(bound),
        better=sum(map(_is_better, bound)),
        fair=len(fair),
        fair_worse=sum(map(_is_worse, fair)),
        fair_bound=len(fair_bound),
        fair_better=sum(map(_is_better, fair_bound)),
    )


def _is_worse(trial: Trial) -> bool:
    return trial.adaptive.seconds > (1.0 + NOTABLE) * trial.steady.seconds


def _is_better(trial: Trial) -> bool:
    return trial.adaptive.seconds < trial.steady.seconds
