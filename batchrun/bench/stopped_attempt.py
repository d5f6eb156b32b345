"""An attempt that ends as soon as a rule holds, for as long as the attempt of a run knows no such rules itself."""

from __future__ import annotations

from dataclasses import dataclass

from batchrun.bench.reading import read_stream
from batchrun.providers.provider import Provider, Request
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import told_output_tokens
from batchrun.stream.stop_rule import StopRule, StopWhen


@dataclass(frozen=True, slots=True)
class StoppedAnswer:
    """`rule` None: the answer ended by itself, and `tokens` are the provider's number. A stopped one never learns its
    number: `tokens` is None, `characters` is what was received, `stopped_at` where in it the rule held.

    `other_events` are those that carried no piece of the text.
    """

    rule: str | None
    tokens: int | None
    characters: int
    stopped_at: int | None
    other_events: int


async def stopped_attempt(
    provider: Provider, request: Request, limits: ClockLimits, stop_when: StopWhen | None
) -> StoppedAnswer:
    """Ask once, and close the stream where the rule holds; None asks for the whole answer.

    Raises:
        AttemptFailed: there was no answer, or it broke before it was whole or stopped.
    """
    rule = None if stop_when is None else StopRule(stop_when)
    held: list[str] = []

    async def take(text: str, tokens_so_far: int) -> bool:
        name = None if rule is None else rule.feed(text, tokens_so_far)
        if name is not None:
            held.append(name)
        return name is not None

    end = await read_stream(provider, request, limits, take)
    # Where the end came with the same bytes as the rule, nothing was stopped.
    if end.fold.is_complete or rule is None:
        return StoppedAnswer(None, told_output_tokens(end.fold.message().usage), end.characters, None, end.other_events)
    return StoppedAnswer(held[0], None, end.characters, rule.stopped_at, end.other_events)
