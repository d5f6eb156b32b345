"""`batchrun bench gate`: its options, its tables and its curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import UNKNOWN, causes, print_table, require_answers, say, times, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchrun.bench.gate import GateComparison, GateFigures, GatePlan
    from batchrun.bench.side_by_side import SideBySide, SideFigures
    from batchrun.bench.trial import Trial
    from batchrun.bench.worlds import WorldFigures

HEAD = ("slots", "n", "failed", "host CPU %", "others %", "settled at", "median s", "p95 s", "p95/alone", "total s")
WORLD_HEAD = (
    "neighbours",
    "n",
    "median",
    "p95",
    "hot",
    "swinging",
    "crowded",
    "yielded",
    "worse",
    "better",
    "fair: worse",
    "better",
)
ITEMS_OF_TWO = 128  # for two minutes or three: shares are found in the course of periods
SIDES = ("first", "second")
SIDE_HEAD = ("run", "n", "failed", "host CPU %", "settled at", "p95 s", "total s")
CURVE_WIDTH = 60
DEFAULT_WORLDS = 50


def gate(
    items: Annotated[
        int | None, typer.Option(min=1, help="Behind each policy. (default: 32, and 128 for each of two runs)")
    ] = None,
    fixed: Annotated[int, typer.Option(min=1, help="The fixed number of slots.")] = 12,
    target_cpu: Annotated[float, typer.Option(min=1, max=100, help="The laws', in per cent of the host.")] = 70.0,
    tokens: Annotated[int, typer.Option(min=1, help="Of each item; they come at 20 a second.")] = 60,
    try_all: Annotated[
        bool, typer.Option("--try-all", metavar="", help="Try every fixed limit; takes minutes.")
    ] = False,
    worlds: Annotated[int, typer.Option(min=0, help="Simulated worlds to play as well.")] = DEFAULT_WORLDS,
    seed: Annotated[int, typer.Option(min=0, help="The first world's.")] = 1,
    only_worlds: Annotated[bool, typer.Option("--only-worlds", metavar="", help="Leave this machine alone.")] = False,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", metavar="", help="Instead of all that: two runs at once.")
    ] = False,
    json: options.Json = False,
) -> None:
    """What the gate's laws make of this machine, and of simulated ones. Loads this one for a minute or two."""
    from dataclasses import asdict

    from batchrun.bench.gate import GatePlan, measure_gate
    from batchrun.bench.many import try_worlds
    from batchrun.bench.worlds import limits_of, world_figures
    from batchrun.cli.terminal import print_json

    count = items or (ITEMS_OF_TWO if side_by_side else GatePlan().items)
    plan = GatePlan(items=count, fixed=fixed, target_cpu=target_cpu, tokens=tokens, tries_all=try_all)
    if side_by_side:
        _side_by_side(plan, json=json)
        return
    trials = try_worlds(range(seed, seed + worlds))
    figures = None if only_worlds else measure_gate(plan)
    if json:
        machine = {} if figures is None else asdict(figures)
        rows = [asdict(row) for row in world_figures(trials)]
        limits = dict(limits_of(trials))
        print_json({"schema": "batchrun.bench.gate/1", **machine, "worlds": rows, "seed": seed, "limited_by": limits})
    else:
        print_worlds(trials, seed)
        if figures is not None:
            print_gate(figures)
    if figures is not None:
        require_answers(sum(policy.items - policy.failed for policy in figures.policies))


def _side_by_side(plan: GatePlan, *, json: bool) -> None:
    from dataclasses import asdict

    from batchrun.bench.side_by_side import measure_side_by_side
    from batchrun.cli.terminal import print_json

    figures = measure_side_by_side(plan)
    if json:
        print_json({"schema": "batchrun.bench.side_by_side/1", **asdict(figures)})
    else:
        print_side_by_side(figures)
    require_answers(sum(run.items - run.failed for run in figures.runs))


def print_worlds(trials: Sequence[Trial], seed: int) -> None:
    """How the adaptive law does in worlds of one virtual hour and more."""
    from batchrun.bench.worlds import limits_of, world_figures
    from batchrun.report.words import limit_word

    if not trials:
        return
    say(f"{len(trials):,} simulated worlds from seed {seed} on: total time against the best fixed limit (the oracle)")
    say()
    print_table(WORLD_HEAD, [_world_row(row) for row in world_figures(trials)])
    say()
    say("hot: more than 10 points above the target for more than 2 % of the settled time; swinging: by more than two")
    say("slots or a tenth where nothing changes; crowded: slots that only make each stream slower (by the steady law);")
    say("yielded: to a neighbour with half the machine, within 3 periods; worse, better: than the steady law, where")
    say("that kept to the target; better of those where a limit binds; fair: the same where it made room for others,")
    say("too, and where there is a quicker limit to be found at all")
    limits = ", ".join(f"{limit_word(word)} {count:,}" for word, count in limits_of(trials).most_common())
    say(f"limited most of the time by: {limits}")
    say()


def _world_row(row: WorldFigures) -> tuple[str, ...]:
    return (
        row.kind,
        f"{row.worlds:,}",
        f"{100 * row.slower_median:+.1f} %",
        f"{100 * row.slower_p95:+.1f} %",
        str(row.hot),
        f"{row.swinging} of {row.still}",
        f"{row.crowded} ({row.steady_crowded})",
        f"{row.yielded} of {row.arrivals}",
        f"{row.worse} of {row.steady_kept}",
        f"{row.better} of {row.bound}",
        f"{row.fair_worse} of {row.fair}",
        f"{row.fair_better} of {row.fair_bound}",
    )


def print_gate(figures: GateComparison) -> None:
    """The table, and the curves of CPU and slots over time."""
    plan = figures.plan
    say(f"this machine: {plan.items} items of {plan.tokens} tokens at {plan.tokens_a_second:g} a second; each consumer")
    say(f"burns {plan.cores_an_item:.2f} cores, so that {plan.fixed} of them overload the {figures.cores} cores of it")
    say()
    print_table(HEAD, [_row(policy, figures) for policy in figures.policies])
    say()
    best = "none of them kept to it" if figures.best is None else f"the best that kept to it is `{figures.best}`"
    say(f"alone an item takes {told(figures.alone, '.2f')} s; the target is {plan.target_cpu:g} %; {best};")
    say(f"before it began, other programs used {told(figures.others_cpu, '.0f')} % of this machine")
    for policy in figures.policies:
        say()
        _curves(policy)
        if policy.causes:
            say(f"{policy.policy}: failed: {causes(policy.causes)}")
        if policy.not_begun:
            say(f"{policy.policy}: {policy.not_begun} items were not begun: after {plan.most_seconds:g} s none begins")


def print_side_by_side(figures: SideBySide) -> None:
    """The shares, and the curves of CPU and slots over the time of both."""
    plan = figures.plan
    say(f"two runs by the {figures.law} law, {plan.items} items each; the second begins while the first is at work")
    say()
    rows = [_side_row(name, run) for name, run in zip(SIDES, figures.runs, strict=True)]
    print_table(SIDE_HEAD, rows)
    say()
    say(f"both were there for {figures.both_seconds:.0f} s; in the second half of that the host was busy for")
    say(f"{told(figures.host_cpu, '.0f')} % (target {plan.target_cpu:g} %), and the smaller share was")
    say(f"{told(figures.fairness, '.2f')} of the larger")
    end = max((time for run in figures.runs for time in run.times), default=0.0)
    for name, run in zip(SIDES, figures.runs, strict=True):
        say()
        if run.not_begun:
            say(f"{name}: {run.not_begun} items were not begun: after {plan.most_seconds:g} s none begins")
        for label, curve, top in (("CPU", run.own, 100.0), ("slots", run.slots, max(run.slots, default=0.0))):
            _line(f"{name:<10}{label:<6}", (0.0, *run.times, end), (0.0, *curve, 0.0), top, " %" * (label == "CPU"))


def _side_row(name: str, run: SideFigures) -> tuple[str, ...]:
    settled = sorted(run.slots[len(run.slots) // 2 :])
    return (
        name,
        str(run.items),
        str(run.failed),
        told(run.share, ".0f"),
        told(settled[len(settled) // 2] if settled else None, ".0f"),
        told(run.p95, ".2f"),
        told(run.total_seconds, ".1f"),
    )


def _row(policy: GateFigures, figures: GateComparison) -> tuple[str, ...]:
    wall = policy.wall
    return (
        f"{policy.policy} (best)" if policy.policy == figures.best else policy.policy,
        str(policy.items),
        str(policy.failed),
        told(policy.cpu_mean, ".0f"),
        told(policy.others_mean, ".0f"),
        _settled(policy),
        told(wall.median if wall else None, ".2f"),
        told(wall.p95 if wall else None, ".2f"),
        times(policy.over_alone),
        told(policy.total_seconds, ".1f"),
    )


def _settled(policy: GateFigures) -> str:
    if policy.settled_range is None:
        return UNKNOWN
    low, high = policy.settled_range
    return told(policy.settled_slots, ".0f") + ("" if low == high else f" ({low:.0f} to {high:.0f})")


def _curves(policy: GateFigures) -> None:
    for label, curve, top in (("CPU", policy.cpu, 100.0), ("slots", policy.slots, max(policy.slots, default=0.0))):
        _line(f"{policy.policy:<10}{label:<6}", policy.times, curve, top, " %" * (label == "CPU"))


def _line(label: str, times_: Sequence[float], curve: Sequence[float], top: float, unit: str) -> None:
    from batchrun.cli.terminal import marks
    from batchrun.report.sparkline import downsample, sparkline

    say(f"{label}{sparkline(downsample(times_, curve, CURVE_WIDTH), top, marks())}  0 to {top:g}{unit}")
