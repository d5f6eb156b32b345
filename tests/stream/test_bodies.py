"""Decoder and fold together, on whole bodies: however they are cut, and whatever has happened to them."""

from __future__ import annotations

import time
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.providers.provider import Wire
from batchrun.stream.message import Message
from tests.soak import Soak
from tests.stream import chunks, events
from tests.stream.bodies import BODIES, damaged, read, split

bodies = pytest.mark.parametrize(("wire", "name"), BODIES)
chances = st.randoms(use_true_random=False)
MEGABYTE = 1024 * 1024


@bodies
def test_each_body_is_a_message(wire: Wire, name: str) -> None:
    """None of the cases below begins as a broken one."""
    message = read(wire, [BODIES[wire, name]])
    assert isinstance(message, Message)
    assert set(message.flags) <= {"empty_answer", "usage_estimated"}


@bodies
def test_byte_by_byte_it_is_the_same_message(wire: Wire, name: str) -> None:
    """And so it is cut in two at every offset."""
    body = BODIES[wire, name]
    whole = read(wire, [body])
    assert read(wire, (body[at : at + 1] for at in range(len(body)))) == whole
    for at in range(0, len(body), 7):
        assert read(wire, [body[:at], body[at:]]) == whole


@given(at=st.sampled_from(sorted(BODIES)), chance=chances)
def test_any_split_gives_the_same_message(at: tuple[Wire, str], chance: Random) -> None:
    """Into any number of pieces, empty ones among them."""
    body = BODIES[at]
    assert read(at[0], split(body, chance)) == read(at[0], [body])


@given(at=st.sampled_from(sorted(BODIES)), chance=chances)
def test_a_damaged_body_is_a_message_or_is_told_to_be_none(at: tuple[Wire, str], chance: Random) -> None:
    """Nothing but the three errors is raised, and the cuts of the wire change nothing about which."""
    body = damaged(BODIES[at], chance)
    assert read(at[0], split(body, chance)) == read(at[0], [body])


@given(wire=st.sampled_from(Wire), body=st.binary(max_size=300), chance=chances)
def test_arbitrary_bytes_are_no_message(wire: Wire, body: bytes, chance: Random) -> None:
    """They are told to be none, in the same words however they are cut."""
    told = read(wire, split(body, chance))
    assert told == read(wire, [body])
    assert not isinstance(told, Message)


@given(
    wire=st.sampled_from(Wire),
    data=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["type", "index", "delta", "text", "message", "usage", "choices", "error", "content", "id"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
        max_size=6,
    ),
)
def test_arbitrary_json_is_no_reason_to_break(wire: Wire, data: list[object]) -> None:
    """Whatever is nested in whatever, under the names that the folds look for."""
    read(wire, [b"data: " + orjson.dumps(document) + b"\n\n" for document in data])


@pytest.mark.parametrize("wire", Wire)
@pytest.mark.parametrize("piece_bytes", [1024, MEGABYTE])
def test_an_answer_of_32_mb_is_put_together_in_one_go(wire: Wire, piece_bytes: int) -> None:
    """In small events or in large ones: work that grew faster than the body would not come to an end here."""
    piece, count = "x" * piece_bytes, 32 * MEGABYTE // piece_bytes
    if wire is Wire.MESSAGES:
        head, *_, stop, end = (events.on_the_wire(event) for event in events.answer("-"))
        start, middle = events.on_the_wire(events.block_start()), events.on_the_wire(events.text(piece))
        parts = [head, start, *[middle] * count, events.on_the_wire(events.block_stop()), stop, end]
    else:
        middle = chunks.on_the_wire(chunks.text(piece))
        parts = [
            chunks.on_the_wire(chunks.role()),
            *[middle] * count,
            chunks.on_the_wire(chunks.chunk(finish="stop"), chunks.DONE),
        ]
    message = read(wire, parts)
    assert isinstance(message, Message)
    assert len(message.text) == 32 * MEGABYTE


@pytest.mark.soak
def test_a_long_night_of_damaged_bodies(soak: Soak) -> None:
    """Seeded mishaps for as long as the budget lasts: a message or one of the three errors, the same however cut."""
    chance, until, tried = Random(soak.seed), time.monotonic() + soak.budget_seconds, 0
    cases = sorted(BODIES)
    while time.monotonic() < until:
        at = chance.choice(cases)
        body = damaged(BODIES[at], chance)
        assert read(at[0], split(body, chance, most=30)) == read(at[0], [body]), (at, body)
        tried += 1
    assert tried > 100
