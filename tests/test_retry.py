"""What becomes of an item after a failed attempt, and when."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.errors import ExitCode
from batchrun.failure import Cause, Failure
from batchrun.retry import FINAL, RULES, Action, RetryPolicy, Strikes, Verdict, backoff, judge

POLICY = RetryPolicy()
RETRIED = [cause for cause, rule in RULES.items() if rule.action is Action.RETRY]
FREE = [Cause.RATE_LIMITED, Cause.LOCAL]

chances = st.floats(0, 1, exclude_max=True)
tries = st.integers(1, 10_000)


def judged(
    cause: Cause,
    *,
    counted: int = 1,
    tries: int = 1,
    strikes: int = 1,
    chance: float = 0.5,
    retry_after: float | None = None,
) -> Verdict:
    """The verdict on a first failure, unless told otherwise."""
    return judge(Failure(cause, "", retry_after=retry_after), POLICY, counted, tries, strikes, chance)


# -- the table ---------------------------------------------------------------------------------------------------------


def test_every_cause_has_a_rule() -> None:
    """Nothing that an attempt can die of is left to chance."""
    assert set(RULES) == set(Cause)


def test_only_rate_limits_servers_and_wires_are_asked_again() -> None:
    """Retry is by allow-list: a new cause must say that it wants to be retried."""
    assert set(RETRIED) == {
        *(Cause.RATE_LIMITED, Cause.OVERLOADED, Cause.SERVER_ERROR),
        *(Cause.CONNECT, Cause.BROKEN, Cause.FIRST_BYTE, Cause.SILENT, Cause.STALLED, Cause.TOO_LONG),
        *(Cause.TRUNCATED, Cause.PROTOCOL, Cause.LOCAL),
    }


@pytest.mark.parametrize("cause", RETRIED)
def test_what_is_transient_is_asked_again(cause: Cause) -> None:
    """After a wait that is never negative."""
    verdict = judged(cause)
    assert verdict.action is Action.RETRY
    assert verdict.delay > 0


@pytest.mark.parametrize("cause", [Cause.BAD_REQUEST, Cause.TOO_LARGE])
def test_what_the_item_earned_fails_at_once_and_for_good(cause: Cause) -> None:
    """400 and 413: tomorrow's answer would be the same."""
    assert judged(cause) == Verdict(Action.FAIL, final=True)


def test_a_bug_of_ours_fails_the_item_for_this_night_only() -> None:
    """Never retried, but a mended program may ask again."""
    assert judged(Cause.BUG) == Verdict(Action.FAIL, final=False)


def test_final_is_only_what_fails_at_once() -> None:
    """No transient cause can stand for ever."""
    assert all(RULES[cause].action is Action.FAIL for cause in FINAL)


def test_an_unknown_model_shelves_its_items() -> None:
    """They stay pending; exit 78."""
    assert judged(Cause.UNKNOWN_MODEL) == Verdict(Action.SHELVE, exit_code=ExitCode.BAD_CONFIG)


@pytest.mark.parametrize(
    ("cause", "code"), [(Cause.QUOTA, ExitCode.STOPPED_EARLY), (Cause.TLS, ExitCode.BAD_CONFIG)], ids=str
)
def test_what_no_waiting_mends_stops_the_run_at_once(cause: Cause, code: ExitCode) -> None:
    """A spend limit, a certificate: nothing is marked failed."""
    assert judged(cause) == Verdict(Action.STOP, stops_run=True, exit_code=code)


def test_the_third_refusal_in_a_row_stops_the_run() -> None:
    """One 403 may be one item's, two a coincidence; three are the key's: exit 77."""
    assert judged(Cause.CREDENTIALS, strikes=1).action is Action.RETRY
    assert judged(Cause.CREDENTIALS, strikes=2, tries=2, counted=2).action is Action.RETRY
    third = judged(Cause.CREDENTIALS, strikes=3, tries=3, counted=3)
    assert third == Verdict(Action.STOP, stops_run=True, exit_code=ExitCode.NO_CREDENTIALS)
    assert judged(Cause.CREDENTIALS, strikes=30, counted=99).action is Action.STOP


def test_the_fifth_answer_in_a_row_that_no_sink_takes_stops_the_run() -> None:
    """Each of those items fails for this run only; the run goes on until it is plainly the sink's own trouble."""
    fourth, fifth = judged(Cause.SINK, strikes=4), judged(Cause.SINK, strikes=5)
    assert (fourth.action, fourth.final, fourth.stops_run) == (Action.FAIL, False, False)
    assert (fifth.action, fifth.final, fifth.stops_run) == (Action.FAIL, False, True)
    assert fifth.exit_code is ExitCode.STOPPED_EARLY


def test_an_item_that_alone_is_refused_fails_in_the_end() -> None:
    """Where others are answered in between, its attempts run out like any other's; the next run asks it again."""
    verdict = judged(Cause.CREDENTIALS, strikes=1, counted=POLICY.max_attempts)
    assert verdict == Verdict(Action.FAIL, final=False)


# -- attempts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", [cause for cause in RETRIED if cause not in FREE])
def test_the_last_attempt_is_the_last(cause: Cause) -> None:
    """The eighth failure ends the item for this run, the seventh does not; the next run asks again."""
    assert judged(cause, counted=7, tries=7).action is Action.RETRY
    assert judged(cause, counted=8, tries=8) == Verdict(Action.FAIL, final=False)


@pytest.mark.parametrize("cause", FREE)
@pytest.mark.parametrize("counted", [0, 7, 8, 10_000])
def test_what_is_not_the_items_doing_costs_no_attempt(cause: Cause, counted: int) -> None:
    """A night of rate limits, or too few open files, fails nobody."""
    assert not RULES[cause].costs_attempt
    assert judged(cause, counted=counted, tries=10_000).action is Action.RETRY


def test_a_single_attempt_is_a_policy_too() -> None:
    """--max-attempts 1 never asks twice."""
    failure = Failure(Cause.BROKEN, "")
    assert judge(failure, RetryPolicy(max_attempts=1), 1, 1, 1, 0.5).action is Action.FAIL


# -- delays ------------------------------------------------------------------------------------------------------------


@given(tries, chances)
def test_the_backoff_is_spread_over_its_whole_width(failed: int, chance: float) -> None:
    """Full jitter: anything from 0 to the exponential bound, which is capped at 30 s, at the ten-thousandth try too."""
    bound = min(30.0, 0.5 * 2.0 ** min(failed - 1, 60))
    assert backoff(POLICY, failed, chance) == pytest.approx(chance * bound)


def test_the_bound_doubles_until_the_cap() -> None:
    """Half a second, one, two, four, ... thirty."""
    bounds = [backoff(POLICY, failed, 1.0) for failed in range(1, 10)]
    assert bounds == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@given(st.integers(1, 10**18), chances)
def test_no_count_of_tries_overflows(failed: int, chance: float) -> None:
    """However long the night."""
    assert 0 <= backoff(POLICY, failed, chance) <= POLICY.cap


@given(
    cause=st.sampled_from(RETRIED),
    retry_after=st.floats(0, POLICY.longest_wait),
    tries=tries,
    chance=chances,
)
def test_a_provider_is_never_asked_sooner_than_it_said(
    cause: Cause, retry_after: float, tries: int, chance: float
) -> None:
    """Nor much later: jitter of a tenth and half a second, so that not all come at the same moment."""
    verdict = judged(cause, retry_after=retry_after, tries=tries, chance=chance)
    assert verdict.delay >= retry_after
    if retry_after:
        assert verdict.delay <= retry_after * 1.1 + POLICY.base
    assert math.isfinite(verdict.delay)


def test_those_who_were_told_the_same_come_at_different_moments() -> None:
    """Jitter on top of the wait."""
    waits = {judged(Cause.RATE_LIMITED, retry_after=60, tries=5, chance=chance / 10).delay for chance in range(10)}
    assert len(waits) == 10


@pytest.mark.parametrize("cause", RETRIED)
def test_a_wait_that_no_night_can_bear_stops_the_run_resumably(cause: Cause) -> None:
    """At once: waiting for a reset that lies weeks ahead would be silence for ever."""
    verdict = judged(cause, retry_after=POLICY.longest_wait + 1)
    assert (verdict.action, verdict.exit_code) == (Action.STOP, ExitCode.STOPPED_EARLY)


def test_one_items_refusals_count_once_when_others_are_answered() -> None:
    """Its own 403 must not stop everybody's night; but three items, or a key that never worked, do."""
    strikes = Strikes()
    assert [strikes.note(Cause.CREDENTIALS, "a") for _ in range(3)] == [1, 2, 3]
    strikes.answered()
    assert [strikes.note(Cause.CREDENTIALS, id) for id in "aaab"] == [1, 1, 1, 2]
    assert strikes.note(Cause.BROKEN, "c") == 1
    assert strikes.note(Cause.CREDENTIALS, "d") == 1


@pytest.mark.parametrize("cause", [Cause.RATE_LIMITED, Cause.OVERLOADED])
def test_a_wait_of_no_seconds_is_no_advice(cause: Cause) -> None:
    """`retry-after: 0` from a provider that goes on refusing must not become a knock twice a second all night."""
    assert judged(cause, retry_after=0.0, tries=20) == judged(cause, retry_after=None, tries=20)


# -- the backend -------------------------------------------------------------------------------------------------------


def test_a_rate_limit_is_news_for_the_whole_backend() -> None:
    """All wait as long as the provider said, or as long as this item does where it said nothing."""
    assert judged(Cause.RATE_LIMITED, retry_after=60).hold == 60
    silent = judged(Cause.RATE_LIMITED, tries=5)
    assert silent.hold == silent.delay > 0


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.RATE_LIMITED])
def test_any_other_failure_holds_nobody_else(cause: Cause) -> None:
    """One item's broken wire is no reason for others to wait."""
    assert judged(cause, retry_after=60).hold == 0


# -- the log -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict(Action.RETRY, 2.25), "ask again in 2.2 s"),
        (Verdict(Action.RETRY, 2.0, hold=2.0), "ask again in 2.0 s; nobody is asked for 2.0 s"),
        (Verdict(Action.FAIL, final=True), "the item fails, for good"),
        (Verdict(Action.FAIL), "the item fails; the next run asks it again"),
        (Verdict(Action.SHELVE, exit_code=ExitCode.BAD_CONFIG), "items of this model stay pending, exit 78"),
        (
            Verdict(Action.STOP, stops_run=True, exit_code=ExitCode.NO_CREDENTIALS),
            "the run stops, nothing is marked failed (exit 77)",
        ),
    ],
)
def test_a_verdict_is_logged_in_words(verdict: Verdict, words: str) -> None:
    """Somebody reads the log at three in the morning."""
    assert str(verdict) == words
