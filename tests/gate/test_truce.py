"""A truce finds out whether refusals are a matter of our rate, and costs little where they are."""

from __future__ import annotations

import pytest

from batchrun.gate.truce import FEW, SHORTEST, STRAYS, STRAYS_UNSURE, TRIED, Truce


def tell(truce: Truce, sent: int, refused: int) -> None:
    for _ in range(sent):
        truce.sent()
    for _ in range(refused):
        truce.refused()


def begun(now: float = 0.0, share: float = 0.1) -> Truce:
    """One that has just begun, after refusals of such a share."""
    truce = Truce()
    for _ in range(STRAYS):
        tell(truce, round(1 / share) - 1, 1)
        is_begun = truce.begins(now, is_explained=False, is_sure=True)
    assert is_begun
    return truce


@pytest.mark.parametrize(("is_sure", "strays"), [(True, STRAYS), (False, STRAYS_UNSURE)])
def test_it_begins_with_the_refusal_that_is_one_too_many(is_sure: bool, strays: int) -> None:
    """Who is less sure of what was admitted waits for more of them."""
    truce = Truce()
    came = [truce.begins(float(nth), is_explained=False, is_sure=is_sure) for nth in range(strays)]
    assert came == [False] * (strays - 1) + [True]
    assert truce.is_on(float(strays))


def test_a_refusal_that_the_rate_explains_begins_the_count_anew() -> None:
    """Only those in a row are no chance."""
    truce = Truce()
    for is_explained in (False, False, True, False, False):
        assert not truce.begins(0.0, is_explained=is_explained, is_sure=True)
    assert truce.begins(0.0, is_explained=False, is_sure=True)


def test_it_goes_on_while_no_more_is_refused_than_before() -> None:
    """Then the rate has nothing to do with it."""
    truce = begun(share=0.1)
    tell(truce, 100, 12)
    assert not truce.has_failed
    assert truce.is_on(SHORTEST - 1)
    assert not truce.is_on(SHORTEST)


def test_it_has_failed_where_more_is_refused_than_before() -> None:
    """But not before it was tried often enough."""
    truce = begun(share=0.1)
    tell(truce, TRIED - 1, TRIED // 2)
    assert not truce.has_failed
    tell(truce, 1, 0)
    assert truce.has_failed


def test_a_few_tell_enough_where_nearly_all_are_refused() -> None:
    """There is nothing to wait for."""
    truce = begun(share=0.1)
    tell(truce, FEW - 1, FEW - 1)
    assert not truce.has_failed
    tell(truce, 1, 1)
    assert truce.has_failed


def test_what_was_long_ago_hides_no_limit_that_comes_later() -> None:
    """A thousand that went well do not outweigh a hundred that did not."""
    truce = begun(share=0.1)
    tell(truce, 1000, 0)
    tell(truce, 200, 0)
    tell(truce, 0, 80)
    assert truce.has_failed


def test_half_of_them_refused_is_too_much_whatever_was_before() -> None:
    """A provider that refuses most is not to be asked faster."""
    truce = begun(share=0.5)
    tell(truce, 2 * TRIED, TRIED + 1)
    assert truce.has_failed


def test_after_a_failure_the_next_one_is_later_and_later() -> None:
    """What is known by now is not tried again so soon."""
    truce, starts = begun(), []
    truce.fail(0.0)
    for now in range(1, 400):
        if truce.begins(float(now), is_explained=False, is_sure=True):
            starts.append(now)
            truce.fail(float(now))
    first, second = starts[:2]
    assert first == SHORTEST
    assert second >= first + 2 * SHORTEST


def test_each_that_did_not_fail_is_longer() -> None:
    """Where slower does not help, the night is not spent on finding that out."""
    truce = begun(0.0)
    for now in range(100, 100 + STRAYS):
        truce.begins(float(now), is_explained=False, is_sure=True)
    assert truce.is_on(100 + 2 * SHORTEST)
