"""The fold: what becomes of a stream's events, whole, odd and broken."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from batchrun.stream.message import Kind, Message, MessageFold, Truncated, message_from_body
from batchrun.stream.sse import ProtocolError
from tests.stream.events import (
    MESSAGE_STOP,
    PING,
    Event,
    answer,
    block_start,
    block_stop,
    delta,
    document,
    message_delta,
    message_start,
    text,
    tool_json,
)

END = (message_delta(output_tokens=5), MESSAGE_STOP)
CUT = (message_delta("max_tokens", output_tokens=5), MESSAGE_STOP)
STARTED = (message_start(), block_start(0))
TOOL = block_start(0, "tool_use", id="toolu_1", name="weigh", input={})


def fold(*events: Event) -> MessageFold:
    folded = MessageFold()
    for event in events:
        folded.feed(orjson.dumps(event))
    return folded


def message(*events: Event) -> Message:
    return fold(*events).message()


def tool_input(*pieces: str, end: tuple[Event, ...] = END) -> Message:
    return message(message_start(), TOOL, *(tool_json(piece) for piece in pieces), block_stop(), *end)


# -- whole answers ----------------------------------------------------------------------------------------------------


def test_text_is_put_together_in_order() -> None:
    """The pieces of a text block make its text, and that of all text blocks makes the message's."""
    folded = message(
        message_start(),
        block_start(0),
        text("Hel"),
        text("lo"),
        block_stop(0),
        block_start(1, text=", "),
        text("world", 1),
        block_stop(1),
        *END,
    )
    assert folded.text == "Hello, world"
    assert folded.content == [{"type": "text", "text": "Hello"}, {"type": "text", "text": ", world"}]
    assert (folded.id, folded.model, folded.stop_reason) == ("msg_1", "claude-haiku-5-5", "end_turn")
    assert folded.flags == ()


def test_thinking_keeps_its_signature() -> None:
    """A thinking block is folded and signed; it is no part of the text."""
    folded = message(
        message_start(),
        block_start(0, "thinking"),
        delta(0, "thinking_delta", thinking="Let me "),
        delta(0, "thinking_delta", thinking="see."),
        delta(0, "signature_delta", signature="c2lnbmVk"),
        block_stop(0),
        block_start(1),
        text("42", 1),
        block_stop(1),
        *END,
    )
    assert folded.content[0] == {"type": "thinking", "thinking": "Let me see.", "signature": "c2lnbmVk"}
    assert folded.text == "42"


def test_redacted_thinking_passes_as_it_came() -> None:
    """A block without deltas is kept as it began."""
    folded = message(message_start(), block_start(0, "redacted_thinking", data="b3BhcXVl"), block_stop(), *END)
    assert folded.content == [{"type": "redacted_thinking", "data": "b3BhcXVl"}]


def test_an_unknown_block_passes_as_it_came() -> None:
    """The API may grow: what has no name here is kept and not touched."""
    folded = message(message_start(), block_start(0, "hologram", rays=[1, 2]), block_stop(), *END)
    assert folded.content == [{"type": "hologram", "rays": [1, 2]}]


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        (("", '{"pl', 'ace": "Ulm", "n": ', "3}"), {"place": "Ulm", "n": 3}),
        (('{"a": {"b": [1, null]}}',), {"a": {"b": [1, None]}}),
        (("",), {}),
        ((), {}),
    ],
    ids=["in pieces", "at once", "an empty piece", "nothing"],
)
def test_a_tools_input_is_parsed(pieces: tuple[str, ...], told: object) -> None:
    """The JSON pieces of a tool become its input; a tool without arguments has an empty one."""
    assert tool_input(*pieces).content == [{"type": "tool_use", "id": "toolu_1", "name": "weigh", "input": told}]


def test_a_tools_input_that_was_given_at_once_stays() -> None:
    """A server may send the input whole in the block's start."""
    whole = block_start(0, "tool_use", id="toolu_1", name="weigh", input={"place": "Ulm"})
    assert message(message_start(), whole, block_stop(), *END).content[0]["input"] == {"place": "Ulm"}


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_a_tools_input_that_was_cut_off_keeps_its_text(reason: str) -> None:
    """F22: no input is made up for a tool whose arguments did not fit; what there is stays readable."""
    folded = tool_input('{"place": "U', end=(message_delta(reason), MESSAGE_STOP))
    assert folded.stop_reason == reason
    assert folded.content[0]["partial_json"] == '{"place": "U'
    assert folded.content[0]["input"] == {}


def test_a_tools_input_that_is_broken_breaks_the_stream() -> None:
    """With any other stop reason half an input is a broken stream, never an answer."""
    with pytest.raises(ProtocolError, match="tool"):
        tool_input('{"place": "U', end=(message_delta("tool_use"), MESSAGE_STOP))


def test_citations_are_gathered() -> None:
    """Citations stand with their text block, in order, after those that it began with."""
    folded = message(
        message_start(),
        block_start(0, citations=[{"cited_text": "zero"}]),
        delta(0, "citations_delta", citation={"cited_text": "one"}),
        text("So it is."),
        delta(0, "citations_delta", citation={"cited_text": "two"}),
        block_stop(),
        *END,
    )
    assert folded.content == [
        {
            "type": "text",
            "text": "So it is.",
            "citations": [{"cited_text": "zero"}, {"cited_text": "one"}, {"cited_text": "two"}],
        }
    ]


def test_usage_is_that_of_the_end_where_the_end_tells_it() -> None:
    """The counts of message_delta are totals and replace; those that it leaves out, or sends as null, survive."""
    folded = message(
        message_start(cache_read_input_tokens=7, service_tier="standard"),
        block_start(),
        message_delta(None, output_tokens=3),
        block_stop(),
        message_delta(output_tokens=12, cache_read_input_tokens=None, server_tool_use={"web_search_requests": 1}),
        MESSAGE_STOP,
    )
    assert folded.usage == {
        "input_tokens": 10,
        "output_tokens": 12,
        "cache_read_input_tokens": 7,
        "service_tier": "standard",
        "server_tool_use": {"web_search_requests": 1},
    }
    assert folded.output_tokens == 12


@pytest.mark.parametrize(
    "reason", ["end_turn", "stop_sequence", "tool_use", "refusal", "pause_turn", "max_tokens", "a_reason_of_tomorrow"]
)
def test_stop_reasons_are_an_open_set(reason: str) -> None:
    """F22, F23: whatever the reason, it is handed on as it came."""
    assert message(*answer("a", stop_reason=reason)).stop_reason == reason


# -- what is odd and accepted -----------------------------------------------------------------------------------------


def test_a_missing_message_stop_is_flagged() -> None:
    """F8: with its stop reason the answer is whole."""
    folded = message(*answer("whole")[:-1])
    assert (folded.text, folded.flags) == ("whole", ("no_message_stop",))


def test_the_same_message_start_twice_is_flagged() -> None:
    """F11: some gateways send it twice; the same one, before anything else, changes nothing."""
    start, *rest = answer("once")
    folded = message(start, PING, start, *rest)
    assert (folded.text, folded.flags) == ("once", ("duplicate_message_start",))


def test_unknown_events_and_deltas_are_flagged() -> None:
    """F12: the API says that it will grow; what is unknown is counted and changes nothing."""
    start, block, *rest = answer("known")
    odd: list[Event] = [{"type": "weather"}, {"no": "type"}, delta(0, "smell_delta", smell="roses")]
    folded = message(start, block, *odd, *rest)
    assert (folded.text, folded.flags) == ("known", ("unknown_delta", "unknown_event"))


@pytest.mark.parametrize(
    ("data", "flag"),
    [(b"", "empty_event"), (b" \t", "empty_event"), (b"[DONE]", "done_marker"), (b" [DONE] ", "done_marker")],
)
def test_what_gateways_put_between_the_events_is_flagged(data: bytes, flag: str) -> None:
    """F12: it says nothing and costs no answer, wherever it stands, after the end too; nor is it a whole one."""
    events = [orjson.dumps(event) for event in answer("known")]
    for place in range(len(events) + 1):
        folded = MessageFold()
        kinds = [folded.feed(each) for each in (*events[:place], data, *events[place:])]
        assert kinds[place] is Kind.PING
        assert (folded.message().text, folded.message().flags) == ("known", (flag,))
    cut = MessageFold()
    for each in (*events[:-2], data):
        cut.feed(each)
    with pytest.raises(Truncated):
        cut.message()


def test_an_empty_answer_is_flagged() -> None:
    """F24: end_turn without content is done, and odd."""
    assert message(message_start(), *END).flags == ("empty_answer",)
    assert message(message_start(), *CUT).flags == ()


def test_flags_stand_in_a_fixed_order() -> None:
    """Two runs tell the same oddities in the same words."""
    start, block, *rest = answer("a")
    assert message(start, start, {"type": "x"}, block, delta(0, "y"), *rest[:-1]).flags == (
        "duplicate_message_start",
        "no_message_stop",
        "unknown_delta",
        "unknown_event",
    )


# -- what the meter and the clocks are told ---------------------------------------------------------------------------


def test_each_event_says_what_it_proves() -> None:
    """A ping proves life and no more; content starts the clock of the first token; a stop reason ends the pacing."""
    folded = MessageFold()
    kinds = [folded.feed(orjson.dumps(event)) for event in answer("a")]
    assert kinds == [Kind.META, Kind.META, Kind.PING, Kind.CONTENT, Kind.META, Kind.STOP_REASON, Kind.META]
    assert MessageFold().feed(b'{"type": "weather"}') is Kind.META


@pytest.mark.parametrize(
    "event",
    [delta(0, "thinking_delta", thinking="a"), tool_json("{"), text("a"), delta(0, "signature_delta", signature="a")],
    ids=str,
)
def test_content_is_not_text_alone(event: Event) -> None:
    """The first token may be one of thinking or of a tool's input."""
    assert fold(*STARTED).feed(orjson.dumps(event)) is Kind.CONTENT


def test_a_block_that_begins_with_text_has_begun_the_answer() -> None:
    """Some servers put the first piece, or all of it, into the block's start."""
    assert fold(message_start()).feed(orjson.dumps(block_start(text="a"))) is Kind.CONTENT
    assert fold(message_start()).feed(orjson.dumps(block_start(text=""))) is Kind.META


def test_the_last_text_is_that_of_the_last_event() -> None:
    """Who passes the text on as it comes sees each piece once."""
    folded = MessageFold()
    seen = []
    for event in [message_start(), block_start(0, text="a"), PING, text("b"), tool_json(""), block_stop(), *END]:
        folded.feed(orjson.dumps(event))
        seen.append(folded.last_text)
    assert seen == ["", "a", "", "b", "", "", "", ""]


def test_received_tokens_are_told_or_estimated() -> None:
    """What an attempt threw away is the provider's count where it told one, else a quarter of the characters."""
    assert fold().received_tokens == 0
    assert fold(*STARTED, text("x" * 41)).received_tokens == 11
    assert fold(*STARTED, tool_json("x" * 41)).received_tokens == 11
    assert fold(*STARTED, text("x" * 41), message_delta(None, output_tokens=30)).received_tokens == 30


def test_the_fold_tells_how_far_it_is() -> None:
    """Its repr fits a log line."""
    assert repr(fold(*STARTED, text("abc"))) == "<MessageFold 1 blocks, 3 characters, None>"


# -- without streaming ------------------------------------------------------------------------------------------------


def test_a_whole_message_is_read_as_it_is() -> None:
    """F13: a message that comes as one document says what the stream of the same answer says."""
    streamed = message(*answer("a", "b"))
    read = message_from_body(document("a", "b"))
    assert (read.text, read.content, read.stop_reason) == (streamed.text, streamed.content, streamed.stop_reason)
    assert (read.id, read.model, read.output_tokens) == (streamed.id, streamed.model, streamed.output_tokens)


def test_a_whole_message_without_content_is_flagged() -> None:
    """F24 holds without streaming too."""
    body = orjson.dumps({"type": "message", "content": [], "stop_reason": "end_turn"})
    assert message_from_body(body).flags == ("empty_answer",)


@pytest.mark.parametrize("block", [{"type": "text"}, {"type": "text", "text": None}, {"type": "hologram"}, {}], ids=str)
def test_odd_blocks_of_a_body_have_no_text(block: dict[str, Any]) -> None:
    """A block without text is kept and adds none."""
    body = orjson.dumps({"type": "message", "content": [block], "stop_reason": "end_turn", "usage": [1]})
    read = message_from_body(body)
    assert (read.text, read.content, read.usage, read.output_tokens) == ("", [block], {}, 0)
