"""HTTP/1.1 responses: the same whole, byte by byte and cut anywhere; and where each of them ends."""

from __future__ import annotations

import httpx2
import pytest

from batchrun.providers.response_parser import MAX_HEAD_BYTES, ResponseParser

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\ndata:\r\n6;a=b\r\n one\n\n\r\n0\r\nX-Trailer: no header\r\n\r\n"
)
SIZED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\nX-Two: 1\r\nX-Two: 2\r\n\r\ndata: one\n\n"
REMARKED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CHUNKED
UNTIL_THE_END = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\ndata: one\n\n"
CLOSING = SIZED.replace(b"X-Two: 1", b"Connection: close")
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
BODY = b"data: one\n\n"

RESPONSES = {"chunked": CHUNKED, "sized": SIZED, "remarked": REMARKED, "closing": CLOSING}


def parsed(*pieces: bytes) -> tuple[ResponseParser, bytes]:
    parser, body = ResponseParser(), b""
    for piece in pieces:
        parser.feed(piece)
        body += parser.take()
    return parser, body


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
def test_a_response_is_the_same_however_it_is_cut(response: bytes) -> None:
    """Cut in two at each place, and byte by byte."""
    cuts = [(response[:place], response[place:]) for place in range(1, len(response))]
    singles = tuple(bytes([byte]) for byte in response)
    whole, _ = parsed(response)
    for pieces in (*cuts, singles):
        parser, body = parsed(*pieces)
        assert (body, parser.is_complete, parser.is_reusable) == (BODY, True, response is not CLOSING)
        assert (parser.status, parser.reason, parser.headers) == (whole.status, whole.reason, whole.headers)


def test_a_head_is_told_as_it_came() -> None:
    """Names keep their letters, repeated headers their order; a remark before the response leaves nothing behind."""
    parser, _ = parsed(SIZED)
    assert (parser.status, parser.reason) == (404, b"Not Found")
    assert parser.headers == [(b"Content-Length", b"11"), (b"X-Two", b"1"), (b"X-Two", b"2")]
    remarked, _ = parsed(REMARKED)
    assert (remarked.status, [name for name, _ in remarked.headers]) == (200, [b"Content-Type", b"Transfer-Encoding"])


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    """And with it the use of the connection."""
    parser, body = parsed(UNTIL_THE_END)
    assert (body, parser.is_complete) == (BODY, False)
    parser.end()
    assert (parser.is_complete, parser.is_reusable) == (True, False)


@pytest.mark.parametrize("place", [0, 10, len(CHUNKED) - 2])
def test_an_early_end_is_told(place: int) -> None:
    """Before the head, in it, and within the last chunk: a close in the middle is no end."""
    parser, _ = parsed(CHUNKED[:place])
    with pytest.raises(httpx2.RemoteProtocolError, match="closed the connection"):
        parser.end()


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\n\r\nmore", b"x", SIZED])
def test_what_comes_after_the_end_is_nobodys(surplus: bytes) -> None:
    """It is no part of the body, and the connection serves nobody else."""
    for parser, body in (parsed(SIZED + surplus), parsed(SIZED, surplus)):
        assert (body, parser.status, parser.is_complete, parser.is_reusable) == (BODY, 404, True, False)


def test_a_connection_serves_one_response_after_the_other() -> None:
    """Nothing of the first is left when the second begins."""
    parser, _ = parsed(SIZED)
    parser.begin()
    assert (parser.status, parser.headers, parser.is_complete) == (0, [], False)
    parser.feed(CHUNKED)
    assert (parser.take(), parser.status, parser.is_reusable) == (BODY, 200, True)


def test_responses_without_a_body_end_with_their_head() -> None:
    """By their status, or because nobody asked for a body."""
    parser, body = parsed(EMPTY)
    assert (body, parser.is_complete, parser.is_reusable) == (b"", True, True)
    head = ResponseParser()
    head.begin(is_head_only=True)
    head.feed(SIZED[: SIZED.index(BODY)])
    assert (head.take(), head.is_complete, head.is_reusable) == (b"", True, False)


@pytest.mark.parametrize(
    "nonsense", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"\x16\x03\x01"]
)
def test_what_is_no_http_is_told(nonsense: bytes) -> None:
    """Another protocol, or numbers that are none."""
    with pytest.raises(httpx2.RemoteProtocolError, match=r"no HTTP/1\.1"):
        parsed(nonsense + b"\r\n" * 3)


def test_a_head_without_an_end_is_no_way_to_fill_the_memory() -> None:
    """A peer that never ends its head is given up."""
    with pytest.raises(httpx2.RemoteProtocolError, match="KB"):
        parsed(b"HTTP/1.1 200 OK\r\n", *[b"X-Filler: " + b"x" * 8000 + b"\r\n"] * (MAX_HEAD_BYTES // 8000 + 1))
