"""The night in one value and one sentence, for nights of every kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from batchrun.outcome import Measure, Outcome, Status
from batchrun.report.census import Totals
from batchrun.report.facts import report_facts
from batchrun.report.headline import headline
from batchrun.report.job_file import JobFileNow
from batchrun.report.night import How, Night, NightRun
from batchrun.report.stalls import UNKNOWN
from batchrun.report.summary import Summary, summarise
from batchrun.report.text import report_page
from tests.report.lines import lines, said
from tests.report.nights import failed, outcome, stamp

RUN = NightRun(
    "run-1", How.ENDED, stamp(0), stamp(2460), 2460.0, 300, 300, "claude-haiku-5-5", 0, "finished", retried={}
)


def night(*runs: NightRun, total: int | None = 300, until: str = stamp(3000)) -> Night:
    return Night("jobs.jsonl", "batchrun run jobs.jsonl", runs or (RUN,), total, until)


def summary(*outcomes: Outcome, of: Night | None = None) -> Summary:
    return summarise(of or night(total=len(outcomes)), lines(*outcomes), [])


def test_a_good_night_in_one_sentence() -> None:
    """What was answered, how long it took, what failed, what is left."""
    answered = [outcome(f"item-{number}", 60 + number) for number in range(298)]
    bad = [failed("x", "bad_request", "no"), failed("y", "bad_request", "no")]
    assert headline(summary(*answered, *bad)) == "298 of 300 items answered in 41 min; 2 failed; nothing pending."


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (summary(of=night(total=0)), "The job file holds no items."),
        (summary(outcome("a")), "1 of 1 item answered in 41 min; nothing pending."),
        (summary(failed("a", "bad_request", "no")), "0 of 1 item answered in 41 min; 1 failed; nothing pending."),
        (summary(of=night(total=300)), "0 of 300 items answered; 300 pending."),
        (
            summary(outcome("a"), of=night(total=None)),
            "1 of 1 item answered in 41 min; how many are pending is not known.",
        ),
        (
            summary(outcome("a"), of=night(replace(RUN, how=How.RUNNING, exit_code=None))),
            "1 of 300 items answered so far, after 41 min; 299 pending.",
        ),
        (
            summary(outcome("a", -600), outcome("b"), of=night(total=2)),
            "2 of 2 items answered, 1 of them this night in 41 min; nothing pending.",
        ),
        (
            summary(outcome("a", -600), of=night(total=2)),
            "1 of 2 items answered, none of them this night; 1 pending.",
        ),
        (
            summary(outcome("a", status=Status.REFUSED), outcome("b", status=Status.INCOMPLETE)),
            "0 of 2 items answered in 41 min; 1 refused; 1 incomplete; nothing pending.",
        ),
    ],
)
def test_every_kind_of_night_has_its_sentence(found: Summary, sentence: str) -> None:
    """No items, one item, all failed, nothing finished, still running, an earlier night's answers."""
    assert headline(found) == sentence


def test_every_kind_of_night_can_be_drawn_and_dumped() -> None:
    """No division by nothing, whatever there is none of; what to do next stands last."""
    nights = [summary(), summary(of=night(total=None)), summary(of=Night("j", "c", (), None, stamp(0)))]
    nights += [summary(outcome("a")), summary(failed("a", "silent", "", final=False))]
    nights += [summary(outcome("a", measure=Measure(), elapsed=0.0), of=night(replace(RUN, seconds=0.0)))]
    for found in nights:
        page = said(report_page(found, 80))
        assert found.resume.why.lower() in page.lower().splitlines()[-1 if found.resume.command is None else -2]
        assert report_facts(found)["schema"] == "batchrun.report/1"


def test_failures_are_told_by_cause_with_examples_and_the_message() -> None:
    """The most frequent cause first, three ids of each."""
    found = summary(
        *(failed(f"slow-{number}", "silent", "not a byte for 60 s", final=False) for number in range(5)),
        failed("huge", "bad_request", "max_tokens is too large"),
        outcome("short", status=Status.INCOMPLETE, stop_reason="max_tokens"),
    )
    silent, bad = found.causes
    assert (silent.name, silent.count, silent.message) == ("silent", 5, "not a byte for 60 s")
    assert silent.examples == ("slow-4", "slow-3", "slow-2")
    assert (bad.name, bad.examples) == ("bad_request", ("huge",))
    assert [(kind.name, kind.examples) for kind in found.others] == [("incomplete", ("short",))]
    page = said(report_page(found, 80))
    assert "Failed: 6; 5 to be asked again" in page
    assert "silent | 5 | slow-4, slow-3, slow-2, ...: not a byte for 60 s" in page


def test_answers_that_no_sink_took_are_not_said_to_be_asked_again() -> None:
    """They are paid; the sinks have a line of their own among what may have stalled."""
    kept: dict[str, Any] = {"stop_reason": "end_turn", "measure": Measure(wall=4.0, held_up=3.0, tokens=7)}
    found = summary(failed("a", "sink", "no disk", final=False, **kept), failed("b", "silent", "", final=False))
    page = said(report_page(found, 80))
    assert "Failed: 2; 1 to be asked again and 1 kept answer to be delivered, not asked again" in page
    assert "your sinks | the sinks held items up for 3.0 s in all, and were what limited 1 item: a (3.0 s)" in page
    facts = report_facts(found)
    assert (facts["totals"]["again"], facts["totals"]["kept"]) == (2, 1)
    assert facts["flavours"]["consumer"]["happened"]
    assert "your sinks" not in said(report_page(summary(outcome("a")), 80))


def test_a_night_whose_sink_was_broken_was_no_slow_night() -> None:
    """Its answers came as fast as any; none of their tokens is wasted."""
    kept = failed("a", "sink", "no disk", final=False, stop_reason="end_turn", measure=Measure(wall=2.0, tokens=4920))
    found = summary(kept)
    page = said(report_page(found, 80))
    assert "Speed: 2.0 tokens/s over the night" in page
    assert "tokens | 0 answered, 4,920 answered and not delivered" in page
    assert "wast" not in page.replace("Retries and waste", "")
    assert report_facts(found)["tok_s"]["undelivered"] == 4920


def test_retries_and_waste_are_those_of_the_night() -> None:
    """By cause, over items, with the share of the tokens that was thrown away."""
    found = summary(
        outcome("a", retried={"silent": 1, "broken": 2}, attempts=4, wasted_tokens=100),
        outcome("b", retried={"broken": 1}, attempts=2, wasted_tokens=100),
        outcome("c"),
    )
    assert (found.retries.attempts, found.retries.items) == (4, 2)
    assert found.tokens.wasted_share == pytest.approx(200 / 1400)
    page = said(report_page(found, 80))
    assert "failed attempts | 4 in 2 finished items: broken 3, silent 1" in page
    assert "1,200 answered, 200 wasted on failed attempts (14 %)" in page


def test_the_night_has_a_throughput_over_the_time_in_which_a_run_was_alive() -> None:
    """Two runs of ten seconds, hours apart, are twenty seconds."""
    runs = [replace(RUN, seconds=10.0), replace(RUN, run="run-2", started=stamp(900), seconds=10.0)]
    found = summary(outcome("a"), outcome("b", 950), of=night(*runs))
    assert found.tokens.per_second == pytest.approx(40.0)


def test_what_is_worth_a_look_is_named_once_with_the_reason() -> None:
    """Slow against the median, asked often, or odd; an ordinary item is never named."""
    usual = [outcome(f"item-{number}") for number in range(20)]
    found = summary(
        *usual,
        outcome("slow", elapsed=182.0, attempts=4, retried={"silent": 3}),
        outcome("long", elapsed=60.0),
        outcome("often", attempts=3, retried={"broken": 2}),
        outcome("odd", flags=("no_message_stop",)),
    )
    assert [(look.id, look.reason) for look in found.look_at] == [
        ("slow", "took 3 min with retries and waiting (median 4.3 s): silent 3"),
        ("long", "took 60 s (median 4.3 s)"),
        ("often", "3 attempts: broken 2"),
        ("odd", "no_message_stop (1 item)"),
    ]
    assert summary(*usual).look_at == ()


def test_the_flavours_come_from_the_figures() -> None:
    """The pinned item with the largest own CPU is the culprit, though all in flight saw the loop pinned."""
    pinned = [Measure(wall=4, cores=0.01, loop_cores=0.95, tokens=9), Measure(wall=4, cores=0.7, loop_cores=0.97)]
    found = summary(*(outcome(f"item-{place}", measure=measure) for place, measure in enumerate(pinned)))
    side = found.flavours[0]
    assert (side.happened, side.count) == (True, 2)
    assert "largest own CPU: item-1 (0.70 cores), item-0 (0.01 cores)" in side.words


def test_the_json_has_the_keys_that_scripts_rely_on() -> None:
    """The contract's keys are there, whatever happened."""
    promised = {"schema", "runs", "totals", "causes", "wall", "ttft", "tok_s", "loop", "waste", "cost"}
    promised |= {"items_to_look_at", "resume", "since", "until", "retries", "flavours", "limits"}
    for found in (summary(), summary(outcome("a"), failed("b", "silent", ""))):
        assert promised <= set(report_facts(found))


def test_figures_of_the_json_are_those_of_the_night() -> None:
    """Seconds and counts, rounded to a tenth of a millisecond, null where there is none."""
    facts = report_facts(summary(outcome("a"), failed("b", "silent", "x", final=False)))
    assert facts["totals"] == {
        "total": 2,
        "done": 1,
        "incomplete": 0,
        "refused": 0,
        "failed": 1,
        "again": 1,
        "kept": 0,
        "given_up": {"items": 0, "kept": 0},
        "pending": 0,
        "gone": 0,
    }
    assert facts["wall"] == {"p50": 4.2, "p95": 4.2, "max": 4.2, "n": 1}
    assert facts["causes"] == {"silent": {"count": 1, "message": "x", "examples": ["b"]}}
    assert (facts["cost"]["usd"], facts["cost"]["items_priced"], facts["cost"]["items_unpriced"]) == (None, 0, 1)
    assert facts["resume"]["command"] == "batchrun run jobs.jsonl"


OUTAGE = replace(RUN, how=How.DRAINED, exit_code=75, retried={"connect": 4700, "silent": 11}, wasted_tokens=120)


def test_an_outage_is_told_though_no_item_has_finished() -> None:
    """Attempts of items that did not finish have no record; the run told them."""
    found = summary(of=night(OUTAGE))
    assert (found.retries.attempts, found.retries.in_finished, found.retries.is_known) == (4711, 0, True)
    assert found.tokens.wasted == 120
    page = said(report_page(found, 80))
    assert "failed attempts | 4,711, none of them in a finished item: connect 4,700, silent 11" in page
    assert "tokens | 0 answered, 120 wasted on failed attempts (100 %)" in page
    assert "the stream | could not connect: 4,700 attempts; 11 attempts broke or went silent: silent 11" in page
    facts = report_facts(found)
    assert facts["retries"]["causes"] == {"connect": 4700, "silent": 11}
    assert facts["flavours"]["stream"]["happened"] is True
    assert facts["runs"][0]["retried"] == {"connect": 4700, "silent": 11}


def test_what_the_runs_told_and_what_the_items_tell_is_not_counted_twice() -> None:
    """The items' failed attempts are a part of the run's; only where a run told less do they count alone."""
    item = outcome("a", retried={"connect": 2, "broken": 1}, attempts=4, wasted_tokens=500)
    found = summary(item, of=night(OUTAGE))
    assert found.retries.causes == {"connect": 4700, "silent": 11, "broken": 1}
    assert found.tokens.wasted == 500
    page = said(report_page(found, 80))
    assert "4,712, 3 of them in 1 finished item: connect 4,700, silent 11, broken 1" in page


def test_a_run_that_was_killed_before_it_told_anything_leaves_a_gap() -> None:
    """Nobody says that nothing happened."""
    killed = replace(RUN, how=How.KILLED, exit_code=None, retried=None)
    page = said(report_page(summary(of=night(killed)), 80))
    assert f"the stream | {UNKNOWN}" in page
    assert f"the provider | {UNKNOWN}" in page
    answered = said(report_page(summary(outcome("a"), of=night(killed)), 80))
    assert "failed attempts | not known" in answered


def test_ids_that_left_the_job_file_are_not_counted() -> None:
    """What was spent on them was spent; an id more is pending."""
    changed = replace(night(), file=JobFileNow(frozenset({"a", "new"}), is_changed=True))
    found = summary(outcome("a"), outcome("gone"), failed("lost", "bad_request", "no"), of=changed)
    assert (found.total, found.pending, found.gone, found.totals) == (2, 1, 2, Totals(done=1))
    assert found.causes == ()
    assert found.tokens.answers == 800
    assert found.resume.why == "1 pending; the job file has changed since the last run"
    page = said(report_page(found, 80))
    assert "file | changed since the last run" in page
    assert "removed | 2 finished items no longer in it: not counted, the answers are kept" in page


def test_finished_items_with_another_request_are_told_as_the_run_counted_them() -> None:
    """Their answers were kept, and somebody may wonder."""
    page = said(report_page(summary(outcome("a"), of=replace(night(total=1), changed=2)), 80))
    assert "requests | 2 finished items ask something else there now; the old answers were kept" in page


def test_nothing_is_to_be_done_while_a_run_is_just_starting() -> None:
    """It has the lock and has not begun."""
    assert summary(of=replace(night(), is_starting=True)).resume.command is None


def test_the_two_medians_have_their_names() -> None:
    """That of the attempt and that of the item are not the same."""
    found = summary(*(outcome(f"item-{number}", elapsed=60.0) for number in range(3)))
    page = said(report_page(found, 80))
    assert "the attempt that answered | 4.2 s | 4.2 s | 4.2 s | of 3 items" in page
    assert "with retries and waiting | 60 s | 60 s | 60 s | of 3 items" in page


def test_the_headline_says_of_failures_that_their_answers_are_kept() -> None:
    """A night whose sink was broken has lost nothing, whether the next run delivers by itself or not."""
    kept = failed("a", "sink", "no disk", final=False, stop_reason="end_turn")
    also = failed("b", "silent", "", final=False)
    for times in (1, 3):
        sentence = headline(summary(*[kept] * times, also, of=night(total=2)))
        assert "; 2 failed, 1 of them with an answer that is kept; " in sentence
    for ids, told in (("a", "1 failed, its answer is kept"), ("ab", "2 failed, their answers are kept")):
        sentence = headline(summary(*(replace(kept, id=id) for id in ids), of=night(total=2)))
        assert f"; {told}; " in sentence
