"""The report as a page: what an operator has to know first stands first, what to type stands last. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from batchrun.report.cost_text import cost_block
from batchrun.report.ending_text import changed_words, resume_page, run_words
from batchrun.report.headline import headline
from batchrun.report.page import Block, Page, Row, Tone, Words, row
from batchrun.report.plain import clock, count, counted, duration, moment, percent, rate, shorten
from batchrun.report.resume import again_words
from batchrun.report.sparkline import BLOCKS, downsample, sparkline
from batchrun.report.spread import Spread
from batchrun.report.stalls import listed
from batchrun.report.summary import Kind, Retries, Summary
from batchrun.report.words import limit_word

RUNS_SHOWN = 5
LOOK_SHOWN = 8
ID_WIDTH = 40
BESIDE_CURVES = 34  # columns for the label and the figures at both sides of a curve
_FLAVOURS = {
    "receive_side": "our side",
    "stream": "the stream",
    "provider": "the provider",
    "consumer": "your sinks",
}


def report_page(summary: Summary, width: int, zone: tzinfo | None = None, marks: str = BLOCKS) -> Page:
    """`zone` None is this machine's; `marks` are those of the sparklines."""
    page: Page = [Words(headline(summary), _headline_tone(summary)), *_older(summary)]
    page += [_runs(summary, zone), *_job_file(summary)]
    if summary.causes:
        page.append(_causes(summary))
    if summary.others:
        page.append(Block("Answered in part, or refused", tuple(_kind_row(kind) for kind in summary.others)))
    has_asked = bool(summary.tonight.finished or summary.retries.attempts)
    if summary.tonight.finished:
        page.append(_speed(summary))
    if has_asked:
        page += [_retries(summary), cost_block(summary.cost)]
    if summary.series.times:
        page += [_load(summary, width, zone, marks), _limits(summary)]
    if has_asked or (summary.night.runs and not summary.retries.is_known):
        flavours = summary.flavours
        rows = tuple(row(_FLAVOURS[f.name], f.words, Tone.WARN if f.happened else Tone.PLAIN) for f in flavours)
        page.append(Block("Did it stall?", rows))
    if summary.look_at:
        look = tuple((Words(shorten(at.id, ID_WIDTH)), Words(at.reason)) for at in summary.look_at[:LOOK_SHOWN])
        page.append(Block("Items to look at (`show ID` tells more)", look))
    return page + resume_page(summary.resume.command, summary.resume.why)


def _headline_tone(summary: Summary) -> Tone:
    if summary.totals.failed:
        return Tone.BAD
    return Tone.WARN if summary.pending or summary.others else Tone.GOOD


def _older(summary: Summary) -> Page:
    if not summary.night.is_older:
        return []
    since = duration(summary.night.hours * 3600)
    return [Words(f"No run ended in the last {since}; this is the newest one.", Tone.WARN)]


def _runs(summary: Summary, zone: tzinfo | None) -> Block:
    runs = summary.night.runs
    now = moment(summary.night.until)
    rows = tuple(
        (
            Words(clock(moment(run.started), now, zone)),
            Words(duration(run.seconds)),
            Words(f"{count(run.pending)} to do", Tone.FAINT),
            run_words(run),
        )
        for run in runs[-RUNS_SHOWN:]
    )
    more = len(runs) - len(rows)
    title = f"{counted(len(runs), 'run')} of {summary.night.jobs}"
    title += f" (the last {len(rows)} are shown)" if more else ""
    title += ", on the embedded provider" if summary.night.simulated else ""
    return Block(title, rows, numeric=frozenset({1}))


def _job_file(summary: Summary) -> Page:
    rows = []
    if summary.night.file.is_changed:
        rows.append(row("file", "changed since the last run", Tone.WARN))
    if summary.night.changed:
        rows.append(row("requests", changed_words(summary.night.changed), Tone.WARN))
    if summary.gone:
        left = f"{counted(summary.gone, 'finished item')} no longer in it: not counted, the answers are kept"
        rows.append(row("removed", left))
    return [Block("Job file", tuple(rows))] if rows else []


def _causes(summary: Summary) -> Block:
    again = f"; {again_words(summary.totals, '')}" if summary.totals.again else ""
    return Block(f"Failed: {count(summary.totals.failed)}{again}", tuple(_kind_row(kind) for kind in summary.causes))


def _kind_row(kind: Kind) -> Row:
    named = ", ".join(shorten(id, ID_WIDTH) for id in kind.examples)
    more = ", ..." if kind.count > len(kind.examples) else ""
    said = f"{named}{more}" + (f": {shorten(kind.message, 160)}" if kind.message else "")
    return Words(kind.name), Words(count(kind.count)), Words(said)


def _speed(summary: Summary) -> Block:
    rows = [
        _spread_row("the attempt that answered", summary.wall, duration),
        _spread_row("with retries and waiting", summary.elapsed, duration),
        _spread_row("first token", summary.ttft, duration),
        _spread_row("tokens a second", summary.tok_s, rate),
    ]
    title = f"Speed: {rate(summary.tokens.per_second)} tokens/s over the night"
    if summary.night.seconds >= 1:
        title += f", {rate(summary.tonight.finished / summary.night.seconds * 60)} items/min"
    found = tuple(row for row in rows if row is not None)
    return Block(title, found, head=("", "median", "p95", "max", ""), numeric=frozenset({1, 2, 3}))


def _spread_row(label: str, figures: Spread | None, say: Callable[[float], str]) -> Row | None:
    if figures is None:
        return None
    told = (Words(say(figures.p50)), Words(say(figures.p95)), Words(say(figures.max)))
    return Words(label, Tone.FAINT), *told, Words(f"of {counted(figures.n, 'item')}", Tone.FAINT)


def _retries(summary: Summary) -> Block:
    retries, tokens = summary.retries, summary.tokens
    failed = "none" if retries.is_known else "not known"
    if retries.attempts:
        least = "" if retries.is_known else "at least "
        failed = f"{least}{count(retries.attempts)}{_in_items(retries)}: {listed(retries.causes)}"
    spent = f"{count(tokens.answers)} answered"
    if tokens.undelivered:
        spent += f", {count(tokens.undelivered)} answered and not delivered"
    if tokens.wasted:
        spent += f", {count(tokens.wasted)} wasted on failed attempts ({percent(tokens.wasted_share)})"
    rows = [row("failed attempts", failed), row("tokens", spent)]
    if summary.early is not None:
        rows.append(row("ended early", summary.early.words))
    return Block("Retries and waste", tuple(rows))


def _in_items(retries: Retries) -> str:
    """Where the attempts failed, as far as items that have finished tell."""
    items = counted(retries.items, "finished item")
    if retries.in_finished == retries.attempts:
        return f" in {items}"
    return (
        f", {count(retries.in_finished)} of them in {items}" if retries.items else ", none of them in a finished item"
    )


def _load(summary: Summary, width: int, zone: tzinfo | None, marks: str) -> Block:
    series = summary.series
    room = max(width - BESIDE_CURVES, 16)
    curves = []
    for label, figures, top, unit in (("slots", series.slots, max(series.slots), ""), ("CPU", series.cpu, 100.0, " %")):
        line = sparkline(downsample(series.times, figures, room), top, marks)
        mean = sum(figures) / len(figures)
        curves.append(
            (Words(label, Tone.FAINT), Words(line), Words(f"mean {rate(mean)}{unit}, max {max(figures):.0f}{unit}"))
        )
    begin, end = (clock(time, moment(summary.night.until), zone) for time in series.span())
    return Block(f"Load from {begin} to {end}", tuple(curves))


def _limits(summary: Summary) -> Block:
    series = summary.series
    gates: dict[str, list[str]] = {}
    for limit in summary.limits:
        gates.setdefault(limit.backend, []).append(f"{limit_word(limit.limited_by)} {percent(limit.share)}")
    slots = [row(name if len(gates) > 1 else "the slots", ", ".join(shares)) for name, shares in gates.items()]
    own = f"{sum(series.proc_cpu) / len(series.proc_cpu):.0f} % of one core, {series.rss_mb:.0f} MB at most"
    return Block("What limited", (*slots, row("batchrun took", own)))
