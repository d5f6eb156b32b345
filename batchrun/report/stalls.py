"""The three things that all look like "it stalled", told apart in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchrun.report.census import NETWORK_CORES, PINNED_CORES, Loop
from batchrun.report.examples import Example
from batchrun.report.plain import counted, percent
from batchrun.report.series import Limit
from batchrun.report.words import PROVIDER_CAUSES, STREAM_CAUSES


@dataclass(frozen=True, slots=True)
class Flavour:
    """One of the three. `count` is items for the receive side, failed attempts for the others; `happened` is whether it
    is worth a look."""

    name: str
    happened: bool
    count: int
    causes: Mapping[str, int]
    words: str


def receive_side(loop: Loop | None, culprits: Sequence[Example]) -> Flavour:
    """Our own event loop had no time to read; the item that took the time is the one with the largest own CPU."""
    if loop is None:
        return Flavour("receive_side", False, 0, {}, "nothing was measured")
    if not loop.pinned:
        words = f"not pinned: the event loop took {loop.p50:.2f} cores at the median, {loop.max:.2f} at most"
        if loop.network * 2 > loop.items:
            most = "every item" if loop.network == loop.items else f"{percent(loop.network / loop.items)} of the items"
            words += f"; below {NETWORK_CORES} for {most}: the network and the provider set the pace"
        return Flavour("receive_side", False, 0, {}, words)
    named = ", ".join(f"{example.id} ({example.figure:.2f} cores)" for example in culprits)
    words = (
        f"pinned for {loop.pinned:,} of {counted(loop.items, 'item')}: its event loop took over {PINNED_CORES} cores"
    )
    if named:
        words += f"; largest own CPU: {named}"
    return Flavour("receive_side", True, loop.pinned, {}, words)


def stream(retried: Mapping[str, int]) -> Flavour:
    """The bytes stopped, broke, or were no answer."""
    causes = _only(retried, STREAM_CAUSES)
    number = sum(causes.values())
    words = "no stream broke or went silent"
    if number:
        words = f"{counted(number, 'attempt')} broke or went silent: {listed(causes)}"
    return Flavour("stream", bool(number), number, causes, words)


def provider(retried: Mapping[str, int], limits: Sequence[Limit]) -> Flavour:
    """The provider answered, and its answer was to wait or that it cannot."""
    causes = _only(retried, PROVIDER_CAUSES)
    number = sum(causes.values())
    paused = max((limit.share for limit in limits if limit.limited_by == "rate_limit"), default=0.0)
    words = "no rate limit and no server error"
    if number:
        words = f"{counted(number, 'attempt')} turned away: {listed(causes)}"
    if paused:
        words += f"; paused for {percent(paused)} of the time"
    return Flavour("provider", bool(number or paused), number, causes, words)


def listed(causes: Mapping[str, int]) -> str:
    """Causes with their numbers, the most frequent first."""
    ordered = sorted(causes.items(), key=lambda cause: (-cause[1], cause[0]))
    return ", ".join(f"{cause} {number:,}" for cause, number in ordered)


def _only(retried: Mapping[str, int], causes: frozenset[str]) -> dict[str, int]:
    return {cause: number for cause, number in retried.items() if cause in causes}
