"""What the rules that ended answers have saved, and against what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from batchrun.outcome import Outcome
from batchrun.report.early import EarlyEndsSum
from batchrun.report.facts import report_facts
from batchrun.report.night import How, Night, NightRun
from batchrun.report.summary import Summary, summarise
from batchrun.report.text import report_page
from tests.report.lines import lines, said
from tests.report.nights import failed, outcome, stamp

RUN = NightRun("run-1", How.ENDED, stamp(0), stamp(60), 60.0, 9, 9, "claude-haiku-5-5", 0, "finished", retried={})


def ended(id: str, tokens: int, rule: str = "max_chars", saved: int = 2000, **changes: Any) -> Outcome:
    """An answer that was ended by a rule."""
    plain = outcome(id)
    early: dict[str, Any] = {"stop_reason": f"stop_rule:{rule}", "saved_tokens": saved, "flags": ("usage_estimated",)}
    return replace(plain, measure=replace(plain.measure, tokens=tokens), **(early | changes))


def summary(*outcomes: Outcome) -> Summary:
    return summarise(
        Night("jobs.jsonl", "batchrun run jobs.jsonl", (RUN,), len(outcomes), stamp(90)), lines(*outcomes), []
    )


def words(*outcomes: Outcome) -> str:
    found = summary(*outcomes)
    assert found.early is not None
    return found.early.words


def test_what_was_saved_is_told_against_the_limit_and_against_the_others() -> None:
    """Against max_tokens it is much, but nobody would have used that up; the others say what an item takes."""
    told = words(ended("a", 50), ended("b", 30, "json_closed"), ended("c", 40), outcome("d"), outcome("e"))
    assert told == (
        "3 items ended by a rule (max_chars 2, json_closed 1) after 120 tokens (estimated); "
        "saved 6,000 against max_tokens, about 1,080 against the 400 of items that went on"
    )


def test_where_a_rule_ended_everything_there_is_nothing_to_compare_with() -> None:
    """An unknown is told as such."""
    told = words(ended("a", 50))
    assert told.startswith("1 item ended by a rule (max_chars 1) after 50 tokens (estimated); saved 2,000")
    assert told.endswith("nothing else ended by itself, so there is no usual length to compare with")


def test_a_rule_that_ends_the_longest_only_saves_nothing_against_the_others() -> None:
    """No negative saving is told in words."""
    told = words(ended("a", 1000), outcome("b"))
    assert told.endswith("saved 2,000 against max_tokens, nothing against the 400 of items that went on")


def test_a_night_without_early_ends_says_nothing_of_them() -> None:
    """Neither the page nor the object."""
    found = summary(outcome("a"), failed("b", "silent", "not a byte"))
    assert (found.early, report_facts(found)["early"]) == (None, None)
    assert "ended early" not in said(report_page(found, 80))


def test_the_page_and_the_object_tell_it() -> None:
    """The rules by their number; figures rounded."""
    found = summary(ended("a", 50), ended("b", 50, "json_closed"), ended("c", 51, "json_closed"), outcome("d"))
    assert "\nended early | 3 items ended by a rule (json_closed 2, max_chars 1)" in said(report_page(found, 80))
    assert report_facts(found)["early"] == {
        "items": 3,
        "rules": {"json_closed": 2, "max_chars": 1},
        "tokens": 151,
        "saved_of_limit": 6000,
        "mean": 400.0,
        "saved_of_mean": 1049.0,
    }


def test_a_failure_is_neither_an_early_end_nor_a_measure_for_one() -> None:
    """An answer that was kept counts once it is delivered."""
    kept = ended("a", 50, status="failed", final=False, error={"cause": "sink", "message": "no"})
    assert summary(kept, outcome("b")).early is None
    delivered = summary(kept, ended("a", 50), outcome("b"), failed("c", "silent", "not a byte"))
    assert delivered.early is not None
    assert (delivered.early.items, delivered.early.mean) == (1, 400.0)


@pytest.mark.parametrize(("flags", "odd"), [(("usage_estimated",), []), (("usage_estimated", "no_done"), ["no_done"])])
def test_an_estimate_of_our_own_making_is_nothing_odd(flags: tuple[str, ...], odd: list[str]) -> None:
    """Where we ended the answer ourselves nobody could tell the usage; elsewhere a provider should have."""
    found = summary(ended("a", 50, flags=flags), *(outcome(str(number)) for number in range(3)))
    assert [look.reason.split(" ")[0] for look in found.look_at] == odd
    other = summary(outcome("a", flags=("usage_estimated",)))
    assert [look.reason for look in other.look_at] == ["usage_estimated (1 item)"]


def test_the_sum_shows_itself_in_one_line() -> None:
    """For whoever debugs it."""
    early = EarlyEndsSum()
    early.take("stop_rule:regex", 5, 7)
    early.take("end_turn", 5, 0)
    assert repr(early) == "<EarlyEndsSum 1 items, 1 others>"
