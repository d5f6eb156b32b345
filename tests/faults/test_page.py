"""The page of faults says what the table of verdicts says, and names for each fault who proves it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from batchrun.retry import FINAL, RULES, Action, Rule
from tests.faults.test_matrix import CASES
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "faults.md"
NUMBERS = [f"F{number}" for number in range(1, 36)]
MATRIX = "the matrix"


def table(head: str) -> list[str]:
    """The rows below the line that begins with this."""
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(head):
            next(lines)
            return list(_rows(lines))
    raise AssertionError(f"{PAGE} has no table that begins with {head!r}")


def _rows(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield line


def verdicts() -> Iterator[str]:
    """The table of `retry.py` in the words of the page."""
    for cause, rule in RULES.items():
        costs = "-" if rule.action is not Action.RETRY else "yes" if rule.costs_attempt else "no"
        waits = "-" if rule.action is not Action.RETRY else "the backend" if rule.holds_backend else "the item"
        for_good = ", for good" if cause in FINAL else ""
        yield f"| `{cause}` | {rule.action.value}{for_good} | {costs} | {waits} | {_stops(rule)} |"


def _stops(rule: Rule) -> str:
    if not rule.strikes:
        return "no"
    after = "at once" if rule.strikes == 1 else f"after {rule.strikes} in a row"
    return f"{after}, exit {int(rule.exit_code)}"


def test_the_page_has_the_verdict_on_each_failure() -> None:
    """In the words of the code; paste what is missing."""
    assert table("| failure | verdict |") == list(verdicts())


def test_the_page_has_each_fault_of_the_catalogue() -> None:
    """F1 to F35, in order."""
    assert [row.split(" | ")[0].removeprefix("| ") for row in table("| # | what happens |")] == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_each_fault_is_proven_where_the_page_says(number: str) -> None:
    """By cases of the matrix, or by a file that names it, or by both."""
    [row] = [row for row in table("| # | what happens |") if row.startswith(f"| {number} |")]
    proofs = row.rsplit(" | ", 1)[1].removesuffix(" |")
    files = re.findall(r"`([\w/.]+)`", proofs)
    is_played = any(number in case.rules for case in CASES.values())
    assert (MATRIX in proofs) == is_played
    assert is_played or files
    for name in files:
        assert re.search(rf"\b{number}\b", (ROOT / name).read_text(encoding="utf-8")), f"{name} does not name {number}"
