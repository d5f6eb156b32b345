"""Whole bodies of streams, as the embedded provider sends them, what comes of one, and how one is damaged."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from batchrun.providers.provider import Wire
from batchrun.simulator.answers import answer_for
from batchrun.simulator.dialect import CHAT_API, MESSAGES_API
from batchrun.simulator.scenario import Scenario
from batchrun.stream.folds import FOLDS
from batchrun.stream.message import Message, StreamError, Truncated
from batchrun.stream.sse import BOM, ProtocolError, SSEDecoder
from tests.simulator.chat import FORCED, chat_body
from tests.simulator.wire import body_of

_TOOL = {"name": "file", "input_schema": {"type": "object", "properties": {"pages": {"type": "integer"}}}}
_ASKED: dict[Wire, dict[str, dict[str, Any]]] = {
    Wire.MESSAGES: {
        "text": body_of("Grüße [[tokens=12]]"),
        "nothing": body_of("[[tokens=0]]"),
        "refusal": body_of("No [[refuse]]"),
        "thinking": body_of("Think [[tokens=5]]", thinking={"type": "adaptive"}),
        "tool": body_of("File", tools=[_TOOL], tool_choice={"type": "any"}),
        "pause": body_of("Search [[tokens=3]] [[stop=pause_turn]]"),
    },
    Wire.CHAT: {
        "text": chat_body("Grüße [[tokens=12]]"),
        "nothing": chat_body("[[tokens=0]]", stream_options={"include_usage": True}),
        "refusal": chat_body("No [[refuse]]"),
        "thinking": chat_body("Think [[tokens=5]]", reasoning_effort="high"),
        "tool": chat_body("File", **FORCED),
    },
}


def _body(wire: Wire, asked: dict[str, Any]) -> bytes:
    dialect = MESSAGES_API if wire is Wire.MESSAGES else CHAT_API
    wording = dialect.wording(asked, Scenario())
    return b"".join(data for data, _ in wording.events(answer_for(dialect.request(asked))))


BODIES: dict[tuple[Wire, str], bytes] = {
    (wire, name): _body(wire, asked) for wire, named in _ASKED.items() for name, asked in named.items()
}

Result = Message | tuple[str, str]

# What an event stream and the events in it are made of: where these stand wrongly it matters most.
_WORDS = (
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"data: ", b"data:", b"event: ", b": ", b":", BOM, b"\xe2\x80\xa8", b"\xff"),
    *(b"{", b"}", b"[", b"]", b'"', b",", b"null", b"0", b"-1", b"1e999", b'""', b"[DONE]", b"\\u0000", b"\\ud800"),
    *(b'"type":"error"', b'"index":7', b'"stop_reason":"end_turn"', b'"delta":null', b'"choices":[]', b'"usage":3'),
)


def read(wire: Wire, pieces: Iterable[bytes]) -> Result:
    """The message that comes of a body, or the name and the words of what it is instead. Anything else is raised."""
    decoder, fold = SSEDecoder(), FOLDS[wire]()
    try:
        for piece in pieces:
            for event in decoder.feed(piece):
                fold.feed(event.data)
        for event in decoder.close():
            fold.feed(event.data)
        return fold.message()
    except (ProtocolError, Truncated, StreamError) as exc:
        assert fold.received_tokens >= 0
        return type(exc).__name__, str(exc)


def split(body: bytes, chance: Random, most: int = 8) -> list[bytes]:
    """The body in a few pieces, some of them empty."""
    cuts = sorted(chance.randint(0, len(body)) for _ in range(chance.randint(0, most)))
    return [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def damaged(body: bytes, chance: Random) -> bytes:
    """The body after one to six mishaps: bytes lost, doubled, changed, moved, or words where they do not belong."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(body))
        end = min(len(body), at + chance.choice((1, 2, 7, 40, 300)))
        part, word = body[at:end], chance.choice(_WORDS)
        body = chance.choice(
            (
                body[:at] + body[end:],
                body[:at],
                body[:at] + part + body[at:],
                body[:at] + word + body[at:],
                body[:at] + word + body[end:],
                body[:at] + chance.randbytes(len(part)) + body[end:],
                part + body[:at] + body[end:],
            )
        )
    return body
