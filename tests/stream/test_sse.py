"""F26: the decoder against the rules for event streams, however the bytes are cut."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.stream import sse
from batchrun.stream.sse import BOM, ProtocolError, ServerSentEvent, SSEDecoder

MEGABYTE = 1024 * 1024
UNICODE_BREAKS = "one\u2028two\u0085three\u2029four\x0bfive\x0csix\x1cseven".encode()

# What a body says, as (name, data) of each of its events.
CORPUS: dict[str, tuple[bytes, list[tuple[bytes, bytes]]]] = {
    "LF": (b"event: a\ndata: 1\n\ndata: 2\n\n", [(b"a", b"1"), (b"", b"2")]),
    "CR": (b"event: a\rdata: 1\r\rdata: 2\r\r", [(b"a", b"1"), (b"", b"2")]),
    "CRLF": (b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [(b"a", b"1"), (b"", b"2")]),
    "all three line ends in one body": (
        b"data: 1\r\ndata: 2\rdata: 3\n\r\ndata: 4\r\r",
        [(b"", b"1\n2\n3"), (b"", b"4")],
    ),
    "LF CR is two line ends": (b"data: 1\n\rdata: 2\n\n", [(b"", b"1"), (b"", b"2")]),
    "byte order mark": (BOM + b"data: 1\n\n", [(b"", b"1")]),
    "byte order mark, then a name": (BOM + b"event: a\r\ndata: 1\r\n\r\n", [(b"a", b"1")]),
    "a second byte order mark belongs to the field": (BOM + BOM + b"data: 1\n\ndata: 2\n\n", [(b"", b"2")]),
    "a byte order mark later on is text": (b"data: 1\n\ndata: " + BOM + b"2\n\n", [(b"", b"1"), (b"", BOM + b"2")]),
    "only a byte order mark": (BOM, []),
    "half a byte order mark": (BOM[:2] + b"data: 1\n\n", []),
    "comments": (b": hello\n:\ndata: 1\n:between\ndata: 2\n\n: end\n", [(b"", b"1\n2")]),
    "several data lines": (b"data: 1\ndata:\ndata: 2\n\n", [(b"", b"1\n\n2")]),
    "no space after the colon": (b"event:a\ndata:1\n\n", [(b"a", b"1")]),
    "two spaces after the colon": (b"data:  1\n\n", [(b"", b" 1")]),
    "a tab after the colon": (b"data:\t1\n\n", [(b"", b"\t1")]),
    "a colon in the value": (b"data: a:b: c\n\n", [(b"", b"a:b: c")]),
    "a space before the colon is another field": (b"data : 1\ndata: 2\n\n", [(b"", b"2")]),
    "fields are case-sensitive": (b"Data: 1\ndata: 2\n\n", [(b"", b"2")]),
    "breaks that only text knows": (b"data: " + UNICODE_BREAKS + b"\n\n", [(b"", UNICODE_BREAKS)]),
    "letters of two to four bytes": ("data: é€😀\n\n".encode(), [(b"", "é€😀".encode())]),
    "bytes that are no text": (b"data: \xff\xfe\x00\n\n", [(b"", b"\xff\xfe\x00")]),
    "no blank line at the end": (b"data: 1\n\ndata: 2\n", [(b"", b"1"), (b"", b"2")]),
    "no line end at the end": (b"data: 1\n\ndata: 2", [(b"", b"1"), (b"", b"2")]),
    "a CR at the end": (b"data: 1\r\n\r\ndata: 2\r", [(b"", b"1"), (b"", b"2")]),
    "data without a colon": (b"data\n\n", [(b"", b"")]),
    "twice data without a colon": (b"data\ndata\n\n", [(b"", b"\n")]),
    "empty data": (b"event: a\ndata:\n\n", [(b"a", b"")]),
    "a name without data is no event": (b"event: a\n\ndata: 1\n\n", [(b"", b"1")]),
    "the last name counts": (b"event: a\nevent: b\ndata: 1\n\n", [(b"b", b"1")]),
    "a ping's words": (b"event: ping\ndata: still here\n\ndata: 1\n\n", [(b"ping", b""), (b"", b"1")]),
    "a ping's object": (b'event: ping\ndata: {"type": "ping"}\n\n', [(b"ping", b'{"type": "ping"}')]),
    "unknown fields": (b"id: 7\nretry: 10\nfoo: bar\nbar\ndata: 1\n\n", [(b"", b"1")]),
    "blank lines only": (b"\n\r\n\r\n\n\r", []),
    "nothing": (b"", []),
}


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


def cut(body: bytes, *offsets: int) -> list[bytes]:
    return [body[begin:end] for begin, end in pairwise((0, *offsets, len(body)))]


def by_the_rules(body: bytes) -> list[ServerSentEvent]:
    """The WHATWG rules in their own order, on the whole body; at its end a last event is given out as it stands. The
    words of a ping are left out."""
    events: list[ServerSentEvent] = []
    name, data = b"", b""
    for line in [*re.split(rb"\r\n|\n|\r", body.removeprefix(BOM)), b""]:
        if not line:
            if name == b"ping" and data and data[:1] != b"{":
                data = b"\n"
            if data:
                events.append(ServerSentEvent(name, data[:-1]))
            name, data = b"", b""
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value
    return events


@pytest.mark.parametrize("case", CORPUS)
def test_a_body_says_what_the_rules_say(case: str) -> None:
    """Fed whole, each body of the corpus gives the events that stand beside it."""
    body, told = CORPUS[case]
    assert decode(body) == told
    assert by_the_rules(body) == told


@pytest.mark.parametrize("case", CORPUS)
def test_the_cuts_of_the_wire_mean_nothing(case: str) -> None:
    """Byte by byte, and cut at any one or two offsets, a body gives the same events as whole."""
    body, told = CORPUS[case]
    assert decode(*(body[at : at + 1] for at in range(len(body)))) == told
    for at in range(len(body) + 1):
        assert decode(*cut(body, at)) == told, at
    for both in combinations(range(len(body) + 1), 2):
        assert decode(*cut(body, *both)) == told, both


def test_empty_pieces_change_nothing() -> None:
    """A read that brought nothing is no line end."""
    assert decode(b"", b"data: 1\r", b"", b"\n\r", b"", b"\n") == [(b"", b"1")]


WORDS = (
    b"data",
    b"event",
    b"id",
    b":",
    b": ",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    BOM,
    b"\xef",
    b"x",
    b"\xe2\x80\xa8",
)


@given(body=st.lists(st.sampled_from(WORDS), max_size=40).map(b"".join), chance=st.randoms(use_true_random=False))
def test_any_split_of_any_body_follows_the_rules(body: bytes, chance: Random) -> None:
    """However a body made of the format's own words is split, its events are those of the rules read at leisure."""
    offsets = sorted(chance.randint(0, len(body)) for _ in range(chance.randint(0, 6)))
    assert decode(*cut(body, *offsets)) == by_the_rules(body)


@given(pieces=st.lists(st.binary(max_size=20), max_size=20))
def test_arbitrary_bytes_raise_nothing(pieces: list[bytes]) -> None:
    """Whatever bytes come, they are events or they are nothing."""
    assert decode(*pieces) == by_the_rules(b"".join(pieces))


def test_events_come_as_soon_as_they_are_whole() -> None:
    """An event is given out with the byte that ends it, not with the next event."""
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 1\n") == []
    assert decoder.feed(b"\n") == [(b"", b"1")]
    assert decoder.feed(b"data: 2\r\n\r\ndata: 3\r\n\r") == [(b"", b"2")]
    assert decoder.feed(b"\n") == [(b"", b"3")]


def test_comments_are_counted() -> None:
    """Comments prove that the peer lives; they are no events."""
    decoder = SSEDecoder()
    assert decoder.feed(b": ping\n\n: ping\n\n:\n") == []
    assert decoder.comments == 3


@pytest.mark.parametrize("piece_bytes", [MEGABYTE, 4096, 1000])
def test_a_line_of_a_megabyte_is_a_line(piece_bytes: int) -> None:
    """One event of 1 MB comes out whole."""
    line = b"0123456789abcdef" * (MEGABYTE // 16)
    body = b"event: big\ndata: " + line + b"\n\n"
    pieces = [body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes)]
    assert decode(*pieces) == [(b"big", line)]


class CountingDecoder(SSEDecoder):
    """Counts the bytes that it puts together: the only work that could grow faster than the body."""

    __slots__ = ("joined_bytes",)

    def __init__(self) -> None:
        super().__init__()
        self.joined_bytes = 0

    def _take_partial(self, data: bytes) -> bytes:
        joined = super()._take_partial(data)
        self.joined_bytes += len(joined)
        return joined


@pytest.mark.parametrize(
    ("piece", "tail"),
    [
        (b"x", b"\n\n"),
        (b"x" * 1024, b"\r\n\r\n"),
        (b"x" * 700, b"\r"),
        (b"data: x\r", b"\n"),
        (b"\r", b""),
        (b":\n", b""),
    ],
    ids=["bytes of one line", "pieces of one line", "a CR late", "a CR at each cut", "CRs only", "comments"],
)
def test_the_work_grows_with_the_bytes_and_no_faster(piece: bytes, tail: bytes) -> None:
    """No byte is copied together more than three times, however the pieces fall."""
    decoder = CountingDecoder()
    pieces = [b"data: ", *[piece] * 20_000, tail]
    for each in pieces:
        decoder.feed(each)
    decoder.close()
    assert decoder.joined_bytes <= 3 * sum(map(len, pieces))


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    """Past the limit the peer's bytes are no stream of events, whether the line ends or not."""
    piece = bytes(MEGABYTE)
    decoder = SSEDecoder()
    for _ in range(sse.MAX_EVENT_BYTES // MEGABYTE):
        decoder.feed(piece)
    with pytest.raises(ProtocolError, match="64 MB"):
        decoder.feed(piece)


@pytest.mark.parametrize(
    "line", [b"data: " + b"x" * 94 + b"\n", b"data:\n", b"data\r\n"], ids=["long", "empty", "bare"]
)
def test_an_event_without_end_is_refused_too(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that end, in an event that never does, count as much: empty ones too, for each is held."""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    decoder = SSEDecoder()
    with pytest.raises(ProtocolError):
        decoder.feed(line * 1001)


def test_the_limit_is_one_of_an_event_and_not_of_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long body of small events passes."""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    decoder = SSEDecoder()
    assert sum(len(decoder.feed(b"data: " + b"x" * 500 + b"\n\n: comment\n")) for _ in range(100)) == 100


def test_the_decoder_tells_what_it_holds() -> None:
    """Its repr fits a log line."""
    decoder = SSEDecoder()
    decoder.feed(b"data: 12345\ndata: 1")
    assert repr(decoder) == "<SSEDecoder holding 13 bytes>"
