"""What all looks like "it stalled", told apart in words: our side, the stream, the provider, the user's sinks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchrun.report.census import NETWORK_CORES, PINNED_CORES, Loop
from batchrun.report.examples import Example
from batchrun.report.plain import counted, duration, percent
from batchrun.report.series import LimitShare
from batchrun.report.words import NO_CONNECTION, PROVIDER_CAUSES, STREAM_CAUSES

UNKNOWN = "not known: a run of the night was killed before it told of its failed attempts"


@dataclass(frozen=True, slots=True)
class Flavour:
    """One of them. `count` is items for the receive side and the sinks, failed attempts for the others; `happened` is
    whether it is worth a look."""

    name: str
    happened: bool
    count: int
    causes: Mapping[str, int]
    words: str


def receive_side(loop: Loop | None, culprits: Sequence[Example]) -> Flavour:
    """Our own event loop had no time to read; the item that took the time is the one with the largest own CPU."""
    if loop is None:
        return Flavour("receive_side", False, 0, {}, "nothing was measured: no item has finished")
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


def consumer(held_up: float, bound: int, slowest: Sequence[Example]) -> Flavour | None:
    """Neither we nor the provider: the user's own sink was what an item waited for. None where none ever was."""
    if not held_up:
        return None
    words = f"the sinks held items up for {duration(held_up)} in all"
    if bound:
        named = ", ".join(f"{example.id} ({duration(example.figure)})" for example in slowest)
        words += f", and were what limited {counted(bound, 'item')}" + (f": {named}" if named else "")
    return Flavour("consumer", bool(bound), bound, {}, words)


def stream(retried: Mapping[str, int], *, is_known: bool = True) -> Flavour:
    """No connection came about, or the bytes stopped, broke, or were no answer. `is_known`: `retried` is all."""
    causes = _only(retried, STREAM_CAUSES)
    number = sum(causes.values())
    unopened = sum(_only(causes, NO_CONNECTION).values())
    words = [f"could not connect: {counted(unopened, 'attempt')}"] if unopened else []
    if number > unopened:
        broken = {cause: many for cause, many in causes.items() if cause not in NO_CONNECTION}
        words.append(f"{counted(number - unopened, 'attempt')} broke or went silent: {listed(broken)}")
    told = _told("; ".join(words), "no stream broke or went silent", is_known=is_known)
    return Flavour("stream", bool(number), number, causes, told)


def provider(retried: Mapping[str, int], limits: Sequence[LimitShare], *, is_known: bool = True) -> Flavour:
    """The provider answered, and its answer was to wait or that it cannot. `is_known`: `retried` is all."""
    causes = _only(retried, PROVIDER_CAUSES)
    number = sum(causes.values())
    paused = [limit for limit in limits if limit.limited_by == "rate_limit"]
    turned_away = f"{counted(number, 'attempt')} turned away: {listed(causes)}" if number else ""
    words = _told(turned_away, "no rate limit and no server error", is_known=is_known)
    for limit in paused:
        named = f"{limit.backend} " if len({each.backend for each in limits}) > 1 else ""
        words += f"; {named}paused for {percent(limit.share)} of the time"
    return Flavour("provider", bool(number or paused), number, causes, words)


def listed(causes: Mapping[str, int]) -> str:
    """Causes with their numbers, the most frequent first."""
    ordered = sorted(causes.items(), key=lambda cause: (-cause[1], cause[0]))
    return ", ".join(f"{cause} {number:,}" for cause, number in ordered)


def _told(words: str, nothing: str, *, is_known: bool) -> str:
    if is_known:
        return words or nothing
    return f"at least {words}" if words else UNKNOWN


def _only(retried: Mapping[str, int], causes: frozenset[str]) -> dict[str, int]:
    return {cause: number for cause, number in retried.items() if cause in causes}
