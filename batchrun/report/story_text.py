"""One item as a page: what became of it, in numbers, then what was asked and what was answered, whole. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import orjson

from batchrun.journal.record import Checkpoint
from batchrun.outcome import Status
from batchrun.report.census import CONSUMER_SHARE
from batchrun.report.job_file import JobLine
from batchrun.report.page import Block, Command, Page, Prose, Row, Tone, Words, row
from batchrun.report.plain import clock, count, counted, dollars, duration, moment, rate
from batchrun.report.resume import FILL_IN, has_gap
from batchrun.report.stalls import listed
from batchrun.report.story import Story
from batchrun.stream.message import USAGE_ESTIMATED

_TONES = {Status.DONE: Tone.GOOD, Status.FAILED: Tone.BAD}


def story_page(story: Story, now: str, zone: tzinfo | None = None) -> Page:
    """`zone` None is this machine's."""
    page: Page = [_headline(story), *_against_the_job_file(story)]
    if story.why_pending is not None:
        page.append(Block("", (row("why", story.why_pending, Tone.WARN),)))
    if story.record is not None:
        page.append(Block("", tuple(_numbers(story.record, now, zone, simulated=story.simulated))))
    if story.superseded:
        page.append(Block("Earlier records, which count no longer", tuple(_earlier(story, now, zone))))
    if story.job is not None:
        page.append(Prose(f"Request (line {count(story.job.number)} of {story.jobs})", _request(story.job)))
    if story.answer is not None and (said := _said(story.answer)):
        page.append(Prose("Answer", said))
    if story.record is None and not story.is_running:
        page.append(Command(f"To ask it ({FILL_IN}):" if has_gap(story.command) else "To ask it:", story.command))
    return page


def _against_the_job_file(story: Story) -> Page:
    """Where the record and the job file no longer go together."""
    if story.is_removed:
        return [Words(f"Its line is no longer in the job file ({story.jobs}).", Tone.WARN)]
    if story.record is None or not story.is_other_request:
        return []
    if story.record.status is Status.FAILED:
        return [Words("Its line in the job file has changed since: the next run asks it.", Tone.WARN)]
    told = "This answer belongs to another request: its line in the job file has changed since. The next run keeps the"
    return [Words(f"{told} answer; --changed ask asks what stands there now.", Tone.WARN)]


def _headline(story: Story) -> Words:
    record = story.record
    if record is None:
        return Words(f"{story.id}: pending" + ("; a run is at work" if story.is_running else ""), Tone.WARN)
    why = (record.error or {}).get("cause") or record.stop_reason
    text = f"{story.id}: {record.status}" + (f" ({why})" if why else "")
    if record.status is Status.FAILED and not (story.is_removed or story.is_other_request):
        text += f"; {_outlook(story, record)}"
    return Words(text, _TONES.get(record.status, Tone.WARN))


def _outlook(story: Story, record: Checkpoint) -> str:
    """What becomes of a failure."""
    if record.final:
        return "it will not be asked again"
    if not story.is_over:
        return "its answer is kept, and the next run delivers it" if record.is_kept else "the next run asks it again"
    failed = f"it has failed in {counted(story.failed_runs, 'run')}"
    retry = f"--retry {(record.error or {}).get('cause') or Status.FAILED}"
    if record.is_kept:
        return f"its answer is kept, but {failed}: {retry} delivers it, and nobody is asked"
    return f"{failed} and will not be asked again, but by {retry}"


def _numbers(record: Checkpoint, now: str, zone: tzinfo | None, *, simulated: bool) -> Iterator[Row]:
    if record.error is not None:
        http = f" (HTTP {record.error['status']})" if record.error.get("status") else ""
        yield row("error", f"{record.error.get('message') or record.error.get('cause')}{http}", Tone.BAD)
        if part := record.error.get("partial_characters"):
            yield row("came of it", f"{count(part)} characters of the last attempt, thrown away")
    begin, end = (clock(moment(time), moment(now), zone) for time in (record.started, record.finished))
    took = f"{duration(record.elapsed)} in {counted(record.attempts, 'attempt')}"
    if record.paid_before:  # the moments are those of the delivery, the rest is of the run that paid
        yield row("delivery", f"{begin} to {end}, of an answer that an earlier run has paid for")
        yield row("time", took)
    else:
        yield row("time", f"{begin} to {end}: {took}")
    if record.retried:
        yield row("failed attempts", listed(record.retried))
    yield row("last attempt", _attempt(record))
    yield row(
        "CPU", f"{record.cpu:.3f} s of its own ({record.cores:.3f} cores); event loop {record.loop_cores:.2f} cores"
    )
    waste = f", {count(record.wasted_tokens)} wasted on failed attempts" if record.wasted_tokens else ""
    estimated = " (estimated)" if USAGE_ESTIMATED in record.flags else ""
    yield row("tokens", f"{count(record.tokens)}{estimated}{waste}; {_cost(record, simulated=simulated)}")
    yield row("model", f"{record.model} on backend {record.backend}")
    if record.saved_tokens:
        yield row("ended early", f"{counted(record.saved_tokens, 'token')} saved, against max_tokens")
    if record.held_up:
        limits = ": the consumer is what limits this item" if record.held_up > CONSUMER_SHARE * record.wall else ""
        yield row("sinks", f"held it up for {duration(record.held_up)}{limits}")
    # That nobody tells the usage of an answer that we ended ourselves is nothing odd.
    if odd := [flag for flag in record.flags if flag != USAGE_ESTIMATED or not record.saved_tokens]:
        yield row("odd", ", ".join(odd))


def _cost(record: Checkpoint, *, simulated: bool) -> str:
    if simulated:
        return "simulated, at no cost"
    return "cost unknown" if record.cost_usd is None else f"cost {dollars(record.cost_usd)}"


def _attempt(record: Checkpoint) -> str:
    parts = [duration(record.wall)]
    parts += [f"first token after {duration(record.ttft)}"] if record.ttft is not None else []
    parts += [f"{rate(record.tok_s)} tokens/s in {counted(record.chunks, 'chunk')}"] if record.tokens else []
    return ", ".join(parts)


def _earlier(story: Story, now: str, zone: tzinfo | None) -> Iterator[Row]:
    for record in story.superseded:
        why = (record.error or {}).get("message") or record.stop_reason or ""
        yield row(
            clock(moment(record.finished), moment(now), zone), f"{record.status}: {why}" if why else record.status
        )


def _request(job: JobLine) -> str:
    """The line as it stands, the conversation as people read it."""
    fields = dict(job.fields)
    fields.pop("id", None)
    messages = fields.pop("messages", [])
    told: list[tuple[Any, Any]] = [(name, fields.pop(name)) for name in ("system", "prompt") if name in fields]
    if isinstance(messages, list):
        told += [(message.get("role"), message.get("content")) for message in messages if isinstance(message, dict)]
    rest = [f"{name}: {_plain(value)}" for name, value in fields.items()]
    return "\n".join([*rest, *(f"{name}: {_plain(value)}" for name, value in told)])


def _said(answer: dict[str, Any]) -> str:
    """The text; what is no text (a tool call) as JSON."""
    text = str(answer.get("text") or "")
    others = [block for block in answer.get("content") or [] if block.get("type") not in ("text", "thinking")]
    return "\n".join([text, *(_plain(block) for block in others)]).strip("\n")


def _plain(value: Any) -> str:
    """Texts as they are, also where they are the only content of a list of blocks; anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(block, dict) and block.get("type") == "text" for block in value):
        return "\n".join(str(block.get("text", "")) for block in value)
    return orjson.dumps(value, default=str).decode()
