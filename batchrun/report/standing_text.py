"""`status` as a page, for somebody who looks at three in the morning: does it run, how far is it, what to do. Pure."""

from __future__ import annotations

from datetime import timedelta, tzinfo

from batchrun.report.ending_text import changed_words, resume_page, run_words
from batchrun.report.money import spent_words
from batchrun.report.page import Block, Page, Row, Tone, Words, row
from batchrun.report.plain import clock, count, counted, duration, moment, percent, rate, shorten
from batchrun.report.resume import again_words, given_up_words
from batchrun.report.snapshot import GateView
from batchrun.report.standing import STALE_SECONDS, Live, Standing
from batchrun.report.words import STOPPING, limit_word

BAR_WIDTH = 30


def status_page(standing: Standing, zone: tzinfo | None = None, bar_marks: str = "") -> Page:
    """`zone` None is this machine's; `bar_marks` are those of an empty and of a full bar, none for no bar."""
    rows = [*_before_rows(standing), *_count_rows(standing, bar_marks)]
    rows += [*_live_rows(standing, zone), *_cost_rows(standing), *_trouble_rows(standing, zone)]
    page: Page = [_headline(standing, zone)]
    if rows:
        page.append(Block("", tuple(rows)))
    if standing.live is None:
        page += resume_page(standing.resume.command, standing.resume.why)
    return page


def quiet_remark(standing: Standing) -> str | None:
    """What is odd about a run that has stopped telling of itself; None where nothing is."""
    live = standing.live
    if live is None or live.quiet < STALE_SECONDS:
        return None
    return (
        f"the run has written nothing for {duration(live.quiet)}, though its process lives: "
        "it may be suspended, or its machine was asleep"
    )


def _headline(standing: Standing, zone: tzinfo | None) -> Words:
    now, last, jobs = moment(standing.now), standing.last, standing.jobs
    where = f"{jobs} (on the embedded provider)" if standing.simulated else jobs
    if standing.live is not None:
        holder = standing.holder
        assert holder is not None
        who = f"(pid {holder.pid} on {holder.host})"
        if standing.is_starting:
            since = moment(holder.started)
            return Words(f"{where}: a run is just starting, since {clock(since, now, zone)} {who}", Tone.GOOD)
        since = moment(last.started if last else holder.started)
        age = duration((now - since).total_seconds())
        return Words(f"{where}: running for {age}, since {clock(since, now, zone)} {who}", Tone.GOOD)
    if last is None:
        return Words(f"{where}: no run is at work", Tone.WARN)
    how = run_words(last)
    return Words(f"{where}: not running since {clock(moment(last.until), now, zone)}: {how.text}", how.tone)


def _before_rows(standing: Standing) -> list[Row]:
    if not standing.is_starting or standing.last is None:
        return []
    how = run_words(standing.last)
    return [row("run before", how.text, how.tone)]


def _count_rows(standing: Standing, bar_marks: str) -> list[Row]:
    totals, total = standing.totals, standing.total
    if totals is None:
        return [row("items", "nothing is known yet")]
    parts = [f"{count(totals.done)} done"]
    parts += [f"{count(totals.incomplete)} incomplete", f"{count(totals.refused)} refused"]
    parts += [f"{count(totals.failed)} failed"]
    tone = Tone.BAD if totals.failed else Tone.PLAIN
    if total is None:
        return [row("finished", f"{count(totals.finished)}: {', '.join(parts)}", tone)]
    share = totals.finished / total if total else 1.0
    rows = [row("finished", f"{_bar(share, bar_marks)}{count(totals.finished)} of {count(total)} ({percent(share)})")]
    rows.append(row("", ", ".join(parts), tone))
    if standing.pending is not None:
        again = f"; {again_words(totals)}" if totals.again else ""
        rows.append(row("pending", f"{count(standing.pending)}{_in_flight(standing.live)}{again}"))
    if standing.live is not None and totals.given_up.items:
        rows.append(row("given up", given_up_words(totals.given_up)))
    if standing.changed:
        rows.append(row("job file", changed_words(standing.changed), Tone.WARN))
    return rows


def _bar(share: float, marks: str) -> str:
    if not marks:
        return ""
    filled = round(min(share, 1.0) * BAR_WIDTH)
    return marks[-1] * filled + marks[0] * (BAR_WIDTH - filled) + "  "


def _in_flight(live: Live | None) -> str:
    if live is None or not (live.in_flight or live.backing_off):
        return ""
    waiting = f", {count(live.backing_off)} waiting to be asked again" if live.backing_off else ""
    sinks = f" ({count(live.with_sinks)} waiting for the sinks)" if live.with_sinks else ""
    return f"; of these {count(live.in_flight)} in flight{sinks}{waiting}"


def _live_rows(standing: Standing, zone: tzinfo | None) -> list[Row]:
    live = standing.live
    if live is None:
        return []
    rows = [row(name, _gate(gate, is_stopping=bool(live.stopping))) for name, gate in live.gates.items()]
    pace = [f"{rate(live.tok_s)} tokens/s"] if live.tok_s is not None else []
    pace += [f"host CPU {live.cpu:.0f} %"] if live.cpu is not None else []
    pace += [counted(live.retries, "failed attempt")] if live.retries else []
    rows += [row("pace", ", ".join(pace))] if pace else []
    if live.eta_s is not None and not live.stopping:
        now = moment(standing.now)
        end = clock(now + timedelta(seconds=live.eta_s), now, zone)
        rows.append(row("time left", f"about {duration(live.eta_s)}, until {end}"))
    if live.stopping:
        rows.append(row("stopping", f"{live.stopping}; waiting for what is in flight", Tone.WARN))
    return rows


def _cost_rows(standing: Standing) -> list[Row]:
    words = "" if standing.spent is None else spent_words(standing.spent)
    is_present = standing.is_running and not standing.is_starting
    return [row("cost", words if is_present else f"{words} (the last run)")] if words else []


def _gate(gate: GateView, *, is_stopping: bool) -> str:
    taken = f"{gate.in_flight} of {counted(gate.slots, 'slot')} taken"
    if is_stopping or gate.limited_by == STOPPING:
        return f"{taken}; limited by {limit_word(STOPPING)}"
    # Of a pause the word says all.
    why = f": {gate.reason}" if gate.reason and gate.limited_by != "paused" else ""
    return f"{taken}; limited by {limit_word(gate.limited_by)}{why}"


def _trouble_rows(standing: Standing, zone: tzinfo | None) -> list[Row]:
    error = standing.last_error
    if error is None:
        return []
    when = f"{clock(moment(error.stamp), moment(standing.now), zone)} " if error.stamp else ""
    text = f"{when}{shorten(error.id, 40)}: {error.cause}: {shorten(error.message, 200)}"
    return [row("last error", text, Tone.WARN)]
