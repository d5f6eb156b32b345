"""One attempt from the request to the message, told once and held against two tellers: the fakes in virtual time, and
the real provider with a real server that plays the same stories."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import AT_ONCE, BackendConfig, Pace, Provider, Request
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter
from batchrun.stream.tick import MAX_HELD, MAX_TICK, pace_of
from tests.providers.fakes import (
    End,
    FakeProvider,
    ProviderThatAnswers,
    ProviderThatAnswersInOneDocument,
    ProviderThatBreaksInMidAnswer,
    ProviderThatChanges,
    ProviderThatDripsForever,
    ProviderThatEndsAfterTheStopReason,
    ProviderThatEndsInMidEvent,
    ProviderThatEndsWithoutStopReason,
    ProviderThatFallsSilent,
    ProviderThatGivesUpInMidAnswer,
    ProviderThatIsSlowToConnect,
    ProviderThatMakesRemarks,
    ProviderThatNeverAnswers,
    ProviderThatRepeatsItself,
    ProviderThatSendsGarbage,
    ProviderThatSendsOnlyPings,
    ProviderThatStallsAfterHeaders,
    ProviderThatStutters,
    ProviderThatTurnsAway,
)
from tests.providers.scripted_server import ScriptedServer, playing
from tests.stream.events import error, on_the_wire, text
from tests.virtual_time import START, in_virtual_time, run_virtual

# Short, for the real provider lives in real time; in the same order of length as the defaults.
LIMITS = ClockLimits(connect=1.0, first_byte=0.3, idle=0.2, stall=0.4, total=0.6)
BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "What now?"}]}
CANARY = "sk-ant-canary-7c1f"


@dataclass(frozen=True, slots=True)
class Answered:
    """What an attempt that went well has to show."""

    text: str
    flags: tuple[str, ...] = ()
    stop_reason: str = "end_turn"


@dataclass(frozen=True, slots=True)
class Failed:
    """What one that did not has to show; `tokens` None where it depends on the time."""

    cause: Cause
    tokens: int | None = 0
    status: int | None = None
    retry_after: float | None = None


HALF = 2  # tokens, by their length: "Half an "
Story = Callable[[], FakeProvider]

STORIES: dict[str, tuple[Story, Answered | Failed]] = {
    "answers": (lambda: ProviderThatAnswers("Hello", " there"), Answered("Hello there")),
    "answers slowly": (lambda: ProviderThatAnswers(*"slow", seconds_a_piece=0.05), Answered("slow")),
    "answers about the prompt": (ProviderThatAnswers, Answered("You asked: What now?")),
    "hits max_tokens": (
        lambda: ProviderThatAnswers("Hel", stop_reason="max_tokens"),
        Answered("Hel", stop_reason="max_tokens"),
    ),
    "stutters": (ProviderThatStutters, Answered("You asked: What now?")),
    "answers in one document": (lambda: ProviderThatAnswersInOneDocument("Hel", "lo"), Answered("Hello")),
    "makes remarks": (
        lambda: ProviderThatMakesRemarks("Hel", "lo"),
        Answered("Hello", ("done_marker", "empty_event")),
    ),
    "repeats itself": (
        lambda: ProviderThatRepeatsItself("Hello"),
        Answered("Hello", ("duplicate_message_start",)),
    ),
    "ends after the stop reason": (
        ProviderThatEndsAfterTheStopReason,
        Answered("Hello there", ("no_message_stop",)),
    ),
    "is torn after the stop reason": (
        lambda: ProviderThatEndsAfterTheStopReason(b'event: message_stop\ndata: {"type": "mess'),
        Answered("Hello there", ("no_message_stop",)),
    ),
    "breaks after the stop reason": (
        lambda: ProviderThatEndsAfterTheStopReason(End.RESET),
        Answered("Hello there", ("no_message_stop",)),
    ),
    "falls silent after the stop reason": (
        lambda: ProviderThatEndsAfterTheStopReason(End.SILENCE),
        Answered("Hello there", ("no_message_stop",)),
    ),
    "gives up after the stop reason": (
        lambda: ProviderThatEndsAfterTheStopReason(on_the_wire(error("overloaded_error"))),
        Answered("Hello there", ("no_message_stop",)),
    ),
    "sends garbage after the stop reason": (
        lambda: ProviderThatEndsAfterTheStopReason(b'event: message_stop\ndata: {"type": oops}\n\n'),
        Answered("Hello there", ("no_message_stop",)),
    ),
    "goes on after the stop reason": (
        lambda: ProviderThatEndsAfterTheStopReason(on_the_wire({"type": "message_stop"}, text("more"))),
        Failed(Cause.PROTOCOL, 3),
    ),
    "never answers": (ProviderThatNeverAnswers, Failed(Cause.FIRST_BYTE)),
    "stalls after headers": (ProviderThatStallsAfterHeaders, Failed(Cause.FIRST_BYTE)),
    "falls silent": (ProviderThatFallsSilent, Failed(Cause.SILENT, HALF)),
    "sends only pings": (ProviderThatSendsOnlyPings, Failed(Cause.STALLED, HALF)),
    "drips forever": (ProviderThatDripsForever, Failed(Cause.TOO_LONG, None)),
    "breaks in mid-answer": (ProviderThatBreaksInMidAnswer, Failed(Cause.BROKEN, HALF)),
    "breaks before the answer": (lambda: ProviderThatBreaksInMidAnswer(after_text=False), Failed(Cause.BROKEN)),
    "ends without stop reason": (ProviderThatEndsWithoutStopReason, Failed(Cause.TRUNCATED, HALF)),
    "ends at once": (lambda: ProviderThatEndsWithoutStopReason(after_text=False), Failed(Cause.TRUNCATED)),
    "ends in mid-event": (ProviderThatEndsInMidEvent, Failed(Cause.TRUNCATED, HALF)),
    "sends garbage": (ProviderThatSendsGarbage, Failed(Cause.PROTOCOL, HALF)),
    "gives up in mid-answer": (ProviderThatGivesUpInMidAnswer, Failed(Cause.OVERLOADED, HALF)),
    "gives up at once": (
        lambda: ProviderThatGivesUpInMidAnswer("rate_limit_error", after_text=False),
        Failed(Cause.RATE_LIMITED),
    ),
    "refuses the input late": (
        lambda: ProviderThatGivesUpInMidAnswer("invalid_request_error"),
        Failed(Cause.BAD_REQUEST, HALF),
    ),
} | {
    f"turns away with {status}": (
        lambda status=status, wait=wait: ProviderThatTurnsAway(status, retry_after=wait),  # type: ignore[misc]  # early binding
        Failed(cause, status=status, retry_after=wait),
    )
    for status, wait, cause in [
        (400, None, Cause.BAD_REQUEST),
        (401, None, Cause.CREDENTIALS),
        (403, None, Cause.CREDENTIALS),
        (404, None, Cause.UNKNOWN_MODEL),
        (413, None, Cause.TOO_LARGE),
        (429, 7.0, Cause.RATE_LIMITED),
        (429, None, Cause.RATE_LIMITED),
        (500, None, Cause.SERVER_ERROR),
        (503, 2.5, Cause.SERVER_ERROR),
        (529, 90.0, Cause.OVERLOADED),
    ]
}


async def ask(provider: Provider, limits: ClockLimits = LIMITS) -> Message | Failure:
    try:
        return await attempt(provider, Request(BODY), limits, Meter(Account()))
    except AttemptFailed as failed:
        return failed.failure


def check(result: Message | Failure, expected: Answered | Failed) -> None:
    match expected, result:
        case Answered(), Message():
            assert (result.text, result.flags, result.stop_reason) == (
                expected.text,
                expected.flags,
                expected.stop_reason,
            )
        case Failed(), Failure():
            assert (result.cause, result.status, result.retry_after) == (
                expected.cause,
                expected.status,
                expected.retry_after,
            )
            assert result.partial_tokens == expected.tokens or (expected.tokens is None and result.partial_tokens > 0)
            assert bool(result.partial_characters) == bool(result.partial_tokens)
            assert result.message
            assert CANARY not in repr(result)
        case _:
            raise AssertionError(f"{expected} was told, and {result} came")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(CANARY, encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("name", STORIES)
def test_a_story_told_by_a_fake_ends_as_it_should(name: str) -> None:
    """Each way in which an attempt can go has its outcome, its cause and its wasted tokens; and nothing stays open."""
    story, expected = STORIES[name]
    provider = story()
    check(run_virtual(ask(provider)), expected)
    assert (len(provider.requests), provider.open_replies) == (1, 0)


@pytest.mark.parametrize("name", STORIES)
async def test_the_same_story_on_a_real_wire_ends_in_the_same_way(name: str, key_file: Path) -> None:
    """The real provider on a real connection gives the very same outcome, cause and wasted tokens."""
    story, expected = STORIES[name]
    async with ScriptedServer(playing(story())) as server:
        provider = AnthropicProvider(BackendConfig(base_url=server.url, key_file=key_file), max_slots=4)
        try:
            check(await ask(provider), expected)
        finally:
            await provider.close()
        assert len(server.received) == 1
        assert all(wire.number == 0 for wire in server.wires)


# -- what the outcome does not show -----------------------------------------------------------------------------------


@in_virtual_time
async def test_no_clock_but_its_own_runs_while_connecting() -> None:
    """F1: a connection that takes longer than the first byte may is no late first byte."""
    assert ProviderThatIsSlowToConnect(0.5).connect_seconds > LIMITS.first_byte
    check(await ask(ProviderThatIsSlowToConnect(0.5)), Answered("Hello there"))


@in_virtual_time
async def test_a_connection_that_takes_too_long_is_told_as_such() -> None:
    """F1: the connect clock ends it, and the failure says so."""
    check(await ask(ProviderThatIsSlowToConnect(20.0), ClockLimits()), Failed(Cause.CONNECT))
    assert asyncio.get_running_loop().time() - START == 10


@in_virtual_time
async def test_with_the_default_clocks_a_dead_stream_ends_after_a_minute() -> None:
    """F2: the defaults hold for a whole attempt, not only for the clocks alone."""
    check(await ask(ProviderThatFallsSilent(), ClockLimits()), Failed(Cause.SILENT, HALF))
    assert asyncio.get_running_loop().time() - START == 60


@in_virtual_time
async def test_reads_are_unpaced_at_both_ends_and_rarer_the_older_the_stream() -> None:
    """Not before the first piece, so that its time is true; not after the stop reason, so that the end is seen at once;
    between, as the age allows."""
    provider = ProviderThatAnswers(*"0123456789", seconds_a_piece=2.5)
    await ask(provider, ClockLimits())
    *between, last = provider.paces
    ages = [nth * 2.5 for nth in range(1, 11)]
    assert between == [pytest.approx(pace_of(age, ClockLimits().idle)) for age in ages]
    assert between[-1] == Pace(MAX_TICK, MAX_HELD)
    assert last == AT_ONCE


@in_virtual_time
async def test_the_meter_sees_what_the_reader_sees() -> None:
    """The time to the first token is that of the first piece, and each piece is a chunk; a ping is none."""
    meter = Meter(Account())
    provider = ProviderThatAnswers("a", "b", "c", seconds_a_piece=1.5)
    message = await attempt(provider, Request(BODY), ClockLimits(), meter)
    measure = meter.measure(message.output_tokens)
    assert (measure.ttft, measure.chunks, measure.tokens) == (1.5, 3, 3)


@in_virtual_time
async def test_a_cancelled_attempt_closes_what_it_opened() -> None:
    """A drain that runs out leaves no reply open, and stays a cancellation."""
    provider = ProviderThatFallsSilent()
    task = asyncio.create_task(ask(provider))
    await asyncio.sleep(0.1)
    assert provider.open_replies == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert provider.open_replies == 0


@in_virtual_time
async def test_a_bug_is_no_failure_of_the_wire() -> None:
    """What nobody foresaw passes as it is: it must never be retried as if the provider had done it."""

    class ProviderWithABug(ProviderThatAnswers):
        """Trips over itself."""

        def failure(self, request: Request) -> Failure | None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(ProviderWithABug())


@in_virtual_time
async def test_the_next_attempt_begins_anew() -> None:
    """What one attempt received is gone with it: no text of a broken stream is found in a later answer."""
    provider = ProviderThatChanges(
        ProviderThatBreaksInMidAnswer(), ProviderThatTurnsAway(529), ProviderThatAnswers("Whole")
    )
    check(await ask(provider), Failed(Cause.BROKEN, HALF))
    check(await ask(provider), Failed(Cause.OVERLOADED, status=529))
    check(await ask(provider), Answered("Whole"))
    check(await ask(provider), Answered("Whole"))
    assert len(provider.requests) == 4
