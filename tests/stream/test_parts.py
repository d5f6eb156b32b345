"""F23: an answer in several parts: what is sent for the next one, and what they are together."""

from __future__ import annotations

from typing import Any

from batchrun.stream.message import Message
from batchrun.stream.parts import MAX_PAUSES, PAUSE, PAUSED, Parts

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Search."}]}


def part(text: str, stop_reason: str = PAUSE, flags: tuple[str, ...] = (), **usage: Any) -> Message:
    content = [{"type": "text", "text": text}]
    return Message(f"id of {text}", "m", text, content, stop_reason, usage, usage.get("output_tokens", 0), flags)


def test_an_answer_in_one_part_is_left_as_it_is() -> None:
    """Nothing is sent anew, and nothing flagged."""
    parts, whole = Parts(), part("all of it", "end_turn", output_tokens=3)
    assert parts.request(BODY) is BODY
    assert parts.take(whole) is whole
    assert parts.said_tokens == 0


def test_a_pause_is_sent_back_as_it_came() -> None:
    """What has been said goes behind the question, in one message; the job's own body is not touched."""
    parts = Parts()
    for said in ("One, ", "two, "):
        assert parts.take(part(said)) is None
    content = [{"type": "text", "text": "One, "}, {"type": "text", "text": "two, "}]
    sent = parts.request(BODY)
    assert sent == BODY | {"messages": [*BODY["messages"], {"role": "assistant", "content": content}]}
    assert len(BODY["messages"]) == 1


def test_the_parts_together_are_the_answer() -> None:
    """Text and blocks in order, usage and tokens summed, flags of all; the end is that of the last part."""
    parts = Parts()
    parts.take(part("One, ", flags=("unknown_event",), input_tokens=5, output_tokens=3, cache={"read": 1}))
    assert parts.said_tokens == 3
    usage: dict[str, Any] = {"input_tokens": 9, "output_tokens": 4, "cache": {"read": 2}, "service_tier": "standard"}
    whole = parts.take(part("two.", "end_turn", **usage))
    assert whole is not None
    assert (whole.id, whole.text, whole.stop_reason) == ("id of two.", "One, two.", "end_turn")
    assert [block["text"] for block in whole.content] == ["One, ", "two."]
    assert whole.usage == {"input_tokens": 14, "output_tokens": 7, "cache": {"read": 3}, "service_tier": "standard"}
    assert (whole.output_tokens, whole.flags) == (7, (PAUSED, "unknown_event"))


def test_usage_that_one_part_leaves_out_is_kept() -> None:
    """And what is no number is taken from the part that says it last."""
    parts = Parts()
    parts.take(part("One", web_searches=1, tier="a", odd=True, late=None))
    whole = parts.take(part("two", "end_turn", tier="b", odd=False, late=2))
    assert whole is not None
    assert whole.usage == {"web_searches": 1, "tier": "b", "odd": False, "late": 2}


def test_who_pauses_for_ever_is_taken_at_its_word() -> None:
    """After five pauses the next one is the end, and says so."""
    parts = Parts()
    assert [parts.take(part(".")) for _ in range(MAX_PAUSES)] == [None] * MAX_PAUSES
    whole = parts.take(part("."))
    assert whole is not None
    assert (whole.text, whole.stop_reason) == ("." * (MAX_PAUSES + 1), PAUSE)
