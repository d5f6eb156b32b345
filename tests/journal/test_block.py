"""Many lines read at once are what each of them says, or nobody's: a reader that is fast must not be another reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.journal.block import Block, read_block
from batchrun.journal.record import checkpoint_line, checkpoint_of, encode_line, parse
from batchrun.outcome import Measure, Outcome, Status
from tests.journal.builders import failure, outcome

REQUEST = "0123456789abcdef"
# What could be taken for the record's own keys where somebody looks for their text only.
SNARES = [
    "a",
    'a","status":"done',
    ',"request":"' + REQUEST,
    '","result":[1,2],"started":"',
    "\\",
    "\n",
    "ä\u2028\x7f",
    "",
]
TEXTS = st.one_of(st.sampled_from(SNARES), st.text(max_size=9))
ERRORS = st.dictionaries(
    st.sampled_from(["cause", "message", "request", "result", "crc"]), st.one_of(TEXTS, st.just([1, 2])), max_size=4
)
OUTCOMES = st.builds(
    outcome,
    id=TEXTS,
    status=st.sampled_from(Status),
    final=st.booleans(),
    request=st.sampled_from([REQUEST, "f" * 16, "F" * 16, "no fingerprint"]),
    error=st.one_of(st.none(), ERRORS),
    stop_reason=st.one_of(st.none(), TEXTS),
    backend=TEXTS,
    measure=st.builds(Measure, wall=st.floats(0, 1e6), tok_s=st.just(float("nan"))),
    retried=st.dictionaries(TEXTS, st.integers(0, 9), max_size=2),
    flags=st.lists(TEXTS, max_size=2).map(tuple),
)


def lines_of(*outcomes: Outcome, length: int = 10) -> list[bytes]:
    """Checkpoint lines whose results stand one behind the other."""
    return [checkpoint_line(checkpoint_of(each, place * length, length)) for place, each in enumerate(outcomes)]


def singly(lines: list[bytes]) -> list[dict[str, Any]]:
    names = ("id", "request", "status", "final", "result")
    return [{name: parse(line)[name] for name in names} for line in lines]


def at_once(block: Block) -> list[dict[str, Any]]:
    rows = zip(block.ids, block.requests, block.endings, block.offsets, block.lengths, strict=True)
    return [
        {"id": id, "request": request, "status": status, "final": final, "result": [offset, length]}
        for id, request, (status, final), offset, length in rows
    ]


PLAIN = lines_of(
    outcome("a", request=REQUEST),
    failure("köln/ß", request=REQUEST, retried={"silent": 8}),
    outcome("c", request=REQUEST, flags=("no_message_stop",), error={"cause": "x", "request": REQUEST}),
)


def test_plain_lines_are_read_at_once() -> None:
    """What a run writes for ordinary ids is plain, whatever else the record has to say."""
    block = read_block(b"".join(PLAIN))
    assert block is not None
    assert at_once(block) == singly(PLAIN)
    assert (block.start, block.end) == (0, 30)


@given(st.lists(OUTCOMES, min_size=1, max_size=4))
def test_what_is_read_at_once_is_what_each_line_says(outcomes: list[Outcome]) -> None:
    """Whatever a record holds: texts that look like keys, letters that need escapes, numbers that are none."""
    lines = lines_of(*outcomes)
    block = read_block(b"".join(lines))
    assert block is None or at_once(block) == singly(lines)


def test_no_changed_byte_is_read_over() -> None:
    """Each byte of a block, changed: the CRC does not fit, and nothing is read."""
    whole = b"".join(PLAIN)
    for place in range(len(whole)):
        for byte in (whole[place] ^ 1, ord("\n"), ord("0"), 0):
            if byte != whole[place]:
                assert read_block(whole[:place] + bytes([byte]) + whole[place + 1 :]) is None


def test_a_block_is_whole_lines_or_nothing() -> None:
    """Cut at every byte, at either end, and with bytes glued to it."""
    whole = b"".join(PLAIN)
    ends = [len(b"".join(PLAIN[:count])) for count in range(4)]
    for cut in range(len(whole) + 1):
        assert (read_block(whole[:cut]) is not None) == (cut in ends[1:])
        assert (read_block(whole[cut:]) is not None) == (cut in ends[:-1])
    assert [read_block(junk + whole) or read_block(whole + junk) for junk in (b"\0", b"\n", b"{", b'{"id":"a')] == [
        None
    ] * 4


ORDINARY = {"id": "a", "status": "done", "final": True, "tokens": 1, "request": REQUEST, "result": [0, 9]}
ORDINARY |= {"started": ""}


@pytest.mark.parametrize(
    "change", [{"status": "dreaming"}, {"status": "Done"}, {"final": 1}, {"result": [0, -1]}, {"result": [0, 0]}]
)
def test_sealed_lines_of_another_kind_are_left_to_others(change: dict[str, Any]) -> None:
    """An unknown status, a result that is none; another order of keys."""
    assert read_block(encode_line(ORDINARY)) is not None
    assert read_block(encode_line(ORDINARY | change)) is None
    assert read_block(encode_line(dict(reversed(ORDINARY.items())))) is None


def test_results_with_a_gap_between_them_are_left_to_others() -> None:
    """In the gap a result without its checkpoint may stand (C6)."""
    assert read_block(PLAIN[0] + PLAIN[2]) is None
    assert read_block(PLAIN[1] + PLAIN[0]) is None
    assert read_block(PLAIN[0] + PLAIN[0]) is None
