"""The pace finds what a provider allows, by what it tells or by what it refuses, and uses nearly all of it."""

from __future__ import annotations

import pytest

from batchrun.gate.pace import Pace
from batchrun.gate.truce import SHORTEST
from batchrun.providers.quota import Quota, Unit
from tests.gate.limited import Allowance, Client

TEN_MINUTES = 600.0


def allowed(allowance: Allowance) -> float:
    return allowance.a_minute * TEN_MINUTES / 60 + allowance.saved


@pytest.mark.parametrize("tells_wait", [False, True])
@pytest.mark.parametrize("seconds_saved", [1, 10, 60])
@pytest.mark.parametrize("a_minute", [600, 1500])
def test_what_nobody_tells_is_learned(a_minute: int, seconds_saved: int, tells_wait: bool) -> None:
    """F15: at least 97 % of what is allowed is used over ten minutes, and at most 2 % of the requests are refused."""
    allowance = Allowance(a_minute, a_minute * seconds_saved / 60, tells_wait)
    # No more at once than a gate begins with: before the first answer nobody can know.
    came = Client(allowance, Pace(), slots=max(2, a_minute // 40)).run(TEN_MINUTES)
    assert came.answered >= 0.97 * allowed(allowance)
    assert came.refused_share <= 0.02


@pytest.mark.parametrize("seconds_saved", [1, 10, 60])
@pytest.mark.parametrize("a_minute", [60, 600, 1500])
def test_what_is_told_is_used_without_hitting_the_wall(a_minute: int, seconds_saved: int) -> None:
    """The mirror of the provider's own numbers waits in time."""
    allowance = Allowance(a_minute, a_minute * seconds_saved / 60, tells_left=True)
    # No more at once than a gate begins with: before the first answer nobody can know.
    came = Client(allowance, Pace(), slots=max(2, a_minute // 40)).run(TEN_MINUTES)
    assert came.answered >= 0.97 * allowed(allowance)
    assert came.refused_share <= 0.02


@pytest.mark.parametrize(("a_minute", "used", "refused"), [(5, 0.75, 0.25), (20, 0.85, 0.07), (60, 0.92, 0.03)])
def test_where_little_is_allowed_refusals_are_few_too(a_minute: int, used: float, refused: float) -> None:
    """Nothing can be saved up and only the wait is told: in half an hour refusals are rare, not the rule."""
    nights = [Client(Allowance(a_minute, 1, tells_wait=True), Pace(), 4, seed=seed).run(1800) for seed in range(3)]
    assert sum(night.answered for night in nights) >= used * 3 * 30 * a_minute
    assert max(night.refused_share for night in nights) <= refused


@pytest.mark.parametrize("slots", [6, 12, 64])
@pytest.mark.parametrize(("strays", "tells_wait", "kept"), [(0.02, False, 0.8), (0.02, True, 0.8), (0.1, True, 0.85)])
def test_refusals_that_no_rate_explains_slow_nothing_down_for_long(
    strays: float, tells_wait: bool, kept: float, slots: int
) -> None:
    """A provider that is full refuses at random: slower would not help, and the night must not crawl."""
    refusing = Allowance(1e9, 1e9, tells_wait, strays=strays)
    came = {pace: sum(stray_night(refusing, pace(), slots, seed) for seed in range(4)) for pace in PACES}
    assert came[Pace] >= kept * came[PaceThatNeverLearns]


@pytest.mark.parametrize("slots", [6, 12, 64])
def test_a_provider_that_refuses_every_third_for_no_reason_is_asked_on(slots: int) -> None:
    """There is nearly nothing to learn a rate from, and yet none is made up for long."""
    refusing = Allowance(1e9, 1e9, strays=0.3)
    came = {pace: sum(stray_night(refusing, pace(), slots, seed) for seed in range(4)) for pace in PACES}
    assert came[Pace] >= 0.75 * came[PaceThatNeverLearns]


@pytest.mark.parametrize(
    ("allowance", "most"), [(Allowance(600, 60, strays=0.02), 600), (Allowance(1e9, 1e9, strays=0.3), 470)]
)
def test_random_refusals_wear_no_pace_down_in_the_course_of_a_night(allowance: Allowance, most: int) -> None:
    """Beside a limit and without one: in the second hour it is asked as fast as in the best of times, or nearly so."""
    second_hours = []
    for seed in range(1, 4):
        client = Client(allowance, Pace(), 16, 1.0 if most == 600 else 2.0, seed)
        hour = client.run(3600.0).answered
        second_hours.append((client.run(7200.0).answered - hour) / 60)
    assert sum(second_hours) >= 3 * 0.75 * most


def stray_night(refusing: Allowance, pace: Pace, slots: int, seed: int) -> int:
    return Client(refusing, pace, slots, 2.4, seed).run(TEN_MINUTES).answered


@pytest.mark.parametrize("later", [{20.0: 0, 65.0: 32}, {0.0: 1, 60.0: 32}], ids=["a pause", "few slots"])
def test_a_time_in_which_we_did_not_ask_teaches_nothing(later: dict[float, int]) -> None:
    """The rate at which our own gate let us ask is no limit of the provider's: what is allowed is used soon after."""
    allowance = Allowance(600, 10)
    came = Client(allowance, Pace(), slots=32, latency=2.0, later=later).run(TEN_MINUTES)
    seconds = TEN_MINUTES - (45 if 0 in later.values() else 60)
    assert came.answered >= 0.95 * 600 * seconds / 60
    assert came.refused_share <= 0.02


def test_refusals_that_no_rate_explains_do_not_pin_the_pace_down_after_a_pause() -> None:
    """The first of them comes when hardly anything has been asked for a while."""
    refusing, later = Allowance(1e9, 1e9, strays=0.08), {20.0: 0, 65.0: 16}
    runs = [(pace, seed) for pace in (Pace, PaceThatNeverLearns) for seed in range(4)]
    learned = [Client(refusing, pace(), 16, 1.0, seed, later).run(TEN_MINUTES).answered for pace, seed in runs]
    assert sum(learned[:4]) >= 0.7 * sum(learned[4:])


class PaceThatNeverLearns(Pace):
    """Asks as fast as there are slots."""

    def wait(self, now: float, *, is_alone: bool = False) -> float:
        return 0.0


PACES = (Pace, PaceThatNeverLearns)


def test_before_anything_is_refused_there_is_no_pace() -> None:
    """Nobody knows of a limit, and none is made up."""
    pace = Pace()
    for _ in range(1000):
        assert pace.wait(1.0) == 0
        pace.sent(1.0)
    assert pace.rate is None


def test_a_pause_before_the_first_refusal_does_not_count() -> None:
    """Three a second went well before it and five a second after it."""
    pace = Pace()
    for moment in [*(number / 3 for number in range(45)), *(60 + number / 5 for number in range(10))]:
        pace.sent(moment)
    pace.refused(61.8, now=62.0, hold=0.0)
    assert pace.rate is not None
    assert pace.rate >= 3


def test_a_pause_between_two_refusals_does_not_count() -> None:
    """Ten a second were allowed before it, and the provider has said nothing new."""
    pace = Pace()
    for moment in range(100):
        pace.sent(moment / 10)
    pace.refused(9.9, now=10.0, hold=0.0)
    now = 40.0
    for _ in range(30):
        now += pace.wait(now)
        pace.sent(now)
    pace.refused(now, now, hold=0.0)
    assert pace.rate is not None
    assert pace.rate >= 7


def test_one_wave_of_refusals_is_one_event() -> None:
    """What was on its way when the first refusal came says nothing new."""
    pace = Pace()
    for moment in range(100):
        pace.sent(moment / 10)
    assert pace.refused(9.7, now=10.0, hold=1.0)
    rate = pace.rate
    assert not pace.refused(9.8, now=10.1, hold=1.0)
    assert pace.rate == rate


def test_the_end_of_a_long_hold_lets_one_go_at_once() -> None:
    """The provider has said when it is back; to wait for a whole turn of the pace on top would be our own doing."""
    pace = Pace()
    for moment in range(100):
        pace.sent(moment / 10)
    pace.refused(9.9, now=10.0, hold=18.0)
    assert pace.wait(28.0) == 0
    pace.sent(28.0)
    assert pace.wait(28.0) > 0


def test_a_higher_limit_is_found_in_time() -> None:
    """The longer nothing is refused the bolder the pace grows: tenfold within some minutes."""
    pace = Pace()
    for moment in range(100):
        pace.sent(moment / 10)
    pace.refused(9.9, now=10.0, hold=0.0)
    assert pace.rate is not None
    before = pace.rate
    for second in range(10, 400):
        pace.wait(float(second))
    assert pace.rate > 10 * before


def test_a_truce_ends() -> None:
    """A limit that comes later is learned all the same."""
    pace, now = Pace(), 0.0
    while pace.rate is not None or not now:
        for _ in range(30):
            now += 0.1
            pace.sent(now)
        pace.refused(now, now, 0.0)
    now += SHORTEST + 1
    for _ in range(30):
        now += 0.1
        pace.sent(now)
    pace.refused(now, now, 0.0)
    assert pace.rate is not None


def test_a_limit_on_tokens_is_counted_in_requests() -> None:
    """What an answer costs is learned; where less is left than one costs, the next one waits for the refill."""
    pace = Pace()
    pace.sent(0.0)
    pace.told([Quota(Unit.OUTPUT_TOKENS, limit=6000, remaining=700, reset=53.0)], sent_at=0.0, now=0.0)
    pace.spent({Unit.OUTPUT_TOKENS: 500.0, Unit.INPUT_TOKENS: 10.0})
    assert pace.wait(0.0) == 0
    pace.sent(0.0)
    assert pace.wait(0.0) == pytest.approx(3.0)
    assert pace.wait(3.0) == 0


def test_a_limit_that_is_smaller_than_an_answer_is_waited_for_whole_and_no_longer() -> None:
    """A bucket cannot hold more than its limit: who waited for the rest of the cost would wait for ever."""
    pace = Pace()
    pace.sent(0.0)
    pace.told([Quota(Unit.OUTPUT_TOKENS, limit=600, remaining=0, reset=60.0)], sent_at=0.0, now=0.0)
    pace.spent({Unit.OUTPUT_TOKENS: 700.0})
    assert pace.wait(0.0) == pytest.approx(60.0)
    assert pace.wait(60.0) == 0
    pace.sent(60.0)
    assert pace.wait(60.0) == pytest.approx(70.0)


def test_who_is_alone_waits_for_no_debt_that_nobody_is_running_up() -> None:
    """What is reckoned below zero is for others on their way. Where nobody is on the way it was misjudged."""
    pace = Pace()
    pace.told([Quota(Unit.OUTPUT_TOKENS, limit=600, remaining=600, reset=None)], sent_at=0.0, now=0.0)
    pace.spent({Unit.OUTPUT_TOKENS: 300.0})
    for _ in range(20):
        pace.sent(0.0)
    assert pace.wait(0.0) == pytest.approx(570.0)
    assert pace.wait(0.0, is_alone=True) == pytest.approx(30.0)
    assert pace.wait(30.0, is_alone=True) == 0
