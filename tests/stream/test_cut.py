"""What is left of an answer that was cut after so many characters of its text, on both wires."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.stream.chat import ChatFold
from batchrun.stream.message import Message, MessageFold, cut_content
from tests.stream import chunks
from tests.stream.events import (
    Event,
    answer,
    block_start,
    block_stop,
    delta,
    message_delta,
    message_start,
    on_the_wire,
    text,
    tool_json,
)

THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
TOOL: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "weigh", "input": {"n": 1}}


def said(piece: str) -> dict[str, Any]:
    return {"type": "text", "text": piece}


def cut(characters: int, *events: Event) -> Message:
    fold = MessageFold()
    for data in on_the_wire(*events).split(b"\n"):
        if data.startswith(b"data: "):
            fold.feed(data.removeprefix(b"data: "))
    return fold.cut("stop_rule:test", characters)


def cut_chat(characters: int, *events: chunks.Chunk | bytes) -> Message:
    fold = ChatFold()
    for event in events:
        fold.feed(chunks.data_of(event))
    return fold.cut("stop_rule:test", characters)


@pytest.mark.parametrize(
    ("content", "characters", "left"),
    [
        ([said("abc"), said("def")], 6, [said("abc"), said("def")]),
        ([said("abc"), said("def")], 4, [said("abc"), said("d")]),
        ([said("abc"), said("def")], 3, [said("abc")]),
        ([said("abc"), said("def")], 2, [said("ab")]),
        ([THOUGHT, said("abc")], 2, [THOUGHT, said("ab")]),
        ([said("abc"), THOUGHT, said("def")], 2, [said("ab")]),
        ([said("abc"), THOUGHT, said("def")], 5, [said("abc"), THOUGHT, said("de")]),
        ([said(""), said("abc")], 2, [said(""), said("ab")]),
        ([TOOL, said("abc")], 2, [TOOL, said("ab")]),
        ([said("abc"), TOOL], 3, [said("abc")]),
        ([TOOL | {"partial_json": '{"n'}, said("abc")], 3, [said("abc")]),
        (
            [{"type": "tool_result", "text": "no text of the answer"}, said("abc")],
            1,
            [{"type": "tool_result", "text": "no text of the answer"}, said("a")],
        ),
    ],
)
def test_blocks_are_kept_up_to_the_place(
    content: list[dict[str, Any]], characters: int, left: list[dict[str, Any]]
) -> None:
    """What stands before it stays as it is, thinking and whole tools too; what stands behind it goes, and so does a
    tool whose input is not whole."""
    assert cut_content(content, characters) == left


def test_the_blocks_that_are_cut_are_not_those_of_somebody_else() -> None:
    """Cutting makes new blocks."""
    block = said("abc")
    cut_content([block], 1)
    assert block == said("abc")


def test_a_stream_is_cut_in_the_middle_of_a_block() -> None:
    """The text is that of the blocks, over all of them."""
    message = cut(5, message_start(), block_start(), text("abc"), block_stop(), block_start(1), text("def", 1))
    assert (message.text, message.content) == ("abcde", [said("abc"), said("de")])
    assert (message.stop_reason, message.model, message.id) == ("stop_rule:test", "claude-haiku-5-5", "msg_1")


def test_a_tool_that_had_begun_behind_the_text_goes() -> None:
    """Nobody must run a tool with half its input."""
    tool = [block_stop(), block_start(1, "tool_use", id="t", name="weigh", input={}), tool_json('{"n":', 1)]
    assert cut(3, message_start(), block_start(), text("abc"), *tool).content == [said("abc")]


def test_thinking_counts_as_tokens_and_not_as_characters_of_the_text() -> None:
    """It was generated, so it is billed."""
    thoughts = [block_start(0, "thinking"), delta(0, "thinking_delta", thinking="x" * 40), block_stop(0)]
    message = cut(2, message_start(), *thoughts, block_start(1), text("abcd", 1))
    assert (message.text, message.output_tokens) == ("ab", 11)


def test_a_number_that_the_provider_told_on_the_way_is_no_less_than_it_said() -> None:
    """Some gateways tell the usage as they go."""
    message = cut(1, message_start(output_tokens=50), block_start(), text("abcd"))
    assert (message.output_tokens, message.flags) == (50, ("usage_estimated",))


def test_of_an_answer_that_was_whole_the_usage_is_told() -> None:
    """Nothing is estimated where the end has come."""
    message = cut(1, *answer("ab", "cd"))
    assert (message.text, message.output_tokens, message.flags) == ("a", 2, ())


@pytest.mark.parametrize(("reason", "told"), [("refusal", "refusal"), ("max_tokens", "stop_rule:test")])
def test_only_a_refusal_is_stronger_than_the_rule(reason: str, told: str) -> None:
    """An answer that was enough is enough, though the model would have been cut off later."""
    assert cut(1, message_start(), block_start(), text("ab"), message_delta(reason)).stop_reason == told


def test_a_chat_is_cut_with_its_thinking() -> None:
    """The same blocks, in the same order."""
    message = cut_chat(2, chunks.role(), chunks.chunk({"reasoning": "Hm."}), chunks.text("abc"), chunks.text("def"))
    assert message.content == [{"type": "thinking", "thinking": "Hm."}, said("ab")]
    assert (message.text, message.stop_reason, message.model) == ("ab", "stop_rule:test", "llama")
    assert (message.output_tokens, message.flags) == (3, ("usage_estimated",))


def test_a_chats_tool_goes_whatever_it_lacks() -> None:
    """Even its name may not have come yet."""
    nameless = chunks.tool(0, '{"n":')
    assert cut_chat(3, chunks.role(), chunks.text("abc"), nameless).content == [said("abc")]


def test_a_chat_without_a_usage_is_estimated_though_it_is_whole() -> None:
    """Some servers never tell it."""
    message = cut_chat(1, chunks.role(), chunks.text("abcde"), chunks.chunk(finish="stop"), chunks.DONE)
    assert (message.output_tokens, message.flags) == (2, ("usage_estimated",))
    told = cut_chat(1, *chunks.answer("ab", "cd"))
    assert (told.output_tokens, told.flags) == (2, ())


def test_a_refused_chat_stays_refused() -> None:
    """Whether the server says so in its words or in its finish_reason."""
    assert cut_chat(1, chunks.role(), chunks.chunk({"refusal": "No. "})).stop_reason == "refusal"
    filtered = [chunks.role(), chunks.text("No."), chunks.chunk(finish="content_filter")]
    assert cut_chat(1, *filtered).stop_reason == "refusal"
