"""What is no sound chat completion: told as what it is, and never taken for an answer; however its bytes are cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.failure import Cause
from batchrun.stream.chat import BROKEN_OFF, ChatFold, message_from_completion
from batchrun.stream.message import Message, StreamError, Truncated
from batchrun.stream.sse import ProtocolError, SSEDecoder
from tests.stream.chunks import (
    DONE,
    HEAD,
    Chunk,
    answer,
    chunk,
    completion,
    data_of,
    on_the_wire,
    role,
    text,
    tool,
    usage,
)


def fold(*given: Chunk | bytes) -> ChatFold:
    folded = ChatFold()
    for event in given:
        folded.feed(data_of(event))
    return folded


# -- errors -----------------------------------------------------------------------------------------------------------

ERRORS: list[tuple[Any, Cause]] = [
    ({"message": "gone", "type": "server_error", "code": None}, Cause.SERVER_ERROR),
    ({"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}, Cause.RATE_LIMITED),
    ({"message": "slow down", "type": "tokens"}, Cause.RATE_LIMITED),
    ({"message": "no money", "type": "insufficient_quota", "code": "insufficient_quota"}, Cause.QUOTA),
    ({"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}, Cause.TOO_LARGE),
    ({"message": "bad", "type": "invalid_request_error"}, Cause.BAD_REQUEST),
    ({"message": "busy", "type": "overloaded_error"}, Cause.OVERLOADED),
    ({"message": "upstream", "code": 502}, Cause.SERVER_ERROR),
    ({"message": "upstream", "code": "429"}, Cause.RATE_LIMITED),
    ({"message": "of tomorrow", "type": "of_tomorrow", "code": 7}, Cause.SERVER_ERROR),
    ("gone", Cause.SERVER_ERROR),
    ({"code": "x"}, Cause.SERVER_ERROR),
    (True, Cause.SERVER_ERROR),
    ([{"why": "lists"}], Cause.SERVER_ERROR),
]


@pytest.mark.parametrize(("error", "cause"), ERRORS, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("after", [0, 2])
def test_an_error_in_a_stream_has_its_cause(error: Any, cause: Cause, after: int) -> None:
    """F10: at the first event or later, in whichever shape, it ends the attempt by what it says."""
    folded = fold(*answer("a", "b")[:after])
    with pytest.raises(StreamError) as caught:
        folded.feed(orjson.dumps(HEAD | {"choices": [], "error": error}))
    assert caught.value.cause is cause
    assert str(caught.value)


def test_an_error_needs_no_envelope() -> None:
    """Older vLLM and Mistral send the error itself."""
    error = {"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400}
    for read in (ChatFold().feed, message_from_completion):
        with pytest.raises(StreamError, match="too long") as caught:
            read(orjson.dumps(error))
        assert caught.value.cause is Cause.BAD_REQUEST


@pytest.mark.parametrize("nothing", [None, {}, "", []], ids=str)
def test_an_empty_error_is_none(nothing: object) -> None:
    """Some servers have the field in every chunk."""
    assert fold(role(), text("a") | {"error": nothing}, DONE).message().text == "a"


@pytest.mark.parametrize(("word", "cause"), BROKEN_OFF.items())
def test_an_answer_that_the_server_broke_off_is_none(word: str, cause: Cause) -> None:
    """Its finish_reason says so, in a stream and in a document; a piece is never passed off as the whole."""
    with pytest.raises(StreamError) as caught:
        fold(*answer("a", finish=word))
    assert caught.value.cause is cause
    with pytest.raises(StreamError):
        message_from_completion(completion("a", finish=word))


# -- malformed --------------------------------------------------------------------------------------------------------

ODD_CHOICES: list[Any] = [{}, "x", 3, [1], [[]]]
BROKEN: list[bytes] = [
    b"{",
    b"nonsense",
    b"[DONE",
    b"[done]",
    b"\xff\xfe",
    b"[1]",
    b"null",
    b"3",
    data_of(text("a"))[:-1],
    *(data_of(HEAD | {"choices": choices}) for choices in ODD_CHOICES),
    *(data_of(HEAD | {"choices": [{"delta": delta}]}) for delta in ("x", 3, [1])),
    *(data_of(chunk({"content": content})) for content in (1, True, {"text": "a"}, [{"type": "text", "text": 1}])),
    data_of(chunk({"content": [{"type": "thinking", "thinking": [1]}]})),
    data_of(chunk({"refusal": 1})),
    *(data_of(chunk({"tool_calls": calls})) for calls in ("x", {"a": 1}, [1], [{"function": []}, {"function": 3}])),
    data_of(chunk({"function_call": "weigh"})),
    *(data_of(chunk(finish=reason)) for reason in (1, {"type": "stop"}, ["stop"])),
]


@pytest.mark.parametrize("data", BROKEN, ids=lambda data: repr(data)[-60:])
def test_data_that_no_sound_stream_has_is_refused(data: bytes) -> None:
    """F25: not JSON, or not what the API has in that place."""
    with pytest.raises(ProtocolError):
        fold(role(), data)


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", ProtocolError),
        (completion("a")[:-1], ProtocolError),
        (b"[]", ProtocolError),
        (b"{}", ProtocolError),
        (orjson.dumps(HEAD | {"choices": []}), ProtocolError),
        (orjson.dumps({"models": ["llama"]}), ProtocolError),
        (completion("a", finish=None), Truncated),
        (completion("a", finish=""), Truncated),
        (b'{"error": {"message": "no"}}', StreamError),
        (b'{"error": "no"}', StreamError),
    ],
)
def test_a_body_that_is_no_completion_is_no_answer(body: bytes, failure: type[Exception]) -> None:
    """JSON that is no whole completion is told apart: cut, unfinished, an error."""
    with pytest.raises(failure):
        message_from_completion(body)


# -- whatever comes ---------------------------------------------------------------------------------------------------

# Sampled from few values, for it is the kind of a value that breaks a parser; and quick to draw.
ODD_VALUES: list[Any] = [None, True, 0, 1, -1, 1.5, 1e300, "", "x", "{", "stop", "length", "error", [], [1], [{}], {}]
ODD = st.sampled_from(ODD_VALUES)
CALLS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "index": ODD,
            "id": ODD,
            "function": ODD | st.fixed_dictionaries({}, optional={"name": ODD, "arguments": ODD}),
        },
    ),
    max_size=2,
)
DELTAS = ODD | st.fixed_dictionaries(
    {}, optional={"content": ODD, "reasoning": ODD, "refusal": ODD, "tool_calls": CALLS | ODD, "function_call": ODD}
)
CHOICES = st.fixed_dictionaries({}, optional={"index": ODD, "delta": DELTAS, "message": DELTAS, "finish_reason": ODD})
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "id": ODD,
        "model": ODD,
        "object": ODD,
        "choices": ODD | st.lists(CHOICES, max_size=2),
        "usage": ODD | st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens"]), ODD),
        "error": ODD,
    },
)
SOUND = st.sampled_from([role(), text("a"), tool(0, "{}", id="call_1", name="weigh"), chunk(finish="stop"), usage()])


def outcome_of(events: list[bytes]) -> Message | type[Exception]:
    folded = ChatFold()
    try:
        for event in events:
            folded.feed(event)
            assert folded.received_tokens >= 0
        told = folded.message()
    except (ProtocolError, StreamError, Truncated) as exc:
        return type(exc)
    assert told.output_tokens >= 0
    orjson.dumps(told)
    return told


@given(events=st.lists(CHUNKS.map(orjson.dumps) | SOUND.map(orjson.dumps) | st.just(DONE), max_size=8))
def test_events_with_anything_in_them_fail_as_the_wire_fails(events: list[bytes]) -> None:
    """Whatever the fields hold, the stream is an answer, broken or truncated; it is never an error of ours."""
    outcome_of(events)


@given(data=st.lists(st.binary(max_size=30) | CHUNKS.map(orjson.dumps), max_size=3), end=st.sampled_from([b"", DONE]))
def test_arbitrary_data_fails_as_the_wire_fails(data: list[bytes], end: bytes) -> None:
    """Bytes that are anything at all."""
    outcome_of([*data, end])


@given(body=CHUNKS)
def test_an_arbitrary_body_fails_as_the_wire_fails(body: dict[str, Any]) -> None:
    """The same without streaming."""
    try:
        told = message_from_completion(orjson.dumps(body))
    except (ProtocolError, StreamError, Truncated):
        return
    assert told.output_tokens >= 0


RICH: tuple[Chunk, ...] = (
    role(),
    chunk({"reasoning_content": "Hm, 日本."}),
    text("Grüße — "),
    chunk(
        {"content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": [{"type": "text", "text": "b"}]}]}
    ),
    chunk({"refusal": "no"}),
    tool(0, '{"place": ', id="call_1", name="weigh"),
    tool(0, '"Ulm\u2028"}'),
    tool(1, "{}", id="call_2", name="count"),
    chunk(finish="tool_calls"),
    usage(10, 5, prompt_tokens_details={"cached_tokens": 2}),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every field and every item inside, with what holds it."""
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, name
        yield from places(value[name])


@pytest.mark.parametrize("at", range(len(RICH)))
def test_a_sound_stream_with_something_odd_in_it_fails_as_the_wire_fails(at: int) -> None:
    """In a stream that has everything each value is replaced by each odd one: the answer stands, or the wire failed."""
    for nth, _ in enumerate(places(RICH[at])):
        for odd in ODD_VALUES:
            event = orjson.loads(orjson.dumps(RICH[at]))
            holder, name = next(islice(places(event), nth, None))
            holder[name] = odd
            outcome_of([data_of(each) for each in (*RICH[:at], event, *RICH[at + 1 :], DONE)])


# -- the bytes --------------------------------------------------------------------------------------------------------


def message_of(pieces: list[bytes]) -> Message:
    decoder, folded = SSEDecoder(), ChatFold()
    for piece in pieces:
        for event in decoder.feed(piece):
            folded.feed(event.data)
    for event in decoder.close():
        folded.feed(event.data)
    return folded.message()


BODY = (
    b": hello\r\n\r\n" + on_the_wire(*RICH[:4]) + on_the_wire(*RICH[4:], DONE, field=b"data:").replace(b"\n", b"\r\n")
)
WHOLE = message_of([BODY])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_bytes_may_come_in_pieces_of_any_size(size: int) -> None:
    """Byte by byte, too."""
    assert message_of([BODY[at : at + size] for at in range(0, len(BODY), size)]) == WHOLE


def test_bytes_may_be_cut_anywhere() -> None:
    """In the middle of a character, of a line end, of `[DONE]`."""
    for at in range(len(BODY) + 1):
        assert message_of([BODY[:at], BODY[at:]]) == WHOLE


@given(cuts=st.sets(st.integers(0, len(BODY)), max_size=20))
def test_bytes_may_be_cut_in_any_way(cuts: set[int]) -> None:
    """However a network may do it."""
    edges = [0, *sorted(cuts), len(BODY)]
    assert message_of([BODY[begin:end] for begin, end in pairwise(edges)]) == WHOLE
