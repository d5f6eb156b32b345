"""`batchrun run JOBS`: its options, and what it says at the end. Everything between is `launch`'s."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from batchrun.cli import options
from batchrun.cli.streams import for_facts_alone, give_up
from batchrun.plural import agreed, counted
from batchrun.report.money import spent_words
from batchrun.report.program import program_name

if TYPE_CHECKING:
    from batchrun.config import RunConfig
    from batchrun.ending import Ending
    from batchrun.teller import Teller


@options.taking(options.RUN)
def run(jobs: options.Jobs, **given: Any) -> None:
    """Ask every pending item of a job file; start it again after any stop, and it goes on where it was."""
    from batchrun.cli.progress import teller_for
    from batchrun.config import resolve
    from batchrun.launch import launch

    config = resolve(jobs, given)
    teller = teller_for(quiet=config.quiet or config.json)
    with for_facts_alone() if config.json else nullcontext():
        ending = launch(config, teller, partial(resolve, jobs, given))
    _tell(config, teller, ending)
    raise typer.Exit(int(ending.exit_code))


def _tell(config: RunConfig, teller: Teller, ending: Ending) -> None:
    # The shell gets the run's exit code though nobody listens any more: what was done was done.
    if config.json:
        try:
            _print_json(config.jobs, ending)
        except OSError as exc:
            give_up(sys.stdout)
            teller.say(f"standard output cannot be written ({exc.strerror or exc}); `batchrun report --json` tells it")
    elif not config.quiet or ending.exit_code or ending.changed or (ending.simulated and not config.simulate):
        for line in ending_lines(config.jobs, ending):
            teller.say(line)


def ending_lines(jobs: Path, ending: Ending) -> list[str]:
    """The last words of a run, for people."""
    counts = ending.finished
    others = [f"{counts[word]:,} {word}" for word in ("incomplete", "refused", "failed") if counts.get(word)]
    told = [f"{counts['done']:,} of {counted(ending.total, 'item')} answered", *others]
    lines = ["; ".join([*told, f"{ending.pending:,} pending" if ending.pending else "nothing pending"])]
    if ending.reason:
        lines.insert(0, f"stopped early: {ending.reason}")
    if ending.undelivered:
        again = f"the same command delivers {agreed(ending.undelivered, 'it', 'them')} without asking again"
        kept = counted(ending.undelivered, "answer is", "answers are")
        lines.append(f"{kept} kept that no sink took ({ending.sink_error}); {again}")
    if ending.given_up.items:
        lines.append(_given_up(ending))
    if ending.changed:
        some = ", ".join(ending.changed[:3]) + (", ..." if len(ending.changed) > 3 else "")
        number = len(ending.changed)
        which = f"{counted(number, 'finished item')} with another request in the job file now ({some})"
        kept, them = agreed(number, "answer was", "answers were"), agreed(number, "it", "them")
        lines.append(f"{which}: the old {kept} kept; --changed ask asks {them} again")
    if ending.simulated:
        remove = f"rm -r {shlex.quote(str(ending.state.path))}"
        lines.append(f"these answers come from the embedded provider; to ask a real one, remove them first: {remove}")
    if ending.spent is not None and (words := spent_words(ending.spent)):
        lines.append(f"cost of this run: {words}")
    if any(counts.values()):
        elsewhere = ending.state.path != ending.state.for_jobs(jobs).path
        where = f" --state {shlex.quote(str(ending.state.path))}" if elsewhere else ""
        report = f"{program_name()} report {shlex.quote(str(jobs))}{where}"
        lines.append(f"answers: {ending.state.results}; the morning report: {report}")
    return lines


def _given_up(ending: Ending) -> str:
    from batchrun.report.resume import given_up_words

    why = ending.sink_error if ending.given_up.kept and not ending.undelivered else ""
    return given_up_words(ending.given_up) + (f"; the last time: {why}" if why else "")


def _print_json(jobs: Path, ending: Ending) -> None:
    from batchrun.cli.terminal import print_json

    print_json(
        {
            "schema": "batchrun.run/1",
            "jobs": str(jobs),
            "state": str(ending.state.path),
            "results": str(ending.state.results),
            "exit_code": int(ending.exit_code),
            "reason": ending.reason,
            "total": ending.total,
            "finished": ending.finished,
            "finished_now": ending.now,
            "pending": ending.pending,
            "undelivered": ending.undelivered,
            "given_up": {"items": ending.given_up.items, "kept": ending.given_up.kept},
            "changed": len(ending.changed),
            "simulated": ending.simulated,
            "cpu_charged_to_no_item": ending.overhead,
            "cost_usd": ending.spent.usd if ending.spent else None,
            "spent": ending.spent.told() if ending.spent else None,
        }
    )
