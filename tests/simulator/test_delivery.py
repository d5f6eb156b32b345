"""How answers go over the wire, without a wire: pieces, times, and endings of those that are broken off."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from batchrun.simulator.answers import answer_for
from batchrun.simulator.faults import Fault, FaultKind
from batchrun.simulator.framing import LAST_CHUNK, chunk
from batchrun.simulator.repertoire import answer_script
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.script import Ending, Part, Piece, Script
from batchrun.simulator.wordings import MESSAGES
from tests.simulator.wire import body_of

PACED = Scenario(ttft=0.5, tokens_per_second=10)
ANSWER = answer_for(body_of("Hello [[tokens=10]]"))
# message_start, content_block_start, ping, ten deltas, content_block_stop, message_delta, message_stop
EVENTS = 16


def script_of(fault: Fault, scenario: Scenario = PACED, *, streamed: bool = True) -> Script:
    """The script of one answer."""
    return answer_script(Part(ANSWER, streamed, fault, scenario, "req_1", MESSAGES))


def wire_bytes(pieces: list[Piece]) -> bytes:
    """All that is sent."""
    return b"".join(data for _, data, _ in pieces)


def test_each_event_is_a_chunk_and_a_piece_of_its_own() -> None:
    """A head, the events one by one, the last chunk."""
    head, *chunks, last = list(script_of(Fault()).pieces)
    assert head[1].startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(chunks) == EVENTS
    assert last[1] == LAST_CHUNK
    for _, data, events in chunks:
        size, _, rest = data.partition(b"\r\n")
        assert events == 1
        assert data == chunk(rest[: int(size, 16)])
        assert rest[: int(size, 16)].endswith(b"}\n\n")


def test_events_come_in_the_order_of_the_api() -> None:
    """The names, and each event's type the same as its name."""
    names = []
    for _, data, _ in list(script_of(Fault()).pieces)[1:-1]:
        event, payload = data.split(b"\r\n")[1].split(b"\n", 1)
        names.append(event.removeprefix(b"event: ").decode())
        assert json.loads(payload.removeprefix(b"data: "))["type"] == names[-1]
    opening = ["message_start", "content_block_start", "ping"]
    assert names == [*opening, *["content_block_delta"] * 10, "content_block_stop", "message_delta", "message_stop"]


def test_the_pace_is_that_of_the_scenario() -> None:
    """The first token after ttft, the others a gap later each, nothing in between."""
    due = [at for at, _, _ in script_of(Fault()).pieces]
    assert due[:5] == pytest.approx([0.5] * 5)
    assert due[5:14] == pytest.approx([0.5 + 0.1 * number for number in range(1, 10)])
    assert due[14:] == pytest.approx([1.5] * 4)


def test_without_streaming_the_answer_takes_as_long() -> None:
    """One piece, when the last token would have come."""
    [(due, data, events)] = script_of(Fault(), streamed=False).pieces
    assert due == pytest.approx(1.5)
    assert events == 0
    assert json.loads(data.partition(b"\r\n\r\n")[2])["content"] == [{"type": "text", "text": ANSWER.text}]


def test_slow_takes_longer_by_the_factor() -> None:
    """All of it comes, ten times later."""
    script = script_of(Fault(FaultKind.SLOW))
    pieces = list(script.pieces)
    assert pieces[0][0] == pytest.approx(5)
    assert pieces[-1][0] == pytest.approx(15)
    assert wire_bytes(pieces) == wire_bytes(list(script_of(Fault()).pieces))
    assert [due for due, _, _ in script_of(Fault(FaultKind.SLOW), streamed=False).pieces] == [pytest.approx(15)]


def test_jitter_moves_the_gaps_and_repeats() -> None:
    """Uneven within its bounds, the same for the same request."""
    uneven = Scenario(ttft=0.5, tokens_per_second=10, jitter=0.5)
    due = [at for at, _, _ in script_of(Fault(), uneven).pieces]
    gaps = [later - earlier for earlier, later in pairwise(due[4:14])]
    assert all(0.05 <= gap <= 0.15 for gap in gaps)
    assert len(set(gaps)) > 5
    assert due == [at for at, _, _ in script_of(Fault(), uneven).pieces]


def test_without_pace_all_is_one_piece() -> None:
    """The bytes are the same as with pace."""
    [(due, data, events)] = script_of(Fault(), Scenario.load("instant")).pieces
    assert (due, events) == (0, EVENTS)
    assert data == wire_bytes(list(script_of(Fault()).pieces))


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        (FaultKind.RESET, Ending.RESET),
        (FaultKind.CUT, Ending.CLOSE),
        (FaultKind.TRUNCATED, None),
        (FaultKind.SILENCE, Ending.HANG),
    ],
)
@pytest.mark.parametrize("point", [0.0, 0.2, 0.5, 0.8, 0.999999])
def test_a_fault_lets_the_beginning_through_and_never_a_stop_reason(
    kind: FaultKind, ending: Ending | None, point: float, *, streamed: bool
) -> None:
    """Whatever the point: what is sent is a true prefix of the answer that no client can take for a whole one."""
    script = script_of(Fault(kind, point=point), streamed=streamed)
    sent = wire_bytes(list(script.pieces))
    if streamed and kind is FaultKind.TRUNCATED:
        assert sent.endswith(LAST_CHUNK)
        sent = sent.removesuffix(LAST_CHUNK)
    whole = wire_bytes(list(script_of(Fault(), streamed=streamed).pieces))
    assert whole.startswith(sent)
    assert len(sent) < len(whole)
    assert not (streamed and b'"stop_reason":"end_turn"' in sent)
    assert script.ending is (ending or (Ending.KEEP if streamed else Ending.CLOSE))


def test_a_late_fault_strikes_behind_the_text() -> None:
    """All deltas may have come: the attempt is still a broken one."""
    sent = wire_bytes(list(script_of(Fault(FaultKind.RESET, point=0.999)).pieces))
    assert sent.count(b"content_block_delta\ndata") == 10


def test_a_cut_ends_in_the_middle_of_a_chunk() -> None:
    """The last chunk announces more than comes."""
    *_, (_, torn, events) = script_of(Fault(FaultKind.CUT, point=0.5)).pieces
    size, _, rest = torn.partition(b"\r\n")
    assert events == 0
    assert 0 < len(rest) < int(size, 16)
