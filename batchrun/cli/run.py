"""`batchrun run JOBS`: its options, and what it says at the end. Everything between is `launch`'s."""

from __future__ import annotations

import contextlib
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from batchrun.cli import options
from batchrun.report.money import spent_words
from batchrun.report.plain import counted
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
    ending = launch(config, teller, partial(resolve, jobs, given))
    _tell(config, teller, ending)
    raise typer.Exit(int(ending.exit_code))


def _tell(config: RunConfig, teller: Teller, ending: Ending) -> None:
    # The shell gets the run's exit code though nobody listens any more: what was done was done.
    with contextlib.suppress(OSError):
        if config.json:
            _print_json(config.jobs, ending)
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
        kept, them = ("answer is", "it") if ending.undelivered == 1 else ("answers are", "them")
        again = f"the same command delivers {them} without asking again"
        lines.append(f"{ending.undelivered:,} {kept} kept that no sink took ({ending.sink_error}); {again}")
    if ending.changed:
        some = ", ".join(ending.changed[:3]) + (", ..." if len(ending.changed) > 3 else "")
        which = f"{counted(len(ending.changed), 'finished item')} with another request in the job file now ({some})"
        lines.append(f"{which}: the old answers were kept; --changed ask asks them again")
    if ending.simulated:
        remove = f"rm -r {shlex.quote(str(ending.state.path))}"
        lines.append(f"these answers come from the embedded provider; for real ones: {remove}")
    if ending.spent is not None and (words := spent_words(ending.spent)):
        lines.append(f"cost of this run: {words}")
    if any(counts.values()):
        elsewhere = ending.state.path != ending.state.for_jobs(jobs).path
        where = f" --state {shlex.quote(str(ending.state.path))}" if elsewhere else ""
        report = f"{program_name()} report {shlex.quote(str(jobs))}{where}"
        lines.append(f"answers: {ending.state.results}; the morning report: {report}")
    return lines


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
            "changed": len(ending.changed),
            "simulated": ending.simulated,
            "cpu_charged_to_no_item": ending.overhead,
            "cost_usd": ending.spent.usd if ending.spent else None,
            "spent": ending.spent.told() if ending.spent else None,
        }
    )
