"""docs/format.md is the law: its examples are real, its numbers are those that the code cites."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from batchrun.journal.record import Kind, checkpoint_from_result, decode_header, decode_line, parse_checkpoint
from batchrun.journal.state import StateDir
from batchrun.spent import Spent

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
EXAMPLES = [line.encode() + b"\n" for line in PAGE.splitlines() if line.startswith('{"')]


def test_the_examples_are_real_lines() -> None:
    """Whoever builds a reader from the page can test it with the page."""
    heads = [decode_header(EXAMPLES[place], kind) for place, kind in ((0, Kind.CHECKPOINT), (3, Kind.RESULTS))]
    assert heads[0] == heads[1]
    assert [parse_checkpoint(line).id for line in EXAMPLES[1:3]] == ["meteo/köln", "meteo/bonn"]
    assert [decode_line(line)["event"] for line in EXAMPLES[5:]] == ["start", "end"]


def test_the_example_checkpoint_points_to_the_example_result() -> None:
    """Offset and length are counted in bytes, newline included."""
    checkpoint, header, result = parse_checkpoint(EXAMPLES[1]), EXAMPLES[3], EXAMPLES[4]
    assert checkpoint.result == (len(header), len(result))
    assert checkpoint == checkpoint_from_result(decode_line(result), len(header), len(result))


def test_each_key_of_the_example_is_explained() -> None:
    """No key of a checkpoint stands there without its meaning."""
    table = PAGE[PAGE.index("| key | meaning |") : PAGE.index("### results.jsonl")]
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))))
    keys = set(decode_line(EXAMPLES[1])) | {"flags", "held_up", "saved_tokens", "paid_before"}
    assert named == keys


def test_each_key_of_what_a_run_spent_is_explained() -> None:
    """As the end of a run, telemetry and status.json have it."""
    begin = PAGE.index("The end says in `spent`")
    rows = [row for row in PAGE[begin : PAGE.index("### The others")].splitlines() if row.startswith("| `")]
    assert re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in rows)) == list(Spent().told())


def test_each_file_of_a_state_is_named() -> None:
    """Whoever looks into the directory finds out what lies there, and what becomes of it without."""
    named = re.findall(r"`([^`]+)`", PAGE[PAGE.index("| file |") : PAGE.index("Only the first two")])
    places = [name for name, member in vars(StateDir).items() if isinstance(member, property)]
    assert {getattr(StateDir(Path()), name).name for name in places} <= set(named)


RULES = dict(re.findall(r"^\*\*(C\d+)\..*?\*\((.*?)\)\*$", PAGE, re.MULTILINE | re.DOTALL))
ROOM = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "batchrun" / "journal").glob("*.py")}


def cited_in(text: str) -> set[str]:
    return set(re.findall(r"\bC\d+\b", text))


def test_the_page_has_the_sixteen_rules() -> None:
    """In their order, without a gap; each says what MUST be and what is lost where it is broken."""
    assert list(RULES) == [f"C{number}" for number in range(1, 17)]
    paragraphs = {text.partition(".")[0]: text for text in PAGE.split("\n\n**") if re.match(r"C\d+\.", text)}
    assert [number for number in RULES if "Broken:" not in paragraphs[number]] == []
    assert [number for number in RULES if "MUST" not in paragraphs[number]] == []


@pytest.mark.parametrize("number", RULES)
def test_each_rule_is_cited_by_the_code_that_keeps_it(number: str) -> None:
    """The modules that the page names are there, and each of them says by the number what it does it for."""
    silent = [module for module in re.split(r",\s+", RULES[number]) if number not in cited_in(ROOM[module])]
    assert silent == []


def test_the_code_cites_no_rule_that_the_page_does_not_have() -> None:
    """A number in the code can be looked up."""
    assert {number for text in ROOM.values() for number in cited_in(text)} == set(RULES)
