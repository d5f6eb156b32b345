"""The same facts for programs: the objects that `--json` prints. Their keys are a contract; figures are seconds, US
dollars and counts, and null is "not known", never 0. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from batchrun.report.cost import cost_facts
from batchrun.report.headline import headline
from batchrun.report.sparkline import downsample

if TYPE_CHECKING:  # `status` has no need of what the others stand on, and is to be quick
    from batchrun.journal.record import Checkpoint
    from batchrun.report.night import NightRun
    from batchrun.report.spread import Spread
    from batchrun.report.standing import Standing
    from batchrun.report.story import Story
    from batchrun.report.summary import Kind, Summary

REPORT_SCHEMA = "batchrun.report/1"
STATUS_SCHEMA = "batchrun.status/1"
SHOW_SCHEMA = "batchrun.show/1"
POINTS = 120  # of each curve: a plot of ordinary width


def report_facts(summary: Summary) -> dict[str, Any]:
    """What `report --json` prints."""
    night, tokens, retries = summary.night, summary.tokens, summary.retries
    return {
        "schema": REPORT_SCHEMA,
        "headline": headline(summary),
        "jobs": night.jobs,
        "simulated": night.simulated,
        "since": night.since or None,
        "until": night.until,
        "runs": [run_facts(run) for run in night.runs],
        "totals": {"total": summary.total, **asdict(summary.totals), "pending": summary.pending, "gone": summary.gone},
        "job_file": {"changed": night.file.is_changed, "items_changed": night.changed},
        "tonight": asdict(summary.tonight),
        "causes": {kind.name: _kind(kind) for kind in summary.causes},
        "incomplete_refused": {kind.name: _kind(kind) for kind in summary.others},
        "wall": _spread(summary.wall),
        "elapsed": _spread(summary.elapsed),
        "ttft": _spread(summary.ttft),
        "tok_s": {"item": _spread(summary.tok_s), "night": _round(tokens.per_second), "tokens": tokens.answers}
        | {"undelivered": tokens.undelivered},
        "retries": asdict(retries),
        "waste": {"tokens": tokens.wasted, "share": _round(tokens.wasted_share)},
        "cost": cost_facts(summary.cost),
        "early": _early(summary),
        "loop": None if summary.loop is None else {key: _round(value) for key, value in asdict(summary.loop).items()},
        "flavours": {
            flavour.name: {"happened": flavour.happened, "count": flavour.count, "causes": dict(flavour.causes)}
            | {"words": flavour.words}
            for flavour in summary.flavours
        },
        "limits": [asdict(limit) | {"share": _round(limit.share)} for limit in summary.limits],
        "over_time": _over_time(summary),
        "items_to_look_at": [{"id": look.id, "reason": look.reason} for look in summary.look_at],
        "resume": {"command": summary.resume.command, "why": summary.resume.why},
    }


def status_facts(standing: Standing) -> dict[str, Any]:
    """What `status --json` prints."""
    totals, live, holder, last = standing.totals, standing.live, standing.holder, standing.last
    counts = {"done": None, "incomplete": None, "refused": None, "failed": None}
    if totals is not None:
        counts = {name: getattr(totals, name) for name in counts}
    error = standing.last_error
    return {
        "schema": STATUS_SCHEMA,
        "jobs": standing.jobs,
        "simulated": standing.simulated,
        "running": standing.is_running,
        "starting": standing.is_starting,
        "pid": holder.pid if holder else None,
        "host": holder.host if holder else None,
        "started": _started(standing),
        "total": standing.total,
        **counts,
        "again": totals.again if totals else None,
        "kept": totals.kept if totals else None,
        "given_up": asdict(totals.given_up) if totals else None,
        "pending": standing.pending,
        "items_changed": standing.changed,
        "counted_at": standing.counted_at,
        "in_flight": live.in_flight if live else 0,
        "backing_off": live.backing_off if live else 0,
        "with_sinks": live.with_sinks if live else 0,
        "retries": live.retries if live else None,
        "gates": {name: asdict(gate) for name, gate in live.gates.items()} if live else {},
        "cpu": live.cpu if live else None,
        "tok_s": live.tok_s if live else None,
        "eta_s": live.eta_s if live else None,
        "cost_usd": standing.spent.usd if standing.spent else None,
        "spent": standing.spent.told() if standing.spent else None,
        "last_error": None
        if error is None
        else {"id": error.id, "cause": error.cause, "message": error.message, "t": error.stamp},
        "stopping": live.stopping if live else None,
        "last_run": run_facts(last) if last else None,
        "resume": {"command": standing.resume.command, "why": standing.resume.why},
    }


def _started(standing: Standing) -> str | None:
    if standing.is_starting and standing.holder is not None:
        return standing.holder.started
    return standing.last.started if standing.last else None


def story_facts(story: Story) -> dict[str, Any]:
    """What `show --json` prints. `request` is the job's line as it stands, `record` the checkpoint that counts,
    `result` its line in results.jsonl."""
    return {
        "schema": SHOW_SCHEMA,
        "id": story.id,
        "jobs": story.jobs,
        "simulated": story.simulated,
        "status": story.status,
        "line": story.job.number if story.job else None,
        "request": story.job.fields if story.job else None,
        "record": _record(story.record) if story.record else None,
        "result": story.answer,
        "superseded": [_record(record) for record in story.superseded],
        "running": story.is_running,
        "removed": story.is_removed,
        "other_request": story.is_other_request,
        "why_pending": story.why_pending,
        "remarks": list(story.remarks),
    }


def _record(record: Checkpoint) -> dict[str, Any]:
    return asdict(record) | {"status": str(record.status), "flags": list(record.flags), "result": list(record.result)}


def run_facts(run: NightRun) -> dict[str, Any]:
    """One run; `until` is its end, or the last that was heard of it."""
    spent = run.spent.told() if run.spent else None
    return asdict(run) | {"how": str(run.how), "seconds": _round(run.seconds), "spent": spent}


def _kind(kind: Kind) -> dict[str, Any]:
    return {"count": kind.count, "message": kind.message or None, "examples": list(kind.examples)}


def _early(summary: Summary) -> dict[str, Any] | None:
    early = summary.early
    if early is None:
        return None
    return asdict(early) | {"mean": _round(early.mean), "saved_of_mean": _round(early.saved_of_mean)}


def _spread(figures: Spread | None) -> dict[str, Any] | None:
    return None if figures is None else {key: _round(value) for key, value in asdict(figures).items()}


def _over_time(summary: Summary) -> dict[str, Any] | None:
    series = summary.series
    if not series.times:
        return None
    curves = {"slots": series.slots, "in_flight": series.in_flight, "cpu": series.cpu, "tok_s": series.tok_s}
    begin, end = series.span()
    return {
        "from": begin.isoformat(),
        "to": end.isoformat(),
        **{
            name: [_round(mean) for mean in downsample(series.times, figures, POINTS)]
            for name, figures in curves.items()
        },
    }


def _round(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value
