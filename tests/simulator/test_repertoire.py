"""Each fault of the table on each wire, without a wire: what a client would get to read."""

from __future__ import annotations

import gzip
import re
from itertools import islice
from typing import Any

import orjson
import pytest

from batchrun.simulator.answers import answer_for
from batchrun.simulator.dialect import CHAT_API, MESSAGES_API, Dialect
from batchrun.simulator.faults import FAULTS, OPTIONS, Fault, FaultKind
from batchrun.simulator.framing import LAST_CHUNK
from batchrun.simulator.repertoire import PLAYS, answer_script
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.script import NO_STATUS, Ending, Part, Script
from tests.simulator.chat import chat_body
from tests.simulator.wire import body_of

INSTANT = Scenario.load("instant")
BODIES = {
    "messages": (MESSAGES_API, body_of("Hello [[tokens=10]]")),
    "chat": (CHAT_API, chat_body("Hello [[tokens=10]]")),
}
wires = pytest.mark.parametrize("wire", BODIES)
CHUNK = re.compile(rb"([0-9a-f]+)\r\n")


def script_of(wire: str, kind: FaultKind, *, streamed: bool = True, point: float = 0.5, **options: str) -> Script:
    dialect, body = BODIES[wire]
    fault = Fault(kind, point=point, options=options)
    return answer_script(
        Part(answer_of(dialect, body), streamed, fault, INSTANT, "req_1", dialect.wording(body, INSTANT))
    )


def answer_of(dialect: Dialect, body: dict[str, Any]) -> Any:
    return answer_for(dialect.request(body))


def sent(script: Script, pieces: int = 500) -> tuple[bytes, bytes]:
    """The head and the body, chunks put together; of what has no end, the beginning."""
    data = b"".join(piece for _, piece, _ in islice(script.pieces, pieces))
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return head, rest
    body = b""
    while match := CHUNK.match(rest):
        size = int(match[1], 16)
        body += rest[match.end() : match.end() + size]
        rest = rest[match.end() + size + 2 :]
    return head, body


def events_in(body: bytes) -> list[bytes]:
    return [event for event in body.split(b"\n\n") if event]


def test_the_table_and_the_repertoire_know_the_same_faults() -> None:
    """A fault that is named can be played, and its options are known."""
    assert {FaultKind.NONE, *FAULTS} == {FaultKind.STATUS, *PLAYS} == set(FaultKind)
    assert {name for row in FAULTS.values() for name in row.options} == set(OPTIONS)
    assert all(row.does for row in FAULTS.values())


@wires
@pytest.mark.parametrize("kind", [kind for kind, row in FAULTS.items() if row.streams_only])
def test_a_fault_of_streams_leaves_a_document_whole(kind: FaultKind, wire: str) -> None:
    """It means nothing there."""
    whole = sent(script_of(wire, FaultKind.NONE, streamed=False))
    assert sent(script_of(wire, kind, streamed=False)) == whole


@wires
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("kind", [kind for kind in PLAYS if kind not in (FaultKind.NONE, FaultKind.SLOW)])
def test_every_fault_can_be_seen(kind: FaultKind, wire: str, *, streamed: bool) -> None:
    """What is sent, or how it ends, differs from the whole answer."""
    if not streamed and FAULTS[kind].streams_only:
        return
    script, whole = script_of(wire, kind, streamed=streamed), script_of(wire, FaultKind.NONE, streamed=streamed)
    pieces, others = list(islice(script.pieces, 50)), list(whole.pieces)
    assert (script.status, script.ending, pieces) != (whole.status, whole.ending, others)


@wires
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.CUT, FaultKind.TRUNCATED, FaultKind.SILENCE])
def test_the_place_decides_what_is_sent(kind: FaultKind, wire: str) -> None:
    """Nothing, the head alone, half, all but the end, all but the last words."""
    dialect, body = BODIES[wire]
    wording = dialect.wording(body, INSTANT)
    events = [data.strip() for data, _ in wording.events(answer_of(dialect, body))]
    open_events = len(events) - wording.closing_events
    counts = {
        "first": 0,
        "middle": open_events // 2,
        "last": open_events,
        "stop": open_events + 1,
        "0.25": open_events // 4,
    }
    for at, count in counts.items():
        _, told = sent(script_of(wire, kind, at=at))
        whole_events = events_in(told)[: None if kind is not FaultKind.CUT else count]
        assert whole_events == events[:count], at
    script = script_of(wire, kind, at="head")
    assert script.status == NO_STATUS
    assert b"\r\n\r\n" not in b"".join(data for _, data, _ in script.pieces)


@wires
def test_a_document_is_torn_where_it_is_said(wire: str) -> None:
    """Never its last byte."""
    _, whole = sent(script_of(wire, FaultKind.NONE, streamed=False))
    for at, size in {"first": 0, "middle": len(whole) // 2, "last": len(whole) - 1, "0.1": len(whole) // 10}.items():
        assert sent(script_of(wire, FaultKind.RESET, streamed=False, at=at))[1] == whole[:size]


@wires
def test_silence_may_come_before_the_head_or_after_it(wire: str) -> None:
    """A document is silent from the start unless its head is asked for."""
    assert list(script_of(wire, FaultKind.SILENCE, streamed=False).pieces) == []
    head, body = sent(script_of(wire, FaultKind.SILENCE, streamed=False, at="first"))
    assert (head[:12], body) == (b"HTTP/1.1 200", b"")
    assert list(script_of(wire, FaultKind.SILENCE, at="head").pieces) == []


@wires
def test_what_goes_on_for_ever_does(wire: str) -> None:
    """Pings, words and blanks, at their own pace, until the client goes."""
    for kind, streamed in ((FaultKind.PINGS, True), (FaultKind.DRIP, True), (FaultKind.DRIP, False)):
        script = script_of(wire, kind, streamed=streamed, every="0.25")
        pieces = list(islice(script.pieces, 400))
        assert script.ending is Ending.HANG
        assert len(pieces) == 400
        assert {later - earlier for (earlier, _, _), (later, _, _) in zip(pieces[-9:], pieces[-8:], strict=False)} == {
            0.25
        }
        assert LAST_CHUNK not in b"".join(data for _, data, _ in pieces)


@wires
def test_a_slow_head_comes_byte_by_byte_and_then_the_answer(wire: str) -> None:
    """Nothing is missing."""
    pieces = list(script_of(wire, FaultKind.SLOW_HEAD, every="0.1").pieces)
    whole = b"".join(data for _, data, _ in script_of(wire, FaultKind.NONE).pieces)
    assert b"".join(data for _, data, _ in pieces) == whole
    assert {len(data) for _, data, _ in pieces[:-1]} == {1}
    assert pieces[-1][0] == pytest.approx(0.1 * (len(pieces) - 1))


@wires
def test_an_error_comes_in_the_middle_of_an_answer_or_in_its_place(wire: str) -> None:
    """With the type and the code that are asked for."""
    head, body = sent(script_of(wire, FaultKind.ERROR_EVENT, at="middle", type="api_error", code="odd_case"))
    *_, last = events_in(body)
    error = orjson.loads(last.partition(b"data: ")[2])["error"]
    assert head.startswith(b"HTTP/1.1 200")
    assert error["type"] == "api_error"
    assert "odd_case" in (error.get("code"), error.get("details", {}).get("error_code"))
    _, body = sent(script_of(wire, FaultKind.ERROR_EVENT, streamed=False))
    assert orjson.loads(body)["error"]["type"] == "overloaded_error"


@wires
@pytest.mark.parametrize(
    "kind", [FaultKind.CR, FaultKind.CRLF, FaultKind.BOM, FaultKind.NO_SPACE, FaultKind.SPLIT_DATA, FaultKind.COMMENTS]
)
def test_a_spelling_changes_no_word(kind: FaultKind, wire: str) -> None:
    """The JSON of every event is what it was."""

    def said(kind: FaultKind) -> list[object]:
        text = (
            sent(script_of(wire, kind))[1].removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        )
        datas = (
            b"\n".join(line[5:] for line in event.split(b"\n") if line.startswith(b"data:"))
            for event in events_in(text)
        )
        return [data.strip() if b"DONE" in data else orjson.loads(data) for data in datas if data]

    assert said(kind) == said(FaultKind.NONE)
    assert sent(script_of(wire, kind))[1] != sent(script_of(wire, FaultKind.NONE))[1]


@wires
@pytest.mark.parametrize("streamed", [True, False])
def test_gzip_packs_the_whole_body(wire: str, *, streamed: bool) -> None:
    """In one lump, with the header that says so."""
    head, body = sent(script_of(wire, FaultKind.GZIP, streamed=streamed))
    assert b"content-encoding: gzip" in head
    assert gzip.decompress(body) == sent(script_of(wire, FaultKind.NONE, streamed=streamed))[1]


@wires
def test_what_stands_in_the_place_of_an_answer(wire: str) -> None:
    """A portal's page, a redirect, nothing, the other form."""
    head, body = sent(script_of(wire, FaultKind.PORTAL))
    assert head.startswith(b"HTTP/1.1 200")
    assert b"text/html" in head
    assert b"sign in" in body
    head, _ = sent(script_of(wire, FaultKind.REDIRECT))
    assert head.startswith(b"HTTP/1.1 307")
    assert b"location: /_simulator/elsewhere" in head
    for streamed in (True, False):
        assert sent(script_of(wire, FaultKind.EMPTY, streamed=streamed))[1] == b""
        swapped = sent(script_of(wire, FaultKind.SWAPPED, streamed=streamed))
        assert swapped == sent(script_of(wire, FaultKind.NONE, streamed=not streamed))
