"""Tool calls of chat completions: what their pieces have in common, and how servers differ."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.stream.chat import ChatFold
from batchrun.stream.chat_tools import ToolCalls
from batchrun.stream.message import Message
from batchrun.stream.sse import ProtocolError
from tests.stream.chunks import DONE, Chunk, chunk, data_of, role, tool, usage

END = (chunk(finish="stop"), usage(), DONE)
CALLED = (chunk(finish="tool_calls"), usage(), DONE)
WEIGH = {"type": "tool_use", "id": "call_1", "name": "weigh"}


def message(*given: Chunk | bytes) -> Message:
    folded = ChatFold()
    for event in given:
        folded.feed(data_of(event))
    return folded.message()


def calls(*pieces: Chunk, end: tuple[Chunk | bytes, ...] = CALLED) -> list[dict[str, Any]]:
    return message(role(), *pieces, *end).content


def test_a_tool_call_is_put_together_from_its_pieces() -> None:
    """The pieces of the arguments make the input."""
    pieces = (tool(0, "", id="call_1", name="weigh"), tool(0, '{"pl'), tool(0, 'ace": "Ulm", "n": '), tool(0, "3}"))
    folded = message(role(), *pieces, *CALLED)
    assert folded.content == [WEIGH | {"input": {"place": "Ulm", "n": 3}}]
    assert (folded.stop_reason, folded.text) == ("tool_use", "")


def test_several_tool_calls_are_told_apart_by_their_index() -> None:
    """Their pieces may come in any order; the calls stand in the order in which they began."""
    begun = (tool(1, "", id="call_1", name="weigh"), tool(2, "{", id="call_2", name="count"))
    content = calls(*begun, tool(1, "{"), tool(2, '"n": 2}'), tool(1, '"n": 1}'))
    assert content == [
        WEIGH | {"input": {"n": 1}},
        {"type": "tool_use", "id": "call_2", "name": "count", "input": {"n": 2}},
    ]


def test_a_call_that_was_forced_is_a_tool_use_too() -> None:
    """With a tool that the request names, the finish_reason is stop."""
    folded = message(role(), tool(0, "{}", id="call_1", name="weigh"), *END)
    assert folded.stop_reason == "tool_use"


TWO = [WEIGH | {"input": {"n": 1}}, {"type": "tool_use", "id": "call_2", "name": "weigh", "input": {"n": 2}}]
PIECES: dict[str, tuple[Chunk, ...]] = {
    "the index is left out": (
        tool(None, '{"n": 1}', id="call_1", name="weigh"),
        tool(None, '{"n"', id="call_2", name="weigh"),
        tool(None, ": 2}"),
    ),
    "the index is always 0": (
        tool(0, '{"n": 1}', id="call_1", name="weigh"),
        tool(0, '{"n": 2}', id="call_2", name="weigh"),
    ),
    "each piece has an id of its own": (
        tool(0, '{"n"', id="call_1", name="weigh"),
        tool(0, ": 1}", id="made_up"),
        tool(1, '{"n": 2}', id="call_2", name="weigh"),
    ),
    "each piece has id and name": (
        tool(0, '{"n"', id="call_1", name="weigh"),
        tool(0, ": 1}", id="call_1", name="weigh"),
        tool(1, '{"n": 2}', id="call_2", name="weigh"),
    ),
    "the name comes in pieces": (
        tool(0, "", id="call_1", name="we"),
        tool(0, '{"n": 1}', name="igh"),
        tool(1, '{"n": 2}', id="call_2", name="weigh"),
    ),
    "the id comes late": (
        tool(0, "", name="weigh"),
        tool(0, '{"n": 1}', id="call_1"),
        tool(1, '{"n": 2}', id="call_2", name="weigh"),
    ),
    "the arguments are parsed already": (
        tool(0, {"n": 1}, id="call_1", name="weigh"),
        tool(1, {"n": 2}, id="call_2", name="weigh"),
    ),
}


@pytest.mark.parametrize("case", PIECES)
def test_pieces_of_tool_calls_find_each_other(case: str) -> None:
    """Ollama, Gemini, vLLM and gateways each have had their own idea; none loses or mixes a call."""
    assert calls(*PIECES[case]) == TWO


def test_calls_without_id_and_index_are_told_apart_by_their_names() -> None:
    """As little as a server can say."""
    content = calls(tool(None, '{"n": 1}', name="weigh"), tool(None, '{"n": 2}', name="weigh"))
    assert [block["input"] for block in content] == [{"n": 1}, {"n": 2}]


def test_a_function_call_of_old_is_a_tool_use() -> None:
    """`function_call` is what there was before tool_calls."""
    pieces = [{"function_call": {"name": "weigh", "arguments": ""}}, {"function_call": {"arguments": '{"n": 1}'}}]
    folded = message(role(), *map(chunk, pieces), chunk(finish="function_call"), usage(), DONE)
    assert folded.content == [{"type": "tool_use", "id": "", "name": "weigh", "input": {"n": 1}}]
    assert folded.stop_reason == "tool_use"


def test_a_tool_without_arguments_has_an_empty_input() -> None:
    """As in the Messages API."""
    assert calls(tool(0, "", id="call_1", name="weigh")) == [WEIGH | {"input": {}}]
    assert calls(tool(0, None, id="call_1", name="weigh")) == [WEIGH | {"input": {}}]


@pytest.mark.parametrize(("finish", "flags"), [("length", ()), ("tool_calls", ("tool_input_not_json",))])
@pytest.mark.parametrize("told", ['{"place": "U', "[1]", "null"])
def test_arguments_that_are_no_object_keep_their_text(finish: str, flags: tuple[str, ...], told: str) -> None:
    """Cut off by the limit they are no surprise. Otherwise it is what the model wrote: paid, kept, and flagged."""
    piece = tool(0, told, id="call_1", name="weigh")
    folded = message(role(), piece, chunk(finish=finish), usage(), DONE)
    assert folded.content == [WEIGH | {"input": {}, "partial_json": told}]
    assert folded.flags == flags


@pytest.mark.parametrize(
    "piece",
    [
        {"index": 0, "function": "weigh"},
        {"index": 0, "function": {"name": "weigh", "arguments": 7}},
        {"index": 0, "function": {"name": "weigh", "arguments": ["{"]}},
    ],
    ids=str,
)
def test_pieces_of_a_kind_that_no_server_sends_break_the_stream(piece: dict[str, Any]) -> None:
    """What cannot be understood is never left out of a call in silence."""
    with pytest.raises(ProtocolError):
        ToolCalls().add(piece)


@pytest.mark.parametrize("piece", [{"index": 0}, {"function": {"arguments": "{}"}}, {"id": "call_1"}], ids=str)
def test_a_call_that_nothing_names_is_no_answer(piece: dict[str, Any]) -> None:
    """Its beginning was lost, so who knows what else."""
    with pytest.raises(ProtocolError, match="without a name"):
        calls(chunk({"tool_calls": [piece]}))


def test_a_custom_tool_keeps_its_text() -> None:
    """Its input is no JSON by design; it is kept, and flagged like any that is none."""
    custom = {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "weigh", "input": "the Ulm"}}
    assert calls(chunk({"tool_calls": [custom]})) == [WEIGH | {"input": {}, "partial_json": "the Ulm"}]


def test_the_calls_tell_their_names() -> None:
    """Their repr fits a log line."""
    begun = ToolCalls()
    assert begun.add({"index": 0, "id": "call_1", "function": {"name": "weigh", "arguments": "{}"}}) == 2
    assert repr(begun) == "<ToolCalls ['weigh']>"
