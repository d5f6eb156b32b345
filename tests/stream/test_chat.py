"""The fold of chat completions: what becomes of whole streams and of the ways in which servers differ."""

from __future__ import annotations

import pytest

from batchrun.stream.chat import STOP_REASONS, ChatFold, message_from_completion
from batchrun.stream.message import Kind, Message, MessageFold, Truncated
from batchrun.stream.sse import ProtocolError, SSEDecoder
from tests.stream import events
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

END = (chunk(finish="stop"), usage(), DONE)


def fold(*given: Chunk | bytes) -> ChatFold:
    folded = ChatFold()
    for event in given:
        folded.feed(data_of(event))
    return folded


def message(*given: Chunk | bytes) -> Message:
    return fold(*given).message()


# -- whole answers ----------------------------------------------------------------------------------------------------


def test_text_is_put_together_in_order() -> None:
    """The contents of the deltas make one block of text."""
    folded = message(*answer("Hel", "lo", ", world"))
    assert folded.text == "Hello, world"
    assert folded.content == [{"type": "text", "text": "Hello, world"}]
    assert (folded.id, folded.model, folded.stop_reason) == ("chatcmpl-1", "llama", "end_turn")
    assert (folded.usage, folded.output_tokens) == ({"input_tokens": 10, "output_tokens": 3}, 3)
    assert folded.flags == ()


def test_an_answer_says_the_same_on_either_wire() -> None:
    """Text, content, stop reason, usage and flags: nobody above has to know on which wire they came."""
    other = MessageFold()
    for event in events.answer("a", "b"):
        other.feed(data_of(event))
    ours, theirs = message(*answer("a", "b")), other.message()
    assert (ours.text, ours.content, ours.stop_reason) == (theirs.text, theirs.content, theirs.stop_reason)
    assert (ours.usage, ours.output_tokens, ours.flags) == (theirs.usage, theirs.output_tokens, theirs.flags)


@pytest.mark.parametrize("names", [["reasoning_content"], ["reasoning"], ["reasoning_content", "reasoning"]], ids=str)
def test_reasoning_becomes_thinking(names: list[str]) -> None:
    """By either name, and once where a server sends it by both; it is no part of the text."""
    thoughts = [chunk(dict.fromkeys(names, piece)) for piece in ("Let me ", "see.")]
    folded = message(role(), *thoughts, text("42"), *END)
    assert folded.content == [{"type": "thinking", "thinking": "Let me see."}, {"type": "text", "text": "42"}]
    assert folded.text == "42"


def test_a_refusal_is_kept_as_text_and_told() -> None:
    """It comes in a field of its own, with an ordinary finish_reason."""
    folded = message(role(), chunk({"refusal": "I will "}), chunk({"refusal": "not."}), *END)
    assert (folded.text, folded.stop_reason) == ("I will not.", "refusal")


@pytest.mark.parametrize(
    ("finish", "reason"), [*STOP_REASONS.items(), ("a_reason_of_tomorrow", "a_reason_of_tomorrow")]
)
def test_finish_reasons_become_stop_reasons(finish: str, reason: str) -> None:
    """F22, F23: those with a counterpart get its name, all others stay as they came."""
    assert message(*answer("a", finish=finish)).stop_reason == reason


def test_usage_is_told_in_the_words_of_the_messages_api() -> None:
    """What was read from the cache is taken out of the input; details and what a gateway adds are kept."""
    details = {"cached_tokens": 6, "cache_write_tokens": 1, "audio_tokens": 0}
    reasoning = {"reasoning_tokens": 3}
    told = usage(10, 5, prompt_tokens_details=details, completion_tokens_details=reasoning, cost=0.25, nothing=None)
    assert message(*answer("a")[:-2], told, DONE).usage == {
        "input_tokens": 3,
        "cache_read_input_tokens": 6,
        "cache_creation_input_tokens": 1,
        "output_tokens": 5,
        "prompt_tokens_details": details,
        "completion_tokens_details": reasoning,
        "cost": 0.25,
    }


def test_of_several_usages_the_last_one_holds() -> None:
    """Some servers send totals with every chunk."""
    folded = fold(role() | {"usage": None}, text("a") | {"usage": usage(10, 1)["usage"]})
    assert folded.received_tokens == 1
    folded.feed(data_of(text("b") | {"usage": usage(10, 2)["usage"]}))
    assert folded.received_tokens == 2


# -- the end ----------------------------------------------------------------------------------------------------------


def test_either_end_is_enough_and_a_missing_one_is_flagged() -> None:
    """F9: with its finish_reason or with [DONE] the answer is whole."""
    assert message(role(), text("a"), chunk(finish="stop"), usage()).flags == ("no_done",)
    without = message(role(), text("a"), usage(), DONE)
    assert (without.stop_reason, without.flags) == ("end_turn", ("no_finish_reason",))


@pytest.mark.parametrize("end", range(4))
def test_without_either_end_an_answer_is_truncated(end: int) -> None:
    """F9: however much of it came."""
    with pytest.raises(Truncated):
        message(*answer("a", "b")[:end])


@pytest.mark.parametrize("before", [(), (usage(),), (chunk({"content": "a"}, index=1),)], ids=["nothing", "usage", "n"])
def test_an_end_of_nothing_is_no_answer(before: tuple[Chunk, ...]) -> None:
    """A [DONE] that no choice went before ends nothing that we asked for."""
    folded = fold(*before, DONE)
    assert not folded.is_complete
    with pytest.raises(Truncated):
        folded.message()


def test_a_finish_reason_that_content_follows_was_none() -> None:
    """Some gateways say stop with every chunk: from then on only [DONE] can end the answer."""
    pieces = [chunk({"content": piece}, "stop") for piece in ("a", "b")]
    folded = fold(role(), *pieces)
    assert not folded.is_complete
    with pytest.raises(Truncated):
        folded.message()
    folded.feed(DONE)
    whole = folded.message()
    assert (whole.text, whole.flags) == ("ab", ("content_after_finish", "usage_estimated"))


def test_content_after_the_end_is_refused() -> None:
    """F11: what contradicts itself is asked again; a second [DONE] or a late usage contradicts nothing."""
    assert message(*answer("a"), DONE, usage(7, 7)).usage["output_tokens"] == 7
    with pytest.raises(ProtocolError):
        fold(*answer("a"), text("b"))


def test_an_empty_answer_is_flagged() -> None:
    """F24: an end without content is done, and odd."""
    assert message(*answer()).flags == ("empty_answer",)


# -- what is odd and accepted -----------------------------------------------------------------------------------------


def test_unknown_fields_and_events_change_nothing() -> None:
    """F12: servers add what they like."""
    odd = chunk({"content": "a", "mood": "good", "reasoning_details": [1]}, provider="x", error=None)
    assert message(role(), odd, *END).flags == ()
    assert message(role(), text("a"), {"weather": "fine"}, *END).flags == ("unknown_event",)


def test_other_choices_are_passed_over_and_flagged() -> None:
    """An item has one answer: the first."""
    folded = message(role(), chunk({"content": "other"}, index=1), text("a"), chunk(finish="length", index=1), *END)
    assert (folded.text, folded.stop_reason, folded.flags) == ("a", "end_turn", ("other_choices",))


def test_roles_and_nulls_add_nothing() -> None:
    """A role with every chunk, a content that is null, a delta that is null, a choice without an index."""
    odd = [role(), role(), chunk({"content": None, "tool_calls": None}), HEAD | {"choices": [{"delta": None}]}]
    folded = message(*odd, text("a"), *END)
    assert (folded.text, folded.flags) == ("a", ())


def test_a_head_may_come_late() -> None:
    """Azure opens with a chunk whose id and model are empty, and which has no choices."""
    opening = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]}
    folded = message(opening, *answer("a"))
    assert (folded.id, folded.model, folded.flags) == ("chatcmpl-1", "llama", ())


def test_a_model_may_never_be_told() -> None:
    """The id is that of the first chunk that has one."""
    nameless: list[Chunk | bytes] = [
        {"id": "chatcmpl-1", "choices": []},
        {"id": "chatcmpl-2", "choices": text("a")["choices"]},
        DONE,
    ]
    assert (message(*nameless).id, message(*nameless).model) == ("chatcmpl-1", "")


def test_content_may_come_in_parts() -> None:
    """Mistral's reasoning models send lists; a part of an unknown kind is flagged."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    parts = [thought, {"type": "text", "text": "a"}, {"type": "hologram"}]
    folded = message(role(), chunk({"content": parts}), *END)
    assert folded.content == [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "a"}]
    assert folded.flags == ("unknown_content",)


def test_a_stream_may_hold_a_single_completion() -> None:
    """Some gateways send the document as the only event."""
    folded = message(completion("Hel", "lo"), DONE)
    assert (folded.text, folded.output_tokens, folded.flags) == ("Hello", 2, ())


@pytest.mark.parametrize("told", [None, {}, [], "many", {"prompt_tokens": 10}, {"completion_tokens": True}], ids=str)
def test_a_usage_that_is_not_told_is_estimated_and_flagged(told: object) -> None:
    """An honest number: a quarter of the characters of text, reasoning and arguments."""
    pieces = [text("x" * 41), chunk({"reasoning": "y" * 3}), tool(0, '{"n": 1}', id="call_1", name="weigh")]
    folded = message(role(), *pieces, chunk(finish="stop") | {"usage": told}, DONE)
    assert (folded.output_tokens, folded.flags) == (13, ("usage_estimated",))
    assert folded.usage["output_tokens"] == 13


def test_a_usage_of_zero_is_believed_only_of_an_empty_answer() -> None:
    """Some servers fill the field in before they know."""
    assert message(role(), text("four"), chunk(finish="stop"), usage(0, 0), DONE).flags == ("usage_estimated",)
    assert message(role(), chunk(finish="stop"), usage(3, 0), DONE).flags == ("empty_answer",)


# -- what the meter and the clocks are told ---------------------------------------------------------------------------


def test_each_event_says_what_it_proves() -> None:
    """An empty first delta is no first token; the finish_reason ends the pacing; what comes after it is ceremony."""
    folded = ChatFold()
    kinds = [folded.feed(data_of(event)) for event in answer("a")]
    assert kinds == [Kind.META, Kind.CONTENT, Kind.STOP_REASON, Kind.META, Kind.META]


def test_a_chunk_that_brings_nothing_is_a_ping() -> None:
    """F3: it proves that the peer lives, and no more."""
    folded = fold(role())
    empty: list[Chunk | bytes] = [role(), chunk(), chunk({"content": None}), b"", b" "]
    assert [folded.feed(data_of(event)) for event in empty] == [Kind.PING] * len(empty)


@pytest.mark.parametrize("delta", [{"content": "a"}, {"reasoning": "a"}, {"refusal": "a"}], ids=str)
def test_an_end_that_comes_with_content_is_told_with_the_next_event(delta: dict[str, str]) -> None:
    """The piece is the first token, perhaps the only one, and must be counted."""
    folded = fold(role())
    given: list[Chunk | bytes] = [chunk(delta, "stop"), usage(), DONE]
    assert [folded.feed(data_of(event)) for event in given] == [Kind.CONTENT, Kind.STOP_REASON, Kind.META]


def test_the_last_texts_make_the_text() -> None:
    """Who passes the text on as it comes sees each piece once, refusals too."""
    folded = ChatFold()
    seen = []
    parts = chunk({"content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]})
    pieces = (text("a"), chunk({"reasoning": "no"}), text("b"), parts, chunk({"refusal": "e"}))
    for event in (role(), *pieces, *END):
        folded.feed(data_of(event))
        seen.append(folded.last_text)
    assert seen == ["", "a", "", "b", "cd", "e", "", "", ""]
    assert folded.message().text == "".join(seen)


def test_the_fold_tells_how_far_it_is() -> None:
    """Its repr fits a log line."""
    assert repr(fold(role(), text("abc"))) == "<ChatFold 3 characters, None, done=False>"


# -- the bytes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [b"data: ", b"data:"])
def test_the_bytes_may_come_with_comments_and_without_the_space(field: bytes) -> None:
    """Keep-alive comments, `data:` with and without the space, lines that end in CR LF."""
    decoder, folded = SSEDecoder(), ChatFold()
    body = b": ping\n\n" + on_the_wire(*answer("a", "b"), field=field).replace(b"\n", b"\r\n: PROCESSING\r\n", 2)
    for event in decoder.feed(body) + decoder.close():
        folded.feed(event.data)
    assert (folded.message().text, folded.message().flags) == ("ab", ())
    assert decoder.comments == 3


# -- without streaming ------------------------------------------------------------------------------------------------


def test_a_completion_says_what_its_stream_says() -> None:
    """F13: the same message, whichever way it came."""
    calls = [{"id": "call_1", "type": "function", "function": {"name": "weigh", "arguments": '{"n": 1}'}}]
    pieces = [chunk({"reasoning_content": "Hm."}), text("a"), tool(0, '{"n": 1}', id="call_1", name="weigh")]
    streamed = message(role(), *pieces, chunk(finish="tool_calls"), usage(10, 1, total_tokens=11), DONE)
    body = completion("a", finish="tool_calls", reasoning_content="Hm.", tool_calls=calls)
    assert message_from_completion(body) == streamed
    assert streamed.stop_reason == "tool_use"


def test_a_completion_needs_its_finish_reason() -> None:
    """F7 without streaming."""
    with pytest.raises(Truncated):
        message_from_completion(completion("a", finish=None))
