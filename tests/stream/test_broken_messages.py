"""What is no sound stream and no whole answer: told as what it is, and never taken for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.stream.message import Message, MessageFold, StreamError, Truncated, message_from_body
from batchrun.stream.sse import ProtocolError
from tests.stream.events import (
    MESSAGE_STOP,
    Event,
    answer,
    block_start,
    block_stop,
    delta,
    document,
    error,
    message_delta,
    message_start,
    text,
)

END = (message_delta(output_tokens=5), MESSAGE_STOP)


def fold(*events: Event) -> MessageFold:
    folded = MessageFold()
    for event in events:
        folded.feed(orjson.dumps(event))
    return folded


def message(*events: Event) -> Message:
    return fold(*events).message()


@pytest.mark.parametrize("end", range(6))
def test_an_answer_without_a_stop_reason_is_truncated(end: int) -> None:
    """F7: however much of it came, without a stop reason it is no answer."""
    events = answer("never ", "done")
    assert len(events) > 7
    with pytest.raises(Truncated):
        message(*events[:end])


@pytest.mark.parametrize("kind", ["overloaded_error", "rate_limit_error", "api_error", "an_error_of_tomorrow"])
@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_error_event_ends_the_stream(kind: str, after: int) -> None:
    """F10: the provider may give up after the 200, at the first event or later."""
    folded = fold(*answer("a", "b")[:after])
    with pytest.raises(StreamError, match="it gave up") as caught:
        folded.feed(orjson.dumps(error(kind)))
    assert caught.value.error_type == kind


@pytest.mark.parametrize("odd", [{}, {"error": None}, {"error": "no"}, {"error": {"type": None, "message": 3}}])
def test_an_error_event_without_its_fields_is_still_an_error(odd: dict[str, Any]) -> None:
    """Nothing that calls itself an error is taken for anything else."""
    with pytest.raises(StreamError):
        fold().feed(orjson.dumps({"type": "error"} | odd))


STARTED = (message_start(), block_start(0))
ILL_ORDERED: dict[str, tuple[Event, ...]] = {
    "another message begins": (message_start("msg_1"), message_start("msg_2")),
    "the message begins again after content": (*STARTED, text("a"), message_start()),
    "the message begins again after its stop reason": (message_start(), message_delta(), message_start()),
    "the message begins again after its end": (message_start(), *END, message_start()),
    "content before the message": (block_start(0),),
    "a delta before the message": (text("a"),),
    "the end before the message": (message_delta(),),
    "a delta for an index that never began": (*STARTED, text("a", 1)),
    "a delta for a negative index": (*STARTED, text("a", -1)),
    "a delta for no index": (*STARTED, {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}),
    "a delta for a closed index": (*STARTED, block_stop(0), text("a")),
    "a block closed twice": (*STARTED, block_stop(0), block_stop(0)),
    "a block that never began is closed": (message_start(), block_stop(0)),
    "a block out of turn": (message_start(), block_start(1)),
    "a block twice": (*STARTED, block_start(0)),
    "a delta after message_stop": (*STARTED, *END, text("a")),
    "a block after message_stop": (message_start(), *END, block_start(0)),
}


@pytest.mark.parametrize("case", ILL_ORDERED)
def test_an_order_that_no_sound_stream_has_is_refused(case: str) -> None:
    """F11: what contradicts itself is asked again instead of being guessed at."""
    *before, last = ILL_ORDERED[case]
    folded = fold(*before)
    with pytest.raises(ProtocolError):
        folded.feed(orjson.dumps(last))


BROKEN = [
    b"{",
    b"nonsense",
    b'{"type": "message_st',
    b"\xff\xfe",
    b"[DONE]x",
    b"[1]",
    b"null",
    b"3",
    b'"text"',
    b"{}{}",
]


@pytest.mark.parametrize("data", BROKEN)
def test_data_that_is_no_json_object_is_refused(data: bytes) -> None:
    """F25: broken JSON is the wire's failure, not ours."""
    with pytest.raises(ProtocolError):
        fold(message_start()).feed(data)


@pytest.mark.parametrize(
    "event",
    [
        delta(0, "text_delta"),
        delta(0, "text_delta", text=None),
        delta(0, "text_delta", text=["a"]),
        delta(0, "input_json_delta"),
        delta(0, "input_json_delta", partial_json={}),
        delta(0, "thinking_delta", thinking=4),
        delta(0, "signature_delta"),
        delta(0, "citations_delta"),
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_delta", "index": 0, "delta": "text"},
        {"type": "content_block_start", "index": 1},
        {"type": "content_block_start", "index": 1, "content_block": []},
        {"type": "message_delta"},
    ],
    ids=str,
)
def test_an_event_without_its_fields_is_refused(event: Event) -> None:
    """A delta without its text, or with something else in its place, is no sound stream."""
    folded = fold(*STARTED)
    with pytest.raises(ProtocolError):
        folded.feed(orjson.dumps(event))


@pytest.mark.parametrize("head", [None, [], "msg"])
def test_a_message_start_without_its_message_is_refused(head: object) -> None:
    """Nothing can be folded into nothing."""
    with pytest.raises(ProtocolError):
        fold().feed(orjson.dumps({"type": "message_start", "message": head}))


@pytest.mark.parametrize(
    "block",
    [{"type": "text"}, {"type": "text", "text": None}, {"type": "text", "text": 5}, {"type": "text", "citations": 5}],
    ids=str,
)
def test_a_text_block_that_begins_oddly_is_still_folded_or_refused(block: dict[str, Any]) -> None:
    """Whatever a block began with, its own deltas are its text."""
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    try:
        told = message(message_start(), start, text("a"), *END).text
    except ProtocolError:
        return
    assert told == "a"


def test_a_text_block_without_any_text_is_empty() -> None:
    """A block without its `text` and without deltas breaks nothing."""
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    assert message(message_start(), start, *END).text == ""


@pytest.mark.parametrize("count", ["many", [], {}, None, -1, 1e308])
def test_usage_that_is_no_number_counts_as_none(count: object) -> None:
    """A gateway's odd usage costs no answer."""
    folded = fold(message_start(output_tokens=count), block_start(), text("four"), message_delta(output_tokens=count))
    assert folded.received_tokens >= 1
    assert folded.message().output_tokens >= 0


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", ProtocolError),
        (document("a")[:-1], ProtocolError),
        (b"[]", ProtocolError),
        (b'{"type": "message"}', ProtocolError),
        (b'{"type": "completion", "content": []}', ProtocolError),
        (b'{"type": "message", "content": [3], "stop_reason": "end_turn"}', ProtocolError),
        (b'{"type": "message", "content": [], "stop_reason": null}', Truncated),
        (orjson.dumps(error("overloaded_error")), StreamError),
    ],
)
def test_a_body_that_is_no_message_is_no_answer(body: bytes, failure: type[Exception]) -> None:
    """JSON that is no whole message is told apart: cut, unfinished, an error."""
    with pytest.raises(failure):
        message_from_body(body)


# -- whatever comes ---------------------------------------------------------------------------------------------------

# Sampled from few values, for it is the kind of a value that breaks a parser; and quick to draw.
ODD_VALUES: list[Any] = [None, True, 0, 1, -1, 1.5, 1e300, "", "x", "{", "end_turn", "max_tokens", [], [1], [{}], {}]
ODD = st.sampled_from(ODD_VALUES)
FIELDS = st.sampled_from(
    [
        "id",
        "text",
        "partial_json",
        "thinking",
        "signature",
        "citation",
        "citations",
        "stop_reason",
        "output_tokens",
        "usage",
    ]
)
KINDS = st.sampled_from(
    [
        "text",
        "tool_use",
        "thinking",
        "text_delta",
        "input_json_delta",
        "thinking_delta",
        "signature_delta",
        "citations_delta",
    ]
)
MAPPINGS = ODD | st.builds(
    lambda kind, fields: {"type": kind} | fields, KINDS, st.dictionaries(FIELDS, ODD, max_size=4)
)
TYPES = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "ping",
        "error",
        "weather",
    ]
)
EVENTS = st.fixed_dictionaries(
    {"type": TYPES},
    optional={
        "index": st.integers(-1, 3) | ODD,
        "message": MAPPINGS,
        "content_block": MAPPINGS,
        "delta": MAPPINGS,
        "usage": MAPPINGS,
        "error": MAPPINGS,
    },
)
SOUND = st.sampled_from([*STARTED, text("a"), block_stop(0), *END])


def outcome_of(events: list[bytes]) -> Message | Exception:
    folded = MessageFold()
    try:
        for event in events:
            folded.feed(event)
            assert folded.received_tokens >= 0
        told = folded.message()
        assert told.output_tokens >= 0
        orjson.dumps(told)
    except (ProtocolError, StreamError, Truncated) as exc:
        return exc
    return told


@given(events=st.lists(EVENTS | SOUND, max_size=12))
def test_events_with_anything_in_them_fail_as_the_wire_fails(events: list[Event]) -> None:
    """Whatever the fields hold, the stream is an answer, broken or truncated; it is never an error of ours."""
    outcome_of([orjson.dumps(event) for event in events])


RICH = (
    message_start(),
    block_start(0, "thinking"),
    delta(0, "thinking_delta", thinking="so"),
    delta(0, "signature_delta", signature="s"),
    block_stop(0),
    block_start(1, citations=[]),
    text("a", 1),
    delta(1, "citations_delta", citation={"cited_text": "c"}),
    block_stop(1),
    block_start(2, "tool_use", id="toolu_1", name="weigh", input={}),
    delta(2, "input_json_delta", partial_json='{"n": 1}'),
    block_stop(2),
    *END,
)


def places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every field inside, with the object that holds it."""
    for name in value if isinstance(value, dict) else ():
        yield value, name
        yield from places(value[name])


@pytest.mark.parametrize("at", range(len(RICH)), ids=lambda at: f"{at}-{RICH[at]['type']}")
def test_a_sound_stream_with_something_odd_in_it_fails_as_the_wire_fails(at: int) -> None:
    """In a stream that has everything each value is replaced by each odd one: the answer stands, or the wire failed."""
    for nth, _ in enumerate(places(RICH[at])):
        for odd in ODD_VALUES:
            event = orjson.loads(orjson.dumps(RICH[at]))
            holder, name = next(islice(places(event), nth, None))
            holder[name] = odd
            outcome_of([orjson.dumps(each) for each in (*RICH[:at], event, *RICH[at + 1 :])])


@given(data=st.lists(st.binary(max_size=30) | MAPPINGS.map(orjson.dumps), max_size=3))
def test_arbitrary_data_fails_as_the_wire_fails(data: list[bytes]) -> None:
    """Bytes that are anything at all."""
    outcome_of(data)


@given(fields=MAPPINGS, content=ODD | st.lists(MAPPINGS, max_size=3), stop=ODD)
def test_an_arbitrary_body_fails_as_the_wire_fails(fields: object, content: object, stop: object) -> None:
    """The same without streaming."""
    extra = {"type": "message", "content": content, "stop_reason": stop}
    body = fields | extra if isinstance(fields, dict) else fields
    try:
        told = message_from_body(orjson.dumps(body))
    except (ProtocolError, StreamError, Truncated):
        return
    assert told.output_tokens >= 0
