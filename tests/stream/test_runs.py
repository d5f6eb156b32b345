"""Runs of pieces that are taken at once: nothing but a shorter way to what each event by itself would give."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from batchrun.providers.provider import Wire
from batchrun.stream.folds import FOLDS
from batchrun.stream.message import Kind, StreamError, Truncated
from batchrun.stream.pieces import JOINED, Pieces
from batchrun.stream.sse import ProtocolError, SSEDecoder
from batchrun.stream.text_runs import LONGEST
from tests.stream.bodies import BODIES

# What stands in a body, and what it is replaced with: sound streams and broken ones, with runs around the place.
TURNS = (
    (b'"index":0', b'"index":1'),
    (b'"text":', b'"texts":'),
    (b"text_delta", b"thinking_delta"),
    (b'"content":', b'"refusal":'),
    (b'"finish_reason":null', b'"finish_reason":"stop"'),
    (b"data: {", b"data: ["),
    (b"data: {", b'data: {"error":{"message":"no"},'),
    (b"data: {", b'data: {"usage":{"completion_tokens":3},'),
    (b'"delta":{', b'"delta":{"tool_calls":[],'),
    (b'":"', b'":null,"x":"'),
)
LONG = 40


def grown(body: bytes) -> bytes:
    """The same with each of its deltas many times."""
    events = body.split(b"\n\n")
    is_delta = [(b"_delta" in event and b"message_delta" not in event) or b'"content":"' in event for event in events]
    return b"\n\n".join(event for event, many in zip(events, is_delta, strict=True) for _ in range(LONG if many else 1))


def read(wire: Wire, body: bytes, *, in_runs: bool) -> tuple[object, ...]:
    """What becomes of a body: the message or the error, how many pieces of an answer came, and their text."""
    fold, texts, pieces, place = FOLDS[wire](), "", 0, 0
    decoder = SSEDecoder()
    events = [*decoder.feed(body), *decoder.close()]
    try:
        while place < len(events):
            run = fold.feed_run(events, place) if in_runs else []
            if run:
                place, pieces, texts = place + len(run), pieces + len(run), texts + "".join(run)
                continue
            pieces += fold.feed(events[place].data) is Kind.CONTENT
            texts += fold.last_text
            place += 1
        result: object = fold.message()
    except (ProtocolError, StreamError, Truncated) as exc:
        result = (type(exc), str(exc))
    return result, fold.content_characters, fold.received_tokens, pieces, texts


@pytest.mark.parametrize(("wire", "name"), BODIES)
def test_a_run_gives_what_its_events_would_give(wire: Wire, name: str) -> None:
    """The same message, as many pieces, the same text in the same order."""
    body = grown(BODIES[wire, name])
    assert read(wire, body, in_runs=True) == read(wire, body, in_runs=False)


@pytest.mark.parametrize(("wire", "name"), BODIES)
def test_it_holds_for_broken_answers_too(wire: Wire, name: str) -> None:
    """Whatever stands in the middle of a run ends it there, and is an error or none as it would be by itself."""
    chance = Random(7)
    body = grown(BODIES[wire, name])
    for old, new in TURNS:
        places = [place for place in range(len(body)) if body.startswith(old, place)]
        for place in chance.sample(places, min(3, len(places))):
            broken = body[:place] + new + body[place + len(old) :]
            assert read(wire, broken, in_runs=True) == read(wire, broken, in_runs=False), broken


@pytest.mark.parametrize("wire", Wire)
def test_text_is_taken_in_runs(wire: Wire) -> None:
    """The shorter way is taken: a handful of events are fed, the rest are not."""
    decoder = SSEDecoder()
    events = decoder.feed(grown(BODIES[wire, "text"]))
    fold, place, runs = FOLDS[wire](), 0, []
    while place < len(events):
        runs.append(len(fold.feed_run(events, place)))
        if not runs[-1]:
            fold.feed(events[place].data)
        place += runs[-1] or 1
    assert max(runs) == LONGEST
    assert runs.count(0) < LONG + 12  # the deltas of a chat's role among them


def test_pieces_are_joined_in_time() -> None:
    """All of the text in its order, while little of it is held in pieces."""
    pieces = Pieces("begun ")
    words = [f"{number} " for number in range(10 * JOINED + 3)]
    for word in words[:JOINED]:
        pieces.add(word)
    pieces.extend(words[JOINED:])
    assert pieces.text() == "begun " + "".join(words)
    assert repr(pieces) == "<Pieces 3 joined, 0 loose>"
    assert orjson.dumps(pieces.text())
