"""One item is told whole, whatever became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson
import pytest

from batchrun.errors import NoRunError
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.line import parse_line
from batchrun.outcome import Measure
from batchrun.report.closest import closest
from batchrun.report.facts import story_facts
from batchrun.report.source import find_source
from batchrun.report.story import Story, find_story
from batchrun.report.story_text import story_page
from tests.report.lines import said
from tests.report.nights import StateWriter, failed, job_line, outcome, stamp

CLAUDE = {"claude": BackendSpeech("claude")}


@pytest.fixture
def writer(tmp_path: Path) -> StateWriter:
    found = StateWriter(tmp_path / "jobs.jsonl")
    found.job_file(["answered", "bad", "waiting", "späte Seite"])
    found.run_begins("run-1", 0, 4, 4)
    return found


def story(writer: StateWriter, id: str) -> Story:
    return find_story(find_source(writer.jobs, None, writer.jobs.parent), id)


def page(found: Story) -> str:
    return said(story_page(found, stamp(600), UTC))


def test_an_answered_item_shows_what_was_asked_and_answered(writer: StateWriter) -> None:
    """With its numbers, and the failed attempts before."""
    writer.finish(outcome("answered", retried={"silent": 2}, attempts=3, wasted_tokens=40, elapsed=130.0))
    found = story(writer, "answered")
    text = page(found)
    assert text.startswith("answered: done (end_turn)\n")
    assert "2 min in 3 attempts" in text
    assert "failed attempts | silent 2" in text
    assert "400, 40 wasted on failed attempts; cost unknown" in text
    assert "400, 40 wasted on failed attempts; simulated, at no cost" in page(replace(found, simulated=True))
    assert "\nprompt: Tell me about answered.\nAnswer\nThe answer to answered." in text


def test_the_request_is_shown_as_it_stands_in_the_job_file(writer: StateWriter) -> None:
    """The conversation as people read it, other fields by name, nothing that batchrun added."""
    parts = [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]
    job = {"id": "talk", "system": "Be brief.", "max_tokens": 5, "messages": [{"role": "user", "content": parts}]}
    writer.jobs.write_bytes(b"\xef\xbb\xbf" + orjson.dumps(job) + b"\r\n")
    found = story(writer, "talk")
    assert "max_tokens: 5\nsystem: Be brief.\nuser: first\nsecond" in page(found)
    assert story_facts(found)["request"] == job


def test_a_failed_item_shows_its_error_and_whether_it_is_asked_again(writer: StateWriter) -> None:
    """The message whole, with the HTTP status."""
    error = {"cause": "bad_request", "message": "max_tokens is too large", "status": 400}
    writer.finish(failed("bad", "bad_request", "", error=error))
    text = page(story(writer, "bad"))
    assert text.startswith("bad: failed (bad_request); it will not be asked again")
    assert "error | max_tokens is too large (HTTP 400)" in text
    writer.finish(failed("waiting", "silent", "not a byte", final=False))
    assert "the next run asks it again" in page(story(writer, "waiting"))


def test_after_three_failed_runs_no_next_run_is_promised(writer: StateWriter) -> None:
    """That is what the journal holds to; the failures of another request do not count, and --retry asks it still."""
    edited = failed("bad", "silent", "not a byte", final=False, request="another")
    lines = [failed("bad", "silent", "not a byte", when, final=False) for when in (10, 20, 30)]
    writer.finish(edited, *lines[:2])
    assert page(story(writer, "bad")).startswith("bad: failed (silent); the next run asks it again\n")
    writer.finish(lines[2])
    told = "bad: failed (silent); it has failed in 3 runs and will not be asked again, but by --retry silent\n"
    assert page(story(writer, "bad")).startswith(told)
    kept: dict[str, Any] = {"stop_reason": "end_turn", "text": "Ja."}
    writer.finish(*(failed("waiting", "sink", "no disk", when, final=False, **kept) for when in (10, 20, 30)))
    told = "its answer is kept, but it has failed in 3 runs: --retry sink delivers it, and nobody is asked"
    assert page(story(writer, "waiting")).startswith(f"waiting: failed (sink); {told}\n")


def test_an_answer_that_no_sink_took_is_shown_and_said_to_be_kept(writer: StateWriter) -> None:
    """It is paid: the next run delivers it."""
    kept: dict[str, Any] = {
        "stop_reason": "end_turn",
        "text": "Ja.",
        "measure": Measure(wall=4.0, held_up=3.0, tokens=7),
    }
    writer.finish(failed("bad", "sink", "no disk", final=False, **kept))
    text = page(story(writer, "bad"))
    assert text.startswith("bad: failed (sink); its answer is kept, and the next run delivers it\n")
    assert "sinks | held it up for 3.0 s: the consumer is what limits this item" in text
    assert text.endswith("Answer\nJa.")


def test_an_answer_that_a_later_run_delivered_has_two_times(writer: StateWriter) -> None:
    """When it was delivered, and how long the run that paid for it took."""
    writer.finish(outcome("answered", 60, elapsed=130.0, attempts=3, paid_before=True))
    text = page(story(writer, "answered"))
    assert "delivery | 22:00:55 to 22:01:00, of an answer that an earlier run has paid for\n" in text
    assert "time | 2 min in 3 attempts\n" in text


def test_an_answer_that_was_ended_early_tells_what_that_saved(writer: StateWriter) -> None:
    """And that its usage is our own estimate; that is nothing odd."""
    early: dict[str, Any] = {
        "stop_reason": "stop_rule:max_chars",
        "flags": ("usage_estimated", "no_done"),
        "saved_tokens": 1648,
    }
    writer.finish(outcome("answered", measure=Measure(wall=4.0, held_up=0.5, tokens=400), **early))
    text = page(story(writer, "answered"))
    assert text.startswith("answered: done (stop_rule:max_chars)\n")
    assert "tokens | 400 (estimated); cost unknown" in text
    assert "ended early | 1,648 tokens saved, against max_tokens" in text
    assert "odd | no_done" in text
    assert "sinks | held it up for 0.50 s\n" in text


def test_what_had_come_of_a_broken_answer_is_told(writer: StateWriter) -> None:
    """How much it was, and that it is not kept."""
    error = {"cause": "broken", "message": "reset", "status": None, "partial_characters": 1234}
    writer.finish(failed("bad", "broken", "", error=error, final=False))
    assert "came of it | 1,234 characters of the last attempt, thrown away" in page(story(writer, "bad"))


def test_the_record_that_counts_is_told_and_the_others_are_listed(writer: StateWriter) -> None:
    """An item that failed in the first run and was answered in the second is answered."""
    writer.finish(failed("answered", "silent", "not a byte for 60 s", 30, final=False), outcome("answered", 90))
    found = story(writer, "answered")
    assert found.status == "done"
    assert "22:00:30 | failed: not a byte for 60 s" in page(found)
    assert len(story_facts(found)["superseded"]) == 1


def test_a_pending_item_is_said_to_be_pending(writer: StateWriter) -> None:
    """With the request, and the command that asks it; while a run is at work there is nothing to type."""
    text = page(story(writer, "waiting"))
    assert text.startswith("waiting: pending\n")
    assert text.endswith(f"To ask it:\nbatchrun run {writer.jobs}")
    lock = writer.hold_lock()
    try:
        assert page(story(writer, "waiting")).startswith("waiting: pending; a run is at work\n")
    finally:
        lock.release()


def test_an_id_of_any_letters_is_found(writer: StateWriter) -> None:
    """In the job file and in the log."""
    writer.finish(outcome("späte Seite"))
    found = story(writer, "späte Seite")
    assert (found.status, found.job is not None) == ("done", True)


def test_an_unknown_id_comes_with_those_that_may_have_been_meant(writer: StateWriter) -> None:
    """A typing error costs a second, not a search."""
    with pytest.raises(NoRunError, match="has no item 'wating'; did you mean waiting"):
        story(writer, "wating")
    with pytest.raises(NoRunError, match="check the spelling"):
        story(writer, "zzzzzzzzzzzz")


def test_without_its_job_file_an_answer_is_still_shown(writer: StateWriter) -> None:
    """It was paid for; that the request cannot be read is remarked upon."""
    writer.finish(outcome("answered"))
    writer.jobs.unlink()
    found = story(writer, "answered")
    assert found.answer is not None
    assert found.job is None
    assert "no such file" in found.remarks[0]
    with pytest.raises(NoRunError, match="no item 'waiting' has finished"):
        story(writer, "waiting")


def test_a_damaged_answer_is_said_to_be_damaged(writer: StateWriter) -> None:
    """The numbers still stand in the checkpoint."""
    writer.finish(outcome("answered"))
    writer.state.results.write_bytes(writer.state.results.read_bytes().replace(b"The answer", b"Thy answer"))
    found = story(writer, "answered")
    assert found.status == "done"
    assert found.answer is None
    assert "damaged" in found.remarks[0]


def test_lines_at_fault_do_not_hide_the_others(writer: StateWriter) -> None:
    """To see one item no other has to be right."""
    writer.jobs.write_bytes(b"not json\n[]\n" + writer.jobs.read_bytes())
    found = story(writer, "waiting")
    assert found.job is not None
    assert found.job.number == 5


def test_what_is_no_text_is_shown_as_json(writer: StateWriter) -> None:
    """A tool call is an answer too."""
    call = {"type": "tool_use", "id": "t1", "name": "look_up", "input": {"word": "Gate"}}
    writer.finish(outcome("answered", text="", content=[call], stop_reason="tool_use"))
    assert '"name":"look_up"' in page(story(writer, "answered"))


def test_the_closest_ids_are_found_among_many() -> None:
    """Typing errors at the beginning, in the middle, at the end, in the case; nothing for what is alike to nothing."""
    ids = [f"page-{number:06d}" for number in range(20_000)] + ["contact", "imprint"]
    assert closest("contcat", ids) == ["contact"]
    assert closest("IMPRINT", ids) == ["imprint"]
    assert closest("age-012345", ids)[0] == "page-012345"
    assert closest("page-01234", ids)[0] == "page-001234"
    assert closest("xyzzy", ids) == []
    assert closest("x", []) == []


def test_an_answer_to_another_request_is_said_to_be_one(writer: StateWriter) -> None:
    """The line was changed after it was asked; the answer is kept, and how to ask anew is said."""
    writer.finish(outcome("answered"), failed("bad", "bad_request", "no"))
    assert not story(writer, "answered").is_other_request
    writer.jobs.write_bytes(writer.jobs.read_bytes().replace(b"Tell me", b"Sing to me"))
    found = story(writer, "answered")
    text = page(found)
    assert "\nThis answer belongs to another request: its line in the job file has changed since." in text
    assert "--changed ask asks what stands there now" in text
    assert story_facts(found)["other_request"] is True
    failure = page(story(writer, "bad"))
    assert "Its line in the job file has changed since: the next run asks it." in failure
    assert "will not be asked again" not in failure


def test_flags_of_a_run_make_no_other_request(writer: StateWriter) -> None:
    """What was given for all lines belongs to the request: by a run's own options, or by a settings file."""
    with_flags = parse_line(job_line("answered"), 1, RequestFlags("m", 9), CLAUDE).request
    writer.finish(outcome("answered", model="m", request=with_flags))
    assert story(writer, "answered").is_other_request
    source = find_source(writer.jobs, None, writer.jobs.parent)
    assert not find_story(source, "answered", RequestFlags(None, 9)).is_other_request
    writer.run_begins("run-2", 100, 4, 4, ["--model", "m", "--max-tokens", "9"])
    assert not story(writer, "answered").is_other_request


def test_an_item_that_left_the_job_file_says_so(writer: StateWriter) -> None:
    """Its answer was paid for and is shown; no run will ask it again."""
    writer.finish(failed("gone", "silent", "not a byte", final=False))
    found = story(writer, "gone")
    text = page(found)
    assert text.startswith(f"gone: failed (silent)\nIts line is no longer in the job file ({writer.jobs}).")
    assert story_facts(found)["removed"] is True


def test_a_pending_item_of_an_unknown_model_says_why(writer: StateWriter) -> None:
    """In the words of the run; an item of another model is pending for no such reason."""
    with writer.jobs.open("ab") as file:
        file.write(b'{"id": "odd", "prompt": "x", "model": "claude-x"}\n')
    reason = "unknown model claude-x: model: claude-x (asked https://api.anthropic.com)"
    writer.run_ends("run-1", 90, 78, reason)
    assert f"why | {reason}" in page(story(writer, "odd"))
    assert story_facts(story(writer, "odd"))["why_pending"] == reason
    assert "why |" not in page(story(writer, "waiting"))
