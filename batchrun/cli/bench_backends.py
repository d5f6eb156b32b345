"""`batchrun bench backends`: its options and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import UNKNOWN, print_table, require_answers, say, times, told

if TYPE_CHECKING:
    from batchrun.bench.backends import BackendsFigures, RunFigures

HEAD = (
    "the fast backend",
    "answered",
    "failed",
    "seconds",
    "fastest",
    "slowest",
    "slow answered",
    "slow failed",
    "slow s",
)


def backends(
    items: Annotated[int, typer.Option(min=1, help="Of the fast backend.")] = 144,
    slots: Annotated[int, typer.Option(min=1, help="Of each backend, fixed.")] = 8,
    slower: Annotated[float, typer.Option(min=1, help="How many times as long the slow one takes.")] = 20.0,
    tokens: Annotated[int, typer.Option(min=1, help="Of each answer.")] = 30,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each kind, the order turned.")] = 3,
    json: options.Json = False,
) -> None:
    """Separate gates: a run of a fast backend alone against the same run with a slow backend beside it."""
    from dataclasses import asdict

    from batchrun.bench.backends import BackendsPlan, measure_backends
    from batchrun.cli.terminal import print_json

    figures = measure_backends(BackendsPlan(items, slots, slower, tokens, rounds))
    if json:
        print_json({"schema": "batchrun.bench.backends/1", **asdict(figures)})
    else:
        print_backends(figures)
    require_answers(sum(run.answered for run in figures.runs))


def print_backends(figures: BackendsFigures) -> None:
    """The table, and what it does not say by itself."""
    plan = figures.plan
    say(
        f"{plan.items} items of {plan.tokens} tokens on a fast backend, alone and beside {plan.slow_items} items on one"
    )
    say(f"that takes {plan.slower:g} times as long; {plan.slots} slots each, {plan.rounds} runs of each kind")
    say()
    print_table(HEAD, [_row(run) for run in figures.runs])
    say()
    say(f"the fast backend beside the slow one, over alone: {times(figures.ratio, 3)}")
    say("seconds: means, from the first item begun to the last finished; the lines of the slow one stand first")


def _row(run: RunFigures) -> tuple[str, ...]:
    was_asked = run.slow_answered + run.slow_failed > 0
    return (
        run.kind,
        str(run.answered),
        str(run.failed),
        _mean(run.seconds),
        told(min(run.seconds, default=None), ".2f"),
        told(max(run.seconds, default=None), ".2f"),
        str(run.slow_answered) if was_asked else UNKNOWN,
        str(run.slow_failed) if was_asked else UNKNOWN,
        _mean(run.slow_seconds),
    )


def _mean(seconds: tuple[float, ...]) -> str:
    return told(sum(seconds) / len(seconds) if seconds else None, ".2f")
