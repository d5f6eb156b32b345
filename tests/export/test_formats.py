"""Each format is read back by those for whom it is written: the SDKs' own types, a strict CSV reader, our own."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from batchrun.export.choices import Format
from batchrun.export.csv_rows import COLUMNS, HEAD, csv_row
from batchrun.export.formats import WRITINGS, written
from batchrun.failure import Cause
from batchrun.outcome import Outcome, Status
from tests.export.nights import exported, failed, kept_outcome, outcome, result_of
from tests.export.readers import anthropic_line, csv_rows, openai_line

USE = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"q": "x"}}
CUT_USE = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}, "partial_json": '{"q": "'}
THOUGHTS = {"type": "thinking", "thinking": "Let me see."}
TEXT = {"type": "text", "text": "Let me look."}
NO = {"type": "text", "text": "No."}

# Ways in which an item can end.
ENDS: dict[str, Outcome] = {
    "answered": outcome("a"),
    "cut off": outcome("a", status=Status.INCOMPLETE, stop_reason="max_tokens"),
    "refused": outcome("a", status=Status.REFUSED, stop_reason="refusal", text="", content=[]),
    "refused in words": outcome("a", status=Status.REFUSED, stop_reason="refusal", text="No.", content=[NO]),
    "a tool": outcome("a", stop_reason="tool_use", text="", content=[USE]),
    "thoughts, words and a tool": outcome(
        "a", stop_reason="tool_use", text="Let me look.", content=[THOUGHTS, TEXT, USE]
    ),
    "a tool that was cut off": outcome(
        "a", status=Status.INCOMPLETE, stop_reason="max_tokens", text="", content=[CUT_USE]
    ),
    "stopped by a rule": outcome("a", stop_reason="stop_rule:sentence_end"),
    "nothing in it": outcome("a", text="", content=[], usage={}),
    "an estimated usage": outcome("a", usage={"output_tokens": 7}, flags=("usage_estimated",)),
    "an odd usage": outcome("a", usage={"input_tokens": None, "output_tokens": "7", "total_tokens": 9}),
    "kept, for no sink took it": kept_outcome(outcome("a")),
    "cut off and kept": kept_outcome(outcome("a", stop_reason="max_tokens")),
    "refused and kept": kept_outcome(outcome("a", stop_reason="refusal", text="", content=[])),
    "an id of any letters": outcome('"\u2028\U0001f342\x00'),
}
FAILURES = [failed("a", cause, status) for cause in Cause for status in (None, 400, 529)]


# -- Anthropic ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["id", "usage", "content", "stop_reason"])
def test_the_strict_reader_is_strict(lost: str) -> None:
    """A field that is missing or of the wrong kind does not pass; else the tests below would say nothing."""
    line = orjson.loads(exported(Format.ANTHROPIC, ENDS["answered"]))
    line["result"]["message"][lost] = 7
    with pytest.raises(ValidationError):
        anthropic_line(orjson.dumps(line))


@pytest.mark.parametrize("ended", ENDS.values(), ids=ENDS.keys())
def test_anthropics_readers_read_an_answer(ended: Outcome) -> None:
    """It has succeeded there, cut off or refused too: the stop reason tells."""
    response = anthropic_line(exported(Format.ANTHROPIC, ended))
    assert response.custom_id == ended.id
    assert response.result.type == "succeeded"
    message = response.result.message
    assert "".join(block.text for block in message.content if block.type == "text") == ended.text
    assert [block.type for block in message.content] == [block["type"] for block in ended.content]
    assert message.model == ended.model


def test_anthropics_readers_find_the_usage() -> None:
    """Every count as the provider told it."""
    response = anthropic_line(exported(Format.ANTHROPIC, ENDS["answered"]))
    assert response.result.type == "succeeded"
    usage = response.result.message.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (20, 120, 5)


def test_a_rule_that_ended_an_answer_is_a_stop_sequence_there() -> None:
    """The nearest of the words that their readers know, and it names the rule."""
    response = anthropic_line(exported(Format.ANTHROPIC, ENDS["stopped by a rule"]))
    assert response.result.type == "succeeded"
    assert response.result.message.stop_reason == "stop_sequence"
    assert response.result.message.stop_sequence == "stop_rule:sentence_end"


@pytest.mark.parametrize("ended", FAILURES, ids=lambda ended: f"{ended.error['cause']} {ended.error['status']}")
def test_anthropics_readers_read_an_error(ended: Outcome) -> None:
    """With its kind in their words, its message and its request's id."""
    response = anthropic_line(exported(Format.ANTHROPIC, ended))
    assert response.result.type == "errored"
    assert ended.error is not None
    assert response.result.error.error.message == ended.error["message"]
    assert response.result.error.request_id == "req_1"
    if ended.error["cause"] == Cause.BAD_REQUEST:
        assert response.result.error.error.type == "invalid_request_error"


def test_what_is_pending_has_expired_at_anthropic() -> None:
    """Not asked, not billed, to be asked again."""
    assert anthropic_line(WRITINGS[Format.ANTHROPIC].line("a", None)).result.type == "expired"


# -- OpenAI ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ENDS.values(), ids=ENDS.keys())
def test_openais_readers_read_an_answer(ended: Outcome) -> None:
    """One choice, with the text that the answer has."""
    completion = openai_line(exported(Format.OPENAI, ended))
    [choice] = completion.choices
    if ended.stop_reason == "refusal":
        assert choice.finish_reason == "content_filter"
        assert choice.message.refusal == (ended.text or "The model refused.")
    else:
        assert (choice.message.content or "") == ended.text
    assert completion.model == ended.model
    assert completion.created == 1795222801


def test_openais_readers_find_tools_and_usage() -> None:
    """A call's input as text; what the cache took and gave as a part of the prompt."""
    completion = openai_line(exported(Format.OPENAI, ENDS["thoughts, words and a tool"]))
    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me look.")
    [call] = choice.message.tool_calls or []
    assert call.type == "function"
    assert (call.id, call.function.name, call.function.arguments) == ("toolu_1", "look_up", '{"q":"x"}')
    usage = completion.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (28, 120, 148)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 5


def test_a_call_that_was_cut_off_keeps_its_text() -> None:
    """It was paid, and is no JSON that could be written in another way."""
    [choice] = openai_line(exported(Format.OPENAI, ENDS["a tool that was cut off"])).choices
    assert choice.finish_reason == "length"
    [call] = choice.message.tool_calls or []
    assert call.type == "function"
    assert call.function.arguments == '{"q": "'


@pytest.mark.parametrize("ended", FAILURES, ids=lambda ended: f"{ended.error['cause']} {ended.error['status']}")
def test_openais_readers_find_an_error_where_it_came_from(ended: Outcome) -> None:
    """A server's refusal is a response with its status and `error` null; what got no response is an error."""
    assert ended.error is not None
    line = orjson.loads(exported(Format.OPENAI, ended))
    if ended.error["status"] is None:
        assert line["response"] is None
        assert line["error"] == {"code": ended.error["cause"], "message": ended.error["message"]}
    else:
        assert line["error"] is None
        response = line["response"]
        assert (response["status_code"], response["request_id"]) == (ended.error["status"], "req_1")
        assert response["body"]["error"]["message"] == ended.error["message"]


def test_what_is_pending_has_expired_at_openai() -> None:
    """With the code that their readers ask again."""
    line = orjson.loads(WRITINGS[Format.OPENAI].line("a", None))
    assert (line["custom_id"], line["response"], line["error"]["code"]) == ("a", None, "batch_expired")


def test_ids_that_had_to_be_made_are_the_same_each_time() -> None:
    """Two exports can be compared, and no two answers share one."""
    for format in (Format.ANTHROPIC, Format.OPENAI):
        assert exported(format, outcome("a")) == exported(format, outcome("a"))
    lines = [orjson.loads(exported(Format.OPENAI, outcome(id))) for id in ("a", "b")]
    assert lines[0]["id"] != lines[1]["id"]
    assert lines[0]["response"]["body"]["id"] != lines[1]["response"]["body"]["id"]


# -- CSV ---------------------------------------------------------------------------------------------------------------


def test_a_row_has_what_a_spreadsheet_can_hold() -> None:
    """The answer and its numbers; what is not known is empty and never 0."""
    [row] = csv_rows(b"".join(written(Format.CSV, [("a", result_of(outcome("a", metadata={"row": 7})))])))
    assert (row["id"], row["status"], row["text"]) == ("a", "done", "the answer to a")
    counts = [row[f"{name}_tokens"] for name in ("input", "cache_read", "cache_write", "output")]
    assert counts == ["20", "5", "3", "120"]
    assert (row["cost_usd"], row["attempts"], row["metadata"]) == ("0.00012", "1", '{"row":7}')
    [row] = csv_rows(b"".join(written(Format.CSV, [("a", result_of(failed("a")))])))
    assert (row["status"], row["error"]) == ("failed", "bad_request: what bad_request means")
    assert (row["input_tokens"], row["cost_usd"]) == ("", "")
    [row] = csv_rows(HEAD + csv_row("a", None))
    assert set(row.items()) == {("id", "a"), ("status", "pending")} | {(name, "") for name in COLUMNS[2:]}


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(begin: str) -> None:
    """Whatever a model, an id or an error says: an apostrophe makes it text."""
    text = f"{begin}HYPERLINK(1)"
    error = {"cause": text, "message": "", "status": None}
    item = result_of(outcome(text, text=text, model=text, stop_reason=text, error=error, backend=text))
    [row] = csv_rows(HEAD + csv_row(text, item))
    for name in ("id", "text", "model", "stop_reason", "backend"):
        assert row[name] == f"'{text}"
    assert row["error"] == f"'{text}: "


anything = st.text(st.characters(exclude_categories=["Cs"]))


@given(anything, anything)
def test_every_text_comes_back_as_it_was(id: str, text: str) -> None:
    """Quotes, commas, line ends of any kind, NUL; an apostrophe more where it would be a formula."""
    [row] = csv_rows(HEAD + csv_row(id, result_of(outcome(id, text=text))))
    for name, value in (("id", id), ("text", text)):
        assert row[name] == (f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value)
        assert not row[name].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_half_a_character_is_no_reason_to_lose_a_file() -> None:
    """JSON can say one, UTF-8 cannot."""
    [row] = csv_rows(HEAD + csv_row("\ud800", None))
    assert row["id"] == "\\ud800"


# -- JSON lines --------------------------------------------------------------------------------------------------------

values = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | anything, st.lists, max_leaves=5)


@given(anything, st.dictionaries(anything, values, max_size=3))
def test_a_json_line_is_all_that_is_known(text: str, metadata: dict[str, Any]) -> None:
    """The result as the run wrote it, without the checksum, on one line."""
    ended = outcome("a", text=text, metadata=metadata)
    line = exported(Format.JSONL, ended)
    assert line.count(b"\n") == 1
    assert orjson.loads(line) == result_of(ended)
    assert "crc" not in orjson.loads(line)


def test_what_is_pending_has_the_fields_of_a_result() -> None:
    """Who reads `text` of each line needs no special case."""
    pending = orjson.loads(WRITINGS[Format.JSONL].line("a", None))
    assert (pending["id"], pending["status"]) == ("a", "pending")
    assert pending.keys() <= result_of(outcome("a")).keys()


def test_each_format_begins_with_its_head() -> None:
    """Once, with items or without."""
    assert b"".join(written(Format.CSV, [])) == HEAD
    for format in (Format.ANTHROPIC, Format.OPENAI, Format.JSONL):
        assert b"".join(written(format, [])) == b""
    both = b"".join(written(Format.CSV, [("a", None), ("b", None)]))
    assert [row["id"] for row in csv_rows(both)] == ["a", "b"]
