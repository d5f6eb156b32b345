"""When a backend counts as dead, and how it is asked whether it still is."""

from __future__ import annotations

import pytest

from batchrun.failure import Cause, Failure
from batchrun.gate.breaker import (
    FIRST_WAIT,
    ILL,
    ILL_IN_A_ROW,
    LONGEST_WAIT,
    SIGNS_OF_LIFE,
    UNREACHED_IN_A_ROW,
    Breaker,
)


class Probed(Breaker):
    """A circuit whose attempts follow each other: each begins after the last one has failed."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = 0.0

    def fails(self, cause: Cause, id: str, *, is_unanswered: bool = False) -> float:
        self._clock += 1
        failure = Failure(cause, "scripted", is_unanswered=is_unanswered)
        return self.failed(failure, id, self._clock - 0.5, self._clock)


def test_three_failed_connections_open_it_though_all_were_one_items() -> None:
    """F30: no item can be to blame where nobody was reached."""
    breaker = Probed()
    waits = [breaker.fails(Cause.CONNECT, "a") for _ in range(UNREACHED_IN_A_ROW)]
    assert waits == [0.0, 0.0, FIRST_WAIT]
    assert breaker.is_open


@pytest.mark.parametrize("cause", sorted(ILL))
def test_an_ill_server_takes_more_and_by_several_items(cause: Cause) -> None:
    """One prompt that kills its worker each time must not stop everybody."""
    alone = Probed()
    for _ in range(5 * ILL_IN_A_ROW):
        assert alone.fails(cause, "a") == 0
    several = Probed()
    waits = [several.fails(cause, id) for id in "abcdefghij"]
    assert waits == [0.0] * (ILL_IN_A_ROW - 1) + [FIRST_WAIT]


def test_probes_grow_rarer_up_to_a_bound() -> None:
    """1, 2, 4 and so on up to 30 s."""
    breaker = Probed()
    waits = [breaker.fails(Cause.CONNECT, "a") for _ in range(12)]
    assert waits[2:8] == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_WAIT]
    assert set(waits[7:]) == {LONGEST_WAIT}


@pytest.mark.parametrize("cause", sorted(SIGNS_OF_LIFE))
def test_any_sign_of_life_closes_it(cause: Cause) -> None:
    """A 400 is bad news for an item, and good news of the backend."""
    breaker = Probed()
    for _ in range(5):
        breaker.fails(Cause.CONNECT, "a")
    assert breaker.fails(cause, "b") == 0
    assert not breaker.is_open
    assert breaker.fails(Cause.CONNECT, "a") == 0


def test_what_breaks_in_mid_answer_says_neither() -> None:
    """The provider was there; whether it is still, the next attempt will tell."""
    breaker = Probed()
    for _ in range(UNREACHED_IN_A_ROW - 1):
        breaker.fails(Cause.CONNECT, "a")
    for cause in (Cause.BROKEN, Cause.SILENT, Cause.TRUNCATED, Cause.LOCAL):
        assert breaker.fails(cause, "a") == 0
    assert breaker.fails(Cause.CONNECT, "a") == FIRST_WAIT


def test_no_cause_is_both() -> None:
    """A sign of life is no illness."""
    assert not ILL & SIGNS_OF_LIFE
    assert Cause.CONNECT not in ILL | SIGNS_OF_LIFE


def test_connections_that_break_before_an_answer_are_an_illness() -> None:
    """F30: a dead server behind a living proxy takes each connection and drops it."""
    breaker = Probed()
    waits = [breaker.fails(Cause.BROKEN, id, is_unanswered=True) for id in "abcdefghij"]
    assert waits == [0.0] * (ILL_IN_A_ROW - 1) + [FIRST_WAIT]


def test_what_was_on_its_way_when_it_opened_says_nothing_new() -> None:
    """Only a probe's failure makes the next wait longer: forty slots that fail together are one event."""
    breaker = Breaker()
    refused = Failure(Cause.CONNECT, "refused")
    waits = [breaker.failed(refused, str(n), 10.0, 11.0) for n in range(40)]
    assert waits == [0.0, 0.0, FIRST_WAIT] + [0.0] * 37
    assert breaker.is_open
    assert breaker.failed(refused, "probe", 12.0, 13.0) == 2 * FIRST_WAIT
    assert breaker.failed(refused, "straggler", 10.0, 14.0) == 0
