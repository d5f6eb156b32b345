"""Pieces that stand one after the other in a stream: what an answer is made of, read at a quarter of the cost.

Out of events each function gives the pieces from `place` on, up to the first that is anything but a plain piece; out of
bytes all or none. What is no piece, and whether it is sound, a fold says that is fed with it: nothing is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import orjson

from batchrun.stream.sse import ServerSentEvent

# Pieces in a run. A slow sink is handed one after the other, and all of them are held meanwhile beside the answer.
LONGEST = 64
_NO_PIECE = (orjson.JSONDecodeError, LookupError, TypeError, AttributeError)

_DELTA = b"event: content_block_delta\n"
_LINES = 3  # of an event: its name, its data, an empty one
# The delta that makes a block grow, by the type of the block, and the field of the delta in which the piece stands.
GROWTH = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def pieces_of_block(events: Sequence[ServerSentEvent], place: int, index: int, growth: tuple[str, str]) -> list[str]:
    """On the wire of the Messages API, the pieces of the block of that index, which grows so."""
    kind, name = growth
    pieces: list[str] = []
    try:
        for nth in range(place, min(len(events), place + LONGEST)):
            event = orjson.loads(events[nth][1])
            delta = event["delta"]
            piece = delta[name]
            is_piece = delta["type"] == kind and event["type"] == "content_block_delta"
            if not is_piece or event["index"] != index or type(piece) is not str:
                break
            pieces.append(piece)
    except _NO_PIECE:
        pass
    return pieces


def pieces_in(data: bytes, index: int, growth: tuple[str, str]) -> tuple[list[str], int]:
    """The same out of the bytes of a stream, which begin with an event: the pieces at their head, and how many bytes
    these take. Where anything looks otherwise than the Messages API writes it there are none."""
    end = _end_of_last(data)
    found = _plain_delta(index, *growth).findall(data, 0, end)
    # Each begins a line and ends with one: if all line ends are theirs, so is every byte.
    if not found or data.count(b"\n", 0, end) != _LINES * len(found):
        return [], 0
    try:
        # No quotation mark in any of them is its end, so they cannot run into each other.
        pieces: list[str] = orjson.loads(b'["%b"]' % b'","'.join(found))
    except orjson.JSONDecodeError:
        return [], 0
    return pieces, end


def _end_of_last(data: bytes) -> int:
    """Where the last delta ends that is there to its end; 0 where there is none."""
    last = data.rfind(_DELTA)
    end = data.find(b"\n\n", last) if last >= 0 else -1
    if last > 0 and end < 0:
        last = data.rfind(_DELTA, 0, last)
        end = data.find(b"\n\n", last) if last >= 0 else -1
    return end + 2 if end >= 0 else 0


@lru_cache(maxsize=64)
def _plain_delta(index: int, kind: str, name: str) -> re.Pattern[bytes]:
    # The API writes spaces behind an event so that its length does not tell that of the piece. Nothing is tried twice
    # (the `+` behind a `*`): the places to go back to would take a hundred bytes an escape.
    form = (
        rb'^event: content_block_delta\ndata: \{"type":"content_block_delta","index":%d,"delta":\{"type":"%b","%b":'
        rb'"([^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+)"\} *\}\n\n'
    )
    return re.compile(form % (index, kind.encode(), name.encode()), re.MULTILINE)


def texts_of_choice(events: Sequence[ServerSentEvent], place: int) -> list[str]:
    """On the wire of chat completions, the pieces of the only choice."""
    texts: list[str] = []
    try:
        for nth in range(place, min(len(events), place + LONGEST)):
            event = orjson.loads(events[nth][1])
            [choice] = event["choices"]
            delta = choice["delta"]
            text = delta["content"]
            is_alone = len(delta) == 1 or (len(delta) == 2 and "role" in delta)
            has_more = choice.get("finish_reason") or choice.get("index") or event.get("usage") or "error" in event
            if not is_alone or has_more or event.get("object") == "error" or type(text) is not str or not text:
                break
            texts.append(text)
    except (*_NO_PIECE, ValueError):
        pass
    return texts
