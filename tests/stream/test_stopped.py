"""An attempt that ends as soon as its text is enough: where, with what usage, and who hears of what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from batchrun.failure import AttemptFailed, Cause
from batchrun.providers.provider import AT_ONCE, Request, Wire
from batchrun.stream.attempt import Listeners, attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter
from batchrun.stream.pipe import Pipe
from batchrun.stream.stop_rule import StopRule, parse_stop_when
from tests.providers.fakes import (
    End,
    FakeProvider,
    ProviderThatAnswers,
    ProviderThatAnswersInOneDocument,
    ProviderThatBreaksInMidAnswer,
    ProviderThatStutters,
    Step,
    Wait,
)
from tests.stream import chunks
from tests.stream.events import (
    Event,
    answer,
    block_start,
    block_stop,
    delta,
    error,
    message_delta,
    message_start,
    on_the_wire,
    text,
)
from tests.virtual_time import START, in_virtual_time

SENTENCES = ("One is", " none. ", "Two is a", " pair. ", "Three is a crowd.")
BEGINNING: list[Event] = [message_start(), block_start()]


class ProviderThatSays(FakeProvider):
    """What it is given, step by step."""

    def __init__(self, *steps: Step, wire: Wire = Wire.MESSAGES) -> None:
        super().__init__()
        self.wire = wire
        self._steps = steps

    def steps(self, request: Request) -> Iterator[Step]:
        return iter(self._steps)


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - START


async def stopped(provider: FakeProvider, pipe: Pipe | None = None, **rule: object) -> Message:
    listeners = Listeners(pipe, StopRule(parse_stop_when(rule)))
    return await attempt(provider, Request({"messages": []}), ClockLimits(), Meter(Account()), listeners)


async def heard(pipe: Pipe) -> list[str]:
    pipe.close()
    return [piece async for piece in pipe]


@in_virtual_time
async def test_the_stream_is_closed_where_the_rule_holds() -> None:
    """The text ends at that place and not with the piece; the rest is neither waited for nor read."""
    provider = ProviderThatAnswers(*SENTENCES, seconds_a_piece=1)
    message = await stopped(provider, sentence_end=True)
    assert (message.text, message.stop_reason) == ("One is none.", "stop_rule:sentence_end")
    assert message.content == [{"type": "text", "text": "One is none."}]
    assert (now(), provider.open_replies) == (2, 0)


@in_virtual_time
async def test_its_usage_is_an_estimate_and_says_so() -> None:
    """The provider's final number never comes: all that was received counts, at four characters a token."""
    message = await stopped(ProviderThatAnswers(*SENTENCES, seconds_a_piece=1), sentence_end=True)
    assert len("One is none. ") == 13
    assert (message.output_tokens, message.usage["output_tokens"], message.flags) == (4, 4, ("usage_estimated",))
    assert message.usage["input_tokens"] == 10


@in_virtual_time
async def test_what_came_with_the_same_bytes_is_billed_and_is_no_part_of_the_answer() -> None:
    """A reader that gathers bytes receives more than the rule needs."""
    provider = ProviderThatSays(on_the_wire(*BEGINNING, *map(text, SENTENCES)), End.SILENCE)
    message = await stopped(provider, sentence_end=True)
    assert message.text == "One is none."
    assert message.output_tokens == -(-len("".join(SENTENCES)) // 4)
    assert (now(), provider.open_replies) == (0, 0)


@in_virtual_time
async def test_where_the_end_came_with_the_same_bytes_the_usage_is_the_true_one() -> None:
    """The model was through: nothing is estimated, and the connection is read to its end and can serve again."""
    *most, last = answer(*SENTENCES)
    provider = ProviderThatSays(on_the_wire(*most), Wait(1), on_the_wire(last))
    message = await stopped(provider, sentence_end=True)
    assert (message.text, message.stop_reason) == ("One is none.", "stop_rule:sentence_end")
    assert (message.output_tokens, message.flags, now()) == (5, (), 1)
    assert provider.paces[-1] == AT_ONCE


@pytest.mark.parametrize("end", [End.RESET, End.SILENCE])
@in_virtual_time
async def test_nothing_that_the_wire_does_afterwards_spoils_it(end: End) -> None:
    """Neither where the end had come, nor where it had not."""
    for steps in (answer(*SENTENCES)[:-1], [*BEGINNING, *map(text, SENTENCES), error("overloaded_error")]):
        message = await stopped(ProviderThatSays(on_the_wire(*steps), end), sentence_end=True)
        assert message.text == "One is none."


@in_virtual_time
async def test_the_pipe_gets_only_what_belongs_to_the_answer() -> None:
    """Who publishes the text as it comes publishes the text that is kept."""
    pipe = Pipe()
    message = await stopped(ProviderThatAnswers(*SENTENCES, seconds_a_piece=1), pipe, max_chars=9)
    assert await heard(pipe) == ["One is", " no"]
    assert message.text == "One is no"


@in_virtual_time
async def test_a_place_that_only_the_next_piece_confirms_gives_the_pipe_nothing_more() -> None:
    """A full stop ends a sentence if white space follows; that may be the next piece."""
    pipe = Pipe()
    message = await stopped(
        ProviderThatSays(on_the_wire(*BEGINNING, text("Yes."), text(" No."))), pipe, sentence_end=True
    )
    assert (await heard(pipe), message.text) == (["Yes."], "Yes.")


@in_virtual_time
async def test_the_same_answer_stops_at_the_same_place_however_it_is_cut() -> None:
    """Byte by byte, event by event, or in one lump."""
    texts = set()
    for provider in (
        ProviderThatStutters,
        ProviderThatAnswers,
        lambda *pieces: ProviderThatSays(on_the_wire(*answer(*pieces))),
    ):
        texts.add((await stopped(provider(*SENTENCES), min_tokens=5, sentence_end=True)).text)
    assert texts == {"One is none. Two is a pair."}


@in_virtual_time
async def test_a_rule_that_never_holds_changes_nothing() -> None:
    """The answer is whole, with the model's own stop reason and the provider's number."""
    message = await stopped(ProviderThatAnswers(*SENTENCES), max_chars=1000)
    assert (message.text, message.stop_reason, message.flags) == ("".join(SENTENCES), "end_turn", ())
    assert message.output_tokens == 5


@in_virtual_time
async def test_a_stream_that_breaks_before_the_rule_holds_is_a_failure() -> None:
    """Half an answer is not enough because it is all that came."""
    with pytest.raises(AttemptFailed) as caught:
        await stopped(ProviderThatBreaksInMidAnswer(), max_chars=1000)
    assert caught.value.failure.cause is Cause.BROKEN


@in_virtual_time
async def test_a_document_is_kept_whole() -> None:
    """It has been paid for: there is nothing left that a rule could save."""
    message = await stopped(ProviderThatAnswersInOneDocument(*SENTENCES), max_chars=5)
    assert (message.text, message.stop_reason) == ("".join(SENTENCES), "end_turn")


@in_virtual_time
async def test_a_rule_looks_at_the_text_and_not_at_the_thinking() -> None:
    """Thinking is no part of the answer; what of it came first is kept with it."""
    thoughts = [block_start(0, "thinking"), delta(0, "thinking_delta", thinking="Hm. So be it. "), block_stop(0)]
    provider = ProviderThatSays(on_the_wire(message_start(), *thoughts, block_start(1), text("Ja. ", 1)), End.SILENCE)
    message = await stopped(provider, sentence_end=True)
    assert message.text == "Ja."
    assert [block["type"] for block in message.content] == ["thinking", "text"]


@in_virtual_time
async def test_a_refusal_that_has_come_stays_a_refusal() -> None:
    """A rule that is content with its first sentence makes no answer of it."""
    refused = [*BEGINNING, text("I cannot. "), text("Sorry."), block_stop(), message_delta("refusal", output_tokens=3)]
    assert (await stopped(ProviderThatSays(on_the_wire(*refused)), sentence_end=True)).stop_reason == "refusal"


@in_virtual_time
async def test_the_chat_wire_stops_in_the_same_way() -> None:
    """One rule, whoever answers."""
    pieces = [chunks.on_the_wire(chunks.text(piece)) for piece in SENTENCES]
    provider = ProviderThatSays(chunks.on_the_wire(chunks.role()), *pieces, End.SILENCE, wire=Wire.CHAT)
    message = await stopped(provider, sentence_end=True)
    assert (message.text, message.stop_reason) == ("One is none.", "stop_rule:sentence_end")
    assert (message.output_tokens, message.flags) == (4, ("usage_estimated",))


@in_virtual_time
async def test_on_the_chat_wire_the_usage_that_follows_the_end_is_waited_for() -> None:
    """It stands in a chunk of its own, behind the finish_reason."""
    *most, finish, usage, done = chunks.answer(*SENTENCES)
    provider = ProviderThatSays(
        chunks.on_the_wire(*most, finish), Wait(1), chunks.on_the_wire(usage, done), wire=Wire.CHAT
    )
    message = await stopped(provider, sentence_end=True)
    assert (message.text, message.output_tokens, message.flags) == ("One is none.", 5, ())
