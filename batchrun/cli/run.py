"""`batchrun run JOBS`: its options, and what it says at the end. Everything between is `launch`'s."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from batchrun.launch import Ending

WHAT = "What is asked"
WHO = "Who is asked"
GATE = "How many at once"
CLOCKS = "When a stream counts as dead"
ENDS = "Retries and the end"
TOLD = "What is told"


def run(
    jobs: Annotated[Path, typer.Argument(metavar="JOBS", help="The job file: one JSON object a line.")],
    state: Annotated[Path | None, typer.Option(help="Where the state goes. [default: beside JOBS, .batchrun]")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first N pending items.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="ID", help="Ask only this item; repeatable.")] = None,
    model: Annotated[str | None, typer.Option(help="For lines without one. [default: claude-haiku-5-5]")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="For lines without it. [default: 2048]")] = None,
    stream: Annotated[bool | None, typer.Option("--stream/--no-stream", help="Stream the answers. [default: yes]")] = None,
    base_url: Annotated[str | None, typer.Option(help="Without /v1. [default: what the SDK resolves]")] = None,
    key_file: Annotated[Path | None, typer.Option(help="A file with the key, mode 0600; for cron.")] = None,
    insecure_http: Annotated[bool | None, typer.Option("--insecure-http", help="Allow http beyond loopback.")] = None,
    simulate: Annotated[bool | None, typer.Option("--simulate", help="Ask the embedded provider; costs nothing.")] = None,
    scenario: Annotated[str | None, typer.Option(help="With --simulate: calm, rough, storm, instant or a file.")] = None,
    target_cpu: Annotated[float | None, typer.Option(help="Per cent of the host. [default: 70]")] = None,
    min_slots: Annotated[int | None, typer.Option(min=1, help="Never fewer at once. [default: 1]")] = None,
    max_slots: Annotated[int | None, typer.Option(min=1, help="Never more at once. [default: 256]")] = None,
    period: Annotated[str | None, typer.Option(help="Between two looks at the load. [default: 2s]")] = None,
    connect_timeout: Annotated[str | None, typer.Option(help="To a connection. [default: 10s]")] = None,
    first_byte_timeout: Annotated[str | None, typer.Option(help="To the first byte. [default: 120s]")] = None,
    idle_timeout: Annotated[str | None, typer.Option(help="Without a single byte. [default: 60s]")] = None,
    stall_timeout: Annotated[str | None, typer.Option(help="With nothing but pings. [default: 600s]")] = None,
    total_timeout: Annotated[str | None, typer.Option(help="For one attempt. [default: 3600s]")] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, help="Per item and run. [default: 8]")] = None,
    give_up: Annotated[str | None, typer.Option(help="Stop when nothing finished for so long. [default: 60m]")] = None,
    drain_timeout: Annotated[str | None, typer.Option(help="For items in flight after a signal. [default: 20s]")] = None,
    accept: Annotated[str | None, typer.Option(help="Of failed,refused,incomplete: no reason for exit 1.")] = None,
    quiet: Annotated[bool | None, typer.Option("--quiet", help="Say nothing when all goes well; for cron.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the end as one JSON object.")] = False,
    log: Annotated[Path | None, typer.Option(help="Write every decision to this file.")] = None,
) -> None:
    """Ask every pending item of a job file; start it again after any stop, and it goes on where it was."""
    given = dict(locals())
    from batchrun.cli.progress import teller_for
    from batchrun.config import resolve
    from batchrun.jobs.reader import Selection
    from batchrun.launch import launch

    config = resolve(jobs, given, Selection(limit, frozenset(only or ())))
    teller = teller_for(quiet=config.quiet or config.json)
    ending = launch(config, teller)
    if config.json:
        _print_json(jobs, ending)
    elif not config.quiet or ending.exit_code:
        for line in ending_lines(jobs, state, ending):
            teller.say(line)
    raise typer.Exit(int(ending.exit_code))


def ending_lines(jobs: Path, state: Path | None, ending: Ending) -> list[str]:
    """The last words of a run, for people."""
    counts = ending.finished
    others = [f"{counts[word]:,} {word}" for word in ("incomplete", "refused", "failed") if counts.get(word)]
    told = [f"{counts.get('done', 0):,} of {ending.total:,} items answered", *others]
    lines = ["; ".join([*told, f"{ending.pending:,} pending" if ending.pending else "nothing pending"])]
    if ending.reason:
        lines.insert(0, f"stopped early: {ending.reason}")
    if ending.changed:
        lines.append(f"{ending.changed:,} finished items have another request in the job file now; their answers were kept")
    if ending.simulated:
        lines.append(f"these answers come from the embedded provider; for real ones: rm -r {shlex.quote(str(ending.state.path))}")
    where = f" --state {shlex.quote(str(state))}" if state is not None else ""
    lines.append(f"answers: {ending.state.results}; the morning report: batchrun report {shlex.quote(str(jobs))}{where}")
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
            "changed": ending.changed,
            "simulated": ending.simulated,
            "cpu_charged_to_no_item": ending.overhead,
        }
    )
