"""Giving up a little, waiting whether somebody takes it, and trying later where nobody does."""

from __future__ import annotations

from batchrun.gate.courtesy import LATEST, PART, SOONEST, WAIT, Courtesy, give, hurry, part_of, postpone, wait


def waited(courtesy: Courtesy, others: float, periods: int) -> Courtesy:
    for _ in range(periods):
        courtesy = wait(courtesy, others)
    return courtesy


def test_a_gift_is_due_after_the_interval() -> None:
    """Not before."""
    assert waited(Courtesy(), 30.0, SOONEST - 1).due == 1
    assert waited(Courtesy(), 30.0, SOONEST).due == 0


def test_a_gift_that_is_taken_is_followed_by_the_next_one_soon() -> None:
    """Others use more than before: there is another run, and it has less than we."""
    after = waited(give(Courtesy(interval=64), 4.0, PART, others=20.0), 24.0, WAIT)
    assert (after.is_waiting, after.interval, after.due) == (False, SOONEST, SOONEST)


def test_a_gift_that_nobody_takes_makes_the_next_one_later_and_later() -> None:
    """Up to a limit: somebody may still come."""
    courtesy = Courtesy()
    for _ in range(12):
        courtesy = waited(give(courtesy, 4.0, PART, others=20.0), 20.1, WAIT)
    assert courtesy.interval == LATEST


def test_a_large_part_is_offered_more_seldom() -> None:
    """One slot of two would cost more than courtesy is worth."""
    courtesy = Courtesy()
    for _ in range(12):
        courtesy = waited(give(courtesy, 4.0, 0.5, others=20.0), 20.1, WAIT)
    assert courtesy.interval == 8 * LATEST


def test_a_slot_of_two_is_not_given_away_at_once() -> None:
    """For hundreds of periods it waits; a small part of many slots goes when it is due."""
    due = Courtesy(SOONEST, 0)
    assert postpone(due, PART) is due
    later = postpone(due, 0.5)
    assert later.due > 300
    assert postpone(later._replace(due=0), 0.5).due == 0


def test_news_of_others_makes_the_next_gift_soon_but_breaks_off_none() -> None:
    """Whoever has come may need it."""
    assert hurry(Courtesy(interval=LATEST, due=100)).due == SOONEST
    given = give(Courtesy(interval=LATEST), 4.0, PART, others=20.0)
    assert hurry(given) is given


def test_a_gift_is_a_part_and_at_least_a_slot() -> None:
    """A twelfth of who has much, where that is two slots, nearly."""
    assert [part_of(limit, 40.0, 20.0) for limit in (1, 9, 23, 40, 256)] == [1, 1, 2, 3, 21]
    assert [part_of(limit, 20.0, 40.0) for limit in (1, 40, 256)] == [1, 2, 16]
