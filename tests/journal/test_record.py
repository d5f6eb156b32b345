"""What goes into a line comes out of it again, and nothing else passes for a line."""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.journal.record import (
    BadLine,
    Checkpoint,
    Header,
    Kind,
    checkpoint_from_result,
    checkpoint_of,
    decode_header,
    decode_line,
    encode_checkpoint,
    encode_header,
    encode_line,
    encode_result,
    is_sealed,
    parse_checkpoint,
    to_json,
)
from batchrun.outcome import Measure, Outcome, Status
from tests.journal.builders import HEADER, failure, outcome

# Any text at all: Hypothesis leaves lone surrogates out unless told.
TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
NUMBER = st.floats(allow_nan=True, allow_infinity=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OUTCOMES = st.builds(
    Outcome,
    id=TEXT,
    status=st.sampled_from(Status),
    final=st.booleans(),
    measure=st.builds(
        Measure,
        wall=NUMBER,
        cpu=NUMBER,
        tok_s=NUMBER,
        ttft=st.none() | NUMBER,
        tokens=st.integers(),
        held_up=NUMBER,
    ),
    attempts=st.integers(),
    elapsed=NUMBER,
    wasted_tokens=st.integers(),
    backend=TEXT,
    model=TEXT,
    request=TEXT,
    started=TEXT,
    finished=TEXT,
    stop_reason=st.none() | TEXT,
    error=st.none() | st.dictionaries(TEXT, JSON, max_size=3),
    cost_usd=st.none() | NUMBER,
    retried=st.dictionaries(TEXT, st.integers(0, 9), max_size=2),
    flags=st.lists(TEXT, max_size=2).map(tuple),
    saved_tokens=st.integers(),
    text=TEXT,
    content=st.lists(st.dictionaries(TEXT, JSON, max_size=3), max_size=2),
    usage=st.dictionaries(TEXT, JSON, max_size=2),
    metadata=st.none() | st.dictionaries(TEXT, JSON, max_size=2),
)


@given(OUTCOMES)
def test_any_outcome_becomes_one_line_of_each_kind(any_outcome: Outcome) -> None:
    """Whatever texts and numbers an outcome holds, its lines are valid, single, and say the same."""
    result = encode_result(any_outcome)
    checkpoint = encode_checkpoint(any_outcome, 7, len(result))
    for line in (result, checkpoint):
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        json.loads(line, parse_constant=_refuse_constant)
    fields = decode_line(result)
    read = parse_checkpoint(checkpoint)
    assert (fields["id"], fields["text"]) == (any_outcome.id, any_outcome.text)
    assert (read.id, read.request, read.flags) == (any_outcome.id, any_outcome.request, any_outcome.flags)
    assert (read.status, read.final) == (any_outcome.status, any_outcome.final)


@given(OUTCOMES)
def test_a_lost_checkpoint_can_be_rebuilt_from_its_result(any_outcome: Outcome) -> None:
    """The result line holds every number of the checkpoint (C6)."""
    result = encode_result(any_outcome)
    rebuilt = checkpoint_from_result(decode_line(result), 100, len(result))
    assert rebuilt == parse_checkpoint(encode_checkpoint(any_outcome, 100, len(result)))


def test_the_checkpoint_line_has_the_keys_of_the_contract_in_their_order() -> None:
    """People and scripts read these lines; extras come last, and the CRC after everything."""
    plain = list(json.loads(encode_checkpoint(outcome("a"), 0, 1)))
    extras = {
        "retried": {"silent": 2},
        "flags": ("no_stop",),
        "measure": Measure(held_up=2.5),
        "saved_tokens": 7,
        "paid_before": True,
    }
    odd = list(json.loads(encode_checkpoint(outcome("a", **extras), 0, 1)))
    contract = (
        "id status final tokens wall cpu cores loop_cores tok_s ttft chunks attempts elapsed wasted_tokens stop_reason "
        "error cost_usd backend model request result started finished"
    )
    assert " ".join(plain) == f"{contract} crc"
    assert " ".join(odd) == f"{contract} retried flags held_up saved_tokens paid_before crc"


def test_what_the_sinks_and_the_rules_did_is_read_back() -> None:
    """Rounded like every time; 0 where nothing is said."""
    read = parse_checkpoint(
        encode_checkpoint(outcome("a", measure=Measure(held_up=2.34567), saved_tokens=7, paid_before=True), 0, 1)
    )
    assert (read.held_up, read.saved_tokens, read.paid_before) == (2.3457, 7, True)
    plain = parse_checkpoint(encode_checkpoint(outcome("a"), 0, 1))
    assert (plain.held_up, plain.saved_tokens, plain.paid_before) == (0.0, 0, False)


def test_a_record_tells_whether_an_answer_is_kept_in_it() -> None:
    """A failure with a stop reason: it was answered, and no sink took it."""
    kept = outcome("a", status=Status.FAILED, final=False, error={"cause": "sink", "message": "no"})
    for each, is_kept in ((kept, True), (failure("a"), False), (outcome("a"), False)):
        assert each.is_kept is is_kept
        assert parse_checkpoint(encode_checkpoint(each, 0, 1)).is_kept is is_kept


def test_the_result_line_begins_with_the_answer() -> None:
    """A reader of results.jsonl finds what it wants first; metadata is there where the job had some."""
    keys = list(json.loads(encode_result(outcome("a", metadata={"site": "b"}))))
    assert keys[:8] == ["id", "status", "text", "content", "stop_reason", "usage", "model", "error"]
    assert keys[-2:] == ["metadata", "crc"]
    assert "metadata" not in json.loads(encode_result(outcome("a")))


def test_the_crc_is_that_of_the_bytes_before_it() -> None:
    """Any program can check a line: CRC-32 over everything before `,"crc"`."""
    line = encode_line({"a": 1})
    assert line == b'{"a":1,"crc":"%08x"}\n' % zlib.crc32(b'{"a":1')


def test_numbers_are_rounded_to_what_a_clock_can_tell() -> None:
    """Seconds to 4 digits, CPU seconds to 6, tokens a second to 2."""
    measure = Measure(1.23456789, 0.123456789, 0.1, 0.2, 7, 5.6789, 0.98765432, 3)
    read = checkpoint_of(outcome("a", measure=measure, elapsed=9.87654321), 0, 1)
    assert (read.wall, read.cpu, read.tok_s, read.ttft, read.elapsed) == (1.2346, 0.123457, 5.68, 0.9877, 9.8765)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_that_json_lacks_is_written(number: float) -> None:
    """NaN and infinity become null (C13), also beside text that needs the slow way of writing."""
    for text in ("plain", "lone \ud800"):
        odd = outcome("a", measure=Measure(wall=number, ttft=number), cost_usd=number, usage={text: number})
        written = json.loads(encode_result(odd), parse_constant=_refuse_constant)
        assert (written["wall"], written["ttft"], written["cost_usd"]) == (None, None, None)
        assert written["usage"] == {text: None}


def test_a_number_that_was_none_reads_as_zero() -> None:
    """Sums and percentiles over checkpoints need no special case."""
    assert parse_checkpoint(encode_checkpoint(outcome("a", measure=Measure(wall=math.nan)), 0, 1)).wall == 0


def test_lone_surrogates_come_back_as_they_were() -> None:
    """Two ids that differ in half a character stay two ids."""
    ids = ["a\ud800", "a\ud801", "a\udfff"]
    assert [decode_line(encode_result(outcome(id)))["id"] for id in ids] == ids


def test_what_json_cannot_say_is_kept_as_text() -> None:
    """No value of an answer may keep the answer from being written."""
    written = json.loads(to_json({"huge": 10**40, "odd": complex(1, 2), "tuple": (1,)}))
    assert written == {"huge": 10**40, "odd": "(1+2j)", "tuple": [1]}


@pytest.mark.parametrize("depth", [100, 300, 5_000])
def test_depth_is_no_danger(depth: int) -> None:
    """An answer nested as deeply as a model likes is written; what lies too deep is replaced by a remark."""
    nested: dict[str, Any] = {}
    for _ in range(depth):
        nested = {"in": nested}
    line = encode_result(outcome("a", content=[nested]))
    assert decode_line(line)["id"] == "a"
    assert (b"too deeply" in line) == (depth > 200)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_line(junk: bytes) -> None:
    """Whatever is read, the only complaint is BadLine."""
    with pytest.raises(BadLine):
        decode_line(junk)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    """No single damaged byte passes for a record (C4)."""
    line = bytearray(encode_checkpoint(outcome("a"), 0, 1))
    line[place % (len(line) - 1)] ^= change
    assert not is_sealed(bytes(line))


@pytest.mark.parametrize("missing", ["id", "result", "status", "finished"])
def test_a_line_without_its_fields_is_no_checkpoint(missing: str) -> None:
    """A CRC that fits does not make a record."""
    fields = json.loads(encode_checkpoint(failure("a"), 0, 1))
    del fields[missing], fields["crc"]
    with pytest.raises(BadLine):
        parse_checkpoint(encode_line(fields))


def test_a_header_tells_what_file_it_heads() -> None:
    """A header is read back for its own kind and its own version only (C2)."""
    line = encode_header(Kind.RESULTS, HEADER)
    assert decode_header(line, Kind.RESULTS) == HEADER
    with pytest.raises(BadLine, match=r"checkpoint\.jsonl"):
        decode_header(line, Kind.CHECKPOINT)
    with pytest.raises(BadLine, match="version 2"):
        decode_header(encode_line({"batchrun": "results", "version": 2}), Kind.RESULTS)


def test_the_header_begins_as_the_law_says() -> None:
    """`head -1` tells what a file is."""
    fields = json.loads(encode_header(Kind.CHECKPOINT, Header("r", "s", "c", "t")))
    assert list(fields) == ["batchrun", "version", "run", "jobs_sha256", "config", "created", "simulated", "crc"]


def test_a_checkpoint_is_a_value() -> None:
    """Two readings of one line are equal, and nobody changes one."""
    line = encode_checkpoint(outcome("a"), 0, 1)
    read: Checkpoint = parse_checkpoint(line)
    assert read == parse_checkpoint(line)
    with pytest.raises(AttributeError):
        read.id = "b"  # type: ignore[misc]


def _refuse_constant(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
