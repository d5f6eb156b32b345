"""When a backend counts as dead, and how it is asked whether it still is."""

from __future__ import annotations

import pytest

from batchrun.failure import Cause
from batchrun.gate.breaker import (
    FIRST_WAIT,
    ILL,
    ILL_IN_A_ROW,
    LONGEST_WAIT,
    SIGNS_OF_LIFE,
    UNREACHED_IN_A_ROW,
    Breaker,
)


def test_three_failed_connections_open_it_though_all_were_one_items() -> None:
    """No item can be to blame where nobody was reached."""
    breaker = Breaker()
    waits = [breaker.failed(Cause.CONNECT, "a") for _ in range(UNREACHED_IN_A_ROW)]
    assert waits == [0.0, 0.0, FIRST_WAIT]
    assert breaker.is_open


@pytest.mark.parametrize("cause", ILL)
def test_an_ill_server_takes_more_and_by_several_items(cause: Cause) -> None:
    """One prompt that kills its worker each time must not stop everybody."""
    alone = Breaker()
    for _ in range(5 * ILL_IN_A_ROW):
        assert alone.failed(cause, "a") == 0
    several = Breaker()
    waits = [several.failed(cause, id) for id in "abcdefghij"]
    assert waits == [0.0] * (ILL_IN_A_ROW - 1) + [FIRST_WAIT]


def test_probes_grow_rarer_up_to_a_bound() -> None:
    """1, 2, 4 and so on up to 30 s."""
    breaker = Breaker()
    waits = [breaker.failed(Cause.CONNECT, "a") for _ in range(12)]
    assert waits[2:8] == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_WAIT]
    assert set(waits[7:]) == {LONGEST_WAIT}


@pytest.mark.parametrize("cause", SIGNS_OF_LIFE)
def test_any_sign_of_life_closes_it(cause: Cause) -> None:
    """A 400 is bad news for an item, and good news of the backend."""
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(Cause.CONNECT, "a")
    assert breaker.failed(cause, "b") == 0
    assert not breaker.is_open
    assert breaker.failed(Cause.CONNECT, "a") == 0


def test_what_breaks_in_mid_answer_says_neither() -> None:
    """The provider was there; whether it is still, the next attempt will tell."""
    breaker = Breaker()
    for _ in range(UNREACHED_IN_A_ROW - 1):
        breaker.failed(Cause.CONNECT, "a")
    for cause in (Cause.BROKEN, Cause.SILENT, Cause.TRUNCATED, Cause.LOCAL):
        assert breaker.failed(cause, "a") == 0
    assert breaker.failed(Cause.CONNECT, "a") == FIRST_WAIT


def test_no_cause_is_both() -> None:
    """A sign of life is no illness."""
    assert not ILL & SIGNS_OF_LIFE
    assert Cause.CONNECT not in ILL | SIGNS_OF_LIFE
