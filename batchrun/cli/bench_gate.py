"""`batchrun bench gate`: its options, its table and its curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import UNKNOWN, causes, print_table, require_answers, say, times, told

if TYPE_CHECKING:
    from batchrun.bench.gate import GateComparison, GateFigures

HEAD = ("slots", "n", "failed", "host CPU %", "settled at", "median s", "p95 s", "p95/alone", "total s")
CURVE_WIDTH = 60


def gate(
    items: Annotated[int, typer.Option(min=1, help="Behind each policy.")] = 48,
    fixed: Annotated[int, typer.Option(min=1, help="The fixed number of slots.")] = 12,
    target_cpu: Annotated[float, typer.Option(min=1, max=100, help="The law's, in per cent of the host.")] = 70.0,
    tokens: Annotated[int, typer.Option(min=1, help="Of each item; they come at 20 a second.")] = 60,
    json: options.Json = False,
) -> None:
    """Consumers that burn CPU: a fixed number of slots against the law. Loads this machine for a minute or two."""
    from dataclasses import asdict

    from batchrun.bench.gate import GatePlan, measure_gate
    from batchrun.cli.terminal import print_json

    figures = measure_gate(GatePlan(items=items, fixed=fixed, target_cpu=target_cpu, tokens=tokens))
    if json:
        print_json({"schema": "batchrun.bench.gate/1", **asdict(figures)})
    else:
        print_gate(figures)
    require_answers(sum(policy.items - policy.failed for policy in figures.policies))


def print_gate(figures: GateComparison) -> None:
    """The table, and the curves of CPU and slots over time."""
    plan = figures.plan
    say(f"{plan.items} items of {plan.tokens} tokens at {plan.tokens_a_second:g} a second; each consumer burns")
    say(f"{plan.cores_an_item:.2f} cores, so that {plan.fixed} of them overload the {figures.cores} cores of this host")
    say()
    print_table(HEAD, [_row(policy, figures) for policy in figures.policies])
    say()
    say(
        f"alone an item takes {told(figures.alone, '.2f')} s; the law is `{figures.law}`, target {plan.target_cpu:g} %;"
    )
    say(f"before it began, other programs used {told(figures.others_cpu, '.0f')} % of this host")
    for policy in figures.policies:
        say()
        _curves(policy)
        if policy.causes:
            say(f"{policy.policy}: failed: {causes(policy.causes)}")
        if policy.not_begun:
            say(f"{policy.policy}: {policy.not_begun} items were not begun: after {plan.most_seconds:g} s none begins")


def _row(policy: GateFigures, figures: GateComparison) -> tuple[str, ...]:
    wall = policy.wall
    return (
        f"fixed {figures.plan.fixed}" if policy.policy == "fixed" else "by the law",
        str(policy.items),
        str(policy.failed),
        told(policy.cpu_mean, ".0f"),
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
    from batchrun.cli.terminal import marks
    from batchrun.report.sparkline import downsample, sparkline

    for label, curve, top in (("CPU", policy.cpu, 100.0), ("slots", policy.slots, max(policy.slots, default=0.0))):
        line = sparkline(downsample(policy.times, curve, CURVE_WIDTH), top, marks())
        say(f"{policy.policy:<6}{label:<6}{line}  0 to {top:g}{' %' if label == 'CPU' else ''}")
