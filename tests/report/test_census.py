"""One pass over the lines counts every item once, by the line that counts for it."""

from __future__ import annotations

from dataclasses import replace

from batchrun.outcome import GivenUp, Measure, Outcome, Status
from batchrun.report.census import Census, Totals
from batchrun.report.examples import KEPT
from tests.report.lines import lines
from tests.report.nights import failed, outcome, stamp


def census(*outcomes: Outcome, since: str = "") -> Census:
    counted = Census(since)
    counted.take(lines(*outcomes))
    return counted


def test_no_line_is_no_item() -> None:
    """A run that was killed before anything finished."""
    counted = census()
    assert counted.totals() == counted.night() == Totals()
    assert [counted.wall(), counted.ttft(), counted.tok_s(), counted.elapsed(), counted.loop()] == [None] * 5
    assert counted.causes() == {}


def test_items_are_counted_by_how_they_stand() -> None:
    """Done, incomplete, refused and failed; a failure that is not final is asked again."""
    counted = census(
        outcome("a"),
        outcome("b", status=Status.INCOMPLETE, stop_reason="max_tokens"),
        outcome("c", status=Status.REFUSED, stop_reason="refusal"),
        failed("d", "bad_request", "no"),
        failed("e", "silent", "not a byte", final=False),
    )
    assert counted.totals() == Totals(done=1, incomplete=1, refused=1, failed=2, again=1)
    assert counted.causes() == {"bad_request": 1, "silent": 1}


def test_an_answer_is_never_masked_by_an_older_or_newer_failure() -> None:
    """C6: whatever the order of the lines, the answer counts, and with it its figures."""
    answer, failure = outcome("a"), failed("a", "silent", "not a byte", final=False)
    for order in ([failure, answer], [answer, failure]):
        counted = census(*order)
        assert counted.totals() == Totals(done=1)
        assert counted.causes() == {}
        wall = counted.wall()
        assert wall is not None
        assert (wall.n, wall.p50) == (1, 4.2)


def test_the_newest_answer_counts() -> None:
    """An item that was asked again on purpose stands as it was answered last."""
    counted = census(outcome("a", status=Status.INCOMPLETE), outcome("a"))
    assert counted.totals() == Totals(done=1)


def test_newer_is_what_stands_later_in_the_results() -> None:
    """A checkpoint that was rebuilt stands at the end of its file and is no newer for that."""
    older, newer = lines(outcome("a", status=Status.REFUSED), outcome("a"))
    counted = Census("")
    counted.take([newer, older])
    assert counted.totals() == Totals(done=1)


def test_three_runs_of_failing_are_enough() -> None:
    """The third transient failure of an item is its last, though its line says that it is not final."""
    again = [failed("a", "overloaded", "529", final=False) for _ in range(3)]
    assert census(*again[:2]).totals() == Totals(failed=1, again=1)
    assert census(*again).totals() == Totals(failed=1, given_up=GivenUp(1))


def test_figures_are_those_of_the_night() -> None:
    """What finished earlier stands in the totals and enters no figure."""
    earlier = outcome("a", 10, measure=Measure(wall=999.0, tokens=5), wasted_tokens=50, retried={"silent": 1})
    tonight = outcome("b", 90, wasted_tokens=7, retried={"broken": 2}, attempts=3)
    counted = census(earlier, tonight, since=stamp(60))
    assert counted.totals() == Totals(done=2)
    assert counted.night() == Totals(done=1)
    wall = counted.wall()
    assert wall is not None
    assert (wall.n, wall.max) == (1, 4.2)
    assert (counted.tokens, counted.wasted_tokens, dict(counted.retried)) == (400, 7, {"broken": 2})


def test_why_an_item_stands_failed_is_told_whenever_that_was() -> None:
    """An operator of the second night still learns what the first night's failures were."""
    assert census(failed("a", "bad_request", "no", 10), since=stamp(60)).causes() == {"bad_request": 1}


def test_what_failed_attempts_wasted_counts_though_a_later_line_answered() -> None:
    """A retry in a later run of the same night was paid for all the same."""
    counted = census(failed("a", "silent", "", final=False, wasted_tokens=40), outcome("a", 90, wasted_tokens=2))
    assert counted.wasted_tokens == 42
    assert dict(counted.retried) == {"silent": 1}


def test_partial_tokens_of_a_failure_are_no_answer() -> None:
    """They are among the wasted, and must not be counted twice."""
    counted = census(failed("a", "broken", "", measure=Measure(wall=1, tokens=40), wasted_tokens=40))
    assert (counted.tokens, counted.wasted_tokens) == (0, 40)


def test_figures_that_an_item_does_not_have_are_left_out() -> None:
    """An answer that was not streamed has no first token, and no failure has a wall."""
    counted = census(
        outcome("a", measure=Measure(wall=3.0, tokens=10, tok_s=3.3, ttft=None)),
        outcome("b", measure=Measure(wall=5.0, tokens=0, tok_s=0.0, ttft=0.0)),
        failed("c", "bad_request", "no"),
    )
    wall, ttft, tok_s = counted.wall(), counted.ttft(), counted.tok_s()
    assert wall is not None
    assert ttft is not None
    assert tok_s is not None
    assert (wall.n, ttft.n, ttft.p50, tok_s.n) == (2, 1, 0.0, 1)


def test_prices_that_are_unknown_are_not_zero() -> None:
    """Priced and unpriced items are counted apart."""
    lost = failed("d", "broken", "no sink took it", cost_usd=0.07)
    counted = census(outcome("a", cost_usd=0.02), outcome("b", cost_usd=0.03), outcome("c"), lost)
    assert (round(counted.cost_usd, 6), counted.priced, counted.unpriced) == (0.05, 2, 1)
    assert counted.lost_usd == 0.07


def test_what_was_paid_once_is_lost_once_and_until_it_is_delivered() -> None:
    """An answer that no sink took is paid for; delivered by a later run of the night it is an answer like others."""
    lost = failed("a", "broken", "no sink took it", cost_usd=0.07, final=False)
    assert census(lost, lost).lost_usd == 0.07
    delivered = census(lost, outcome("a", cost_usd=0.07))
    assert (delivered.lost_usd, delivered.cost_usd, delivered.priced) == (0.0, 0.07, 1)


def test_an_item_that_failed_in_three_runs_is_one_item() -> None:
    """Its failed attempts are three."""
    kept = failed("a", "sink", "no disk", final=False, stop_reason="end_turn")
    counted = census(kept, kept, outcome("b"), kept, failed("c", "silent", "", final=False))
    assert (counted.retried.total(), counted.retried_items) == (4, 2)


def test_a_kept_answer_has_figures_like_others() -> None:
    """It came as fast as it came, whoever took it then; its tokens are no delivered answer's."""
    measure = Measure(wall=2.0, ttft=0.2, tokens=50, tok_s=25.0)
    kept = failed("a", "sink", "no disk", final=False, stop_reason="end_turn", measure=measure, elapsed=2.5)
    counted = census(kept, kept)
    for spread, figure in ((counted.wall(), 2.0), (counted.elapsed(), 2.5), (counted.ttft(), 0.2)):
        assert spread is not None
        assert (spread.n, spread.p50) == (1, figure)
    assert (counted.tokens, counted.undelivered.sum().tokens) == (0, 50)


def test_an_example_is_shown_only_while_its_line_counts() -> None:
    """Items that were answered later are no examples of failure; no id stands twice."""
    failures = [failed(f"item-{number}", "silent", "not a byte", final=False) for number in range(5)]
    answers = [outcome(f"item-{number}", 90) for number in range(3)]
    counted = census(*failures, *failures, *answers)
    examples = counted.kinds.of("silent", 3, counted.counts)
    assert [example.id for example in examples] == ["item-4", "item-3"]


def test_the_slowest_are_found_among_many() -> None:
    """Of a thousand items the three that took longest, the longest first."""
    many = [outcome(f"item-{number:04d}", elapsed=float(number * 7 % 1009)) for number in range(1009)]
    counted = census(*many)
    slowest = counted.slowest.best(3, counted.counts)
    assert [example.figure for example in slowest] == [1008.0, 1007.0, 1006.0]


def test_a_slow_item_that_was_answered_quickly_later_is_not_slow() -> None:
    """The figure of a line that counts no longer is no reason to look at an item."""
    counted = census(outcome("a", elapsed=500.0), outcome("b", elapsed=5.0), outcome("a", elapsed=4.0))
    assert [example.id for example in counted.slowest.best(2, counted.counts)] == ["b", "a"]


def test_a_night_in_which_all_failed_is_told_in_bounded_space() -> None:
    """Every item counts, few are kept by name."""
    counted = census(*(failed(f"item-{number}", "overloaded", "529", final=False) for number in range(5 * KEPT)))
    assert counted.totals() == Totals(failed=5 * KEPT, again=5 * KEPT)
    assert counted.causes() == {"overloaded": 5 * KEPT}
    assert len(counted.kinds.of("overloaded", 10**6, counted.counts)) < 2 * KEPT


def test_answers_that_no_sink_took_are_told_apart_from_those_to_be_asked() -> None:
    """Both are taken up by the next run; three runs are enough for either."""
    kept = failed("a", "sink", "no disk", final=False, stop_reason="end_turn", text="Ja.")
    asked = failed("b", "silent", "not a byte", final=False)
    assert census(kept, asked).totals() == Totals(failed=2, again=2, kept=1)
    assert census(kept, kept, kept, asked).totals() == Totals(failed=2, again=1, given_up=GivenUp(1, 1))
    assert census(kept, outcome("a"), asked).totals() == Totals(done=1, failed=1, again=1)
    assert census(kept, asked).causes() == {"sink": 1, "silent": 1}


def test_what_the_sinks_held_up_is_summed_and_the_slowest_are_named() -> None:
    """An item of which they took more than half was limited by them, once, and as it was the last time."""
    slow = outcome("slow", measure=Measure(wall=4.0, held_up=3.0))
    fair = outcome("fair", measure=Measure(wall=4.0, held_up=1.0))
    counted = census(slow, fair, outcome("none"))
    assert (counted.held_up, counted.consumer_bound) == (4.0, 1)
    assert [(example.id, example.figure) for example in counted.most_held_up.best(3, counted.counts)] == [("slow", 3.0)]
    delivered = outcome("slow", measure=Measure(wall=4.0, held_up=1.0), paid_before=True)
    assert census(slow, slow).consumer_bound == 1
    assert census(slow, delivered).consumer_bound == 0


def test_what_an_earlier_night_has_paid_for_is_none_of_this_nights_figures() -> None:
    """Delivered, or refused by the sinks once more: it is counted, but not its money, its tokens and its speed. Where
    both runs are of one night the answer is told as any other."""
    kept = failed("a", "sink", "no disk", 10, final=False, stop_reason="end_turn", cost_usd=0.07)
    refused = replace(kept, finished=stamp(80), paid_before=True)
    delivered = outcome("a", 90, cost_usd=0.07, paid_before=True, measure=Measure(wall=9, tokens=400, loop_cores=0.99))
    second = census(kept, refused, delivered, since=stamp(60))
    assert (second.totals(), second.night()) == (Totals(done=1), Totals(done=1))
    assert (second.tokens, second.cost_usd, second.priced, second.lost_usd) == (0, 0.0, 0, 0.0)
    assert [second.wall(), second.tok_s(), second.loop()] == [None, None, None]
    assert census(kept, refused, since=stamp(60)).lost_usd == 0.0
    whole = census(kept, refused, delivered)
    assert (whole.tokens, whole.cost_usd, whole.priced, whole.lost_usd) == (400, 0.07, 1, 0.0)
    assert whole.wall() is not None
    assert census(kept, refused).undelivered.sum().usd == 0.07
