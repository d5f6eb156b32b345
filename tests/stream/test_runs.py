"""Runs of pieces that are taken at once: nothing but a shorter way to what each event by itself would give."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

import orjson
import pytest

from batchrun.providers.provider import Wire
from batchrun.stream.folds import FOLDS
from batchrun.stream.message import Kind, MessageFold, StreamError, Truncated
from batchrun.stream.pieces import JOINED, Pieces
from batchrun.stream.sse import ProtocolError, ServerSentEvent, SSEDecoder
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
# The same for what is read out of the bytes themselves: ends of lines, of strings, of characters.
TURNS_OF_BYTES = (
    (b'"}}', b'\\"}}'),
    (b'"}}', b'"}   }'),
    (b'"}}', b'","x":"y"}}'),
    (b'"}}', b'"}} '),
    (b'"text":"', b'"text":"\\'),
    (b'"text":"', b'"text":"\\ud83d'),
    (b'"text":"', b'"text":"\xc3'),
    (b'"text":"', b'"text":"\r'),
    (b'"text":"', b'"text":"\t'),
    (b'"text":"', b'"text":"\0'),
    (b'"text":"', b'"text":"x","text":"'),
    (b"\n\n", b"\n"),
    (b"\n\n", b"\n\n\n"),
    (b"\n\n", b"\r\n\r\n"),
    (b"\n\n", b"\n: remark\n\n"),
    (b"event: content_block_delta", b"event: ping"),
    (b"event: content_block_delta", b"id: 1\nevent: content_block_delta"),
    (b"data: {", b"data:{"),
)
LONG = 40


def grown(body: bytes) -> bytes:
    """The same with each of its deltas many times."""
    events = body.split(b"\n\n")
    is_delta = [(b"_delta" in event and b"message_delta" not in event) or b'"content":"' in event for event in events]
    return b"\n\n".join(event for event, many in zip(events, is_delta, strict=True) for _ in range(LONG if many else 1))


def read_plain(wire: Wire, body: bytes, cuts: tuple[int, ...] = ()) -> tuple[object, ...]:
    """The same as `read`, each part of the body offered to the fold before it is decoded."""
    fold, texts, pieces, decoder = FOLDS[wire](), "", 0, SSEDecoder()

    def take(events: list[ServerSentEvent]) -> None:
        nonlocal texts, pieces
        for event in events:
            pieces += fold.feed(event.data) is Kind.CONTENT
            texts += fold.last_text

    try:
        for part in (body[start:end] for start, end in pairwise((0, *cuts, len(body)))):
            run, taken = fold.feed_plain(part) if decoder.is_between_events else ([], 0)
            assert bool(run) == bool(taken)
            pieces, texts = pieces + len(run), texts + "".join(run)
            take(decoder.feed(part[taken:]))
        take(decoder.close())
        result: object = fold.message()
    except (ProtocolError, StreamError, Truncated) as exc:
        result = (type(exc), str(exc))
    return result, fold.content_characters, fold.received_tokens, pieces, texts


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


@pytest.mark.parametrize("name", [name for wire, name in BODIES if wire is Wire.MESSAGES])
def test_plain_bytes_give_what_their_events_would_give(name: str) -> None:
    """However the body is cut: the same message, as many pieces, the same text; of broken bodies the same error."""
    chance = Random(11)
    body = grown(BODIES[Wire.MESSAGES, name])
    for old, new in (*TURNS, *TURNS_OF_BYTES):
        places = [place for place in range(len(body)) if body.startswith(old, place)]
        for place in chance.sample(places, min(3, len(places))):
            broken = body[:place] + new + body[place + len(old) :]
            cuts = tuple(sorted({0, *chance.sample(range(len(broken)), 5)} - {0}))
            at_events = tuple(match.end() for match in re.finditer(b"\n\n", broken))[:: LONG // 4]
            expected = read(Wire.MESSAGES, broken, in_runs=False)
            assert read_plain(Wire.MESSAGES, broken, cuts) == expected, (broken, cuts)
            assert read_plain(Wire.MESSAGES, broken, at_events) == expected, broken


@pytest.mark.parametrize("padding", ["", " ", "        "])
def test_plain_pieces_are_read_out_of_the_bytes(padding: str) -> None:
    """All of them, also where the API hides their length behind spaces, up to what is something else."""
    texts = ["a", '"quoted"', "back\\slash", "\\", "line\nbreak", "\u2028", "caf\u00e9", ""] * 20
    fold = MessageFold()
    fold.feed(b'{"type":"message_start","message":{"id":"msg_1"}}')
    fold.feed(b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}')
    run = b"".join(delta(text, padding) for text in texts)
    stop = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    assert fold.feed_plain(run + stop) == (texts, len(run))
    assert fold.last_text == texts[-1]
    assert fold.content_characters == len("".join(texts))


@pytest.mark.parametrize("kept", [1, 20, 60])
def test_what_a_read_has_torn_keeps_nothing_else_back(kept: int) -> None:
    """The pieces before it are read out of the bytes; it is left for the decoder."""
    fold = MessageFold()
    fold.feed(b'{"type":"message_start","message":{"id":"msg_1"}}')
    fold.feed(b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}')
    run = b"".join(delta(text, "") for text in "abc")
    assert fold.feed_plain(run + delta("torn", "")[:kept]) == (["a", "b", "c"], len(run))


def delta(text: str, padding: str) -> bytes:
    data = orjson.dumps({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
    return b"event: content_block_delta\ndata: " + data[:-1] + padding.encode() + b"}\n\n"


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
