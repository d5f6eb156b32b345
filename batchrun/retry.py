"""Failure -> verdict -> delay. Pure: chance comes in as an argument.

Retried is what stands in the table as retried, by its cause and never by the text of a message. The table also feeds
the guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from batchrun.errors import ExitCode
from batchrun.failure import Cause, Failure


class Action(Enum):
    """What becomes of the item."""

    RETRY = "ask again"
    FAIL = "the item fails"
    SHELVE = "items of this model stay pending, exit 78"
    STOP = "the run stops, nothing is marked failed"


@dataclass(frozen=True, slots=True)
class Rule:
    """`costs_attempt`: whether a retry counts towards the limit; `holds_backend`: the whole backend waits, not this
    item alone; `strikes`: how many in a row it takes until the run stops (0: it never does); `exit_code` is that of
    the stop. FAIL with strikes fails the item all the same."""

    action: Action
    costs_attempt: bool = True
    holds_backend: bool = False
    strikes: int = 0
    exit_code: ExitCode = ExitCode.SOME_FAILED


RULES: dict[Cause, Rule] = {
    Cause.RATE_LIMITED: Rule(Action.RETRY, costs_attempt=False, holds_backend=True),
    Cause.OVERLOADED: Rule(Action.RETRY),
    Cause.SERVER_ERROR: Rule(Action.RETRY),
    Cause.CONNECT: Rule(Action.RETRY),
    Cause.BROKEN: Rule(Action.RETRY),
    Cause.FIRST_BYTE: Rule(Action.RETRY),
    Cause.SILENT: Rule(Action.RETRY),
    Cause.STALLED: Rule(Action.RETRY),
    Cause.TOO_LONG: Rule(Action.RETRY),
    Cause.TRUNCATED: Rule(Action.RETRY),
    Cause.PROTOCOL: Rule(Action.RETRY),
    Cause.LOCAL: Rule(Action.RETRY, costs_attempt=False),
    Cause.BAD_REQUEST: Rule(Action.FAIL),
    Cause.TOO_LARGE: Rule(Action.FAIL),
    Cause.BUG: Rule(Action.FAIL),
    # One answer may be more than a sink can take; five in a row are the sink's own trouble. Nothing is paid twice: the
    # next run delivers what was kept.
    Cause.SINK: Rule(Action.FAIL, strikes=5, exit_code=ExitCode.STOPPED_EARLY),
    Cause.UNKNOWN_MODEL: Rule(Action.SHELVE, exit_code=ExitCode.BAD_CONFIG),
    # One 403 may be one item's; three in a row are the key's.
    Cause.CREDENTIALS: Rule(Action.STOP, strikes=3, exit_code=ExitCode.NO_CREDENTIALS),
    Cause.QUOTA: Rule(Action.STOP, strikes=1, exit_code=ExitCode.STOPPED_EARLY),
    Cause.TLS: Rule(Action.STOP, strikes=1, exit_code=ExitCode.BAD_CONFIG),
}
# What the item itself earned: asking again tomorrow gives the same answer, so it needs `--retry`.
FINAL = frozenset({Cause.BAD_REQUEST, Cause.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`base` and `cap` of the backoff in seconds; base is the SDK's own first delay, cap the articles'. `longest_wait`
    is how many seconds of waiting a run can bear: as long as it may go on without finishing anything."""

    max_attempts: int = 8  # the articles' 5 lose 6 items of 10,000 at 22 % faults
    base: float = 0.5
    cap: float = 30.0
    longest_wait: float = 3600.0


class Strikes:
    """Failures of one cause in a row on one backend.

    Once the backend has answered anything, an item counts once only: its own 403 must not stop everybody's night.
    """

    def __init__(self) -> None:
        self._cause: Cause | None = None
        self._ids: list[str] = []
        self._has_answered = False

    def __repr__(self) -> str:
        return f"<Strikes {self._cause} by {self._ids}>"

    def answered(self) -> None:
        self._has_answered = True
        self._ids.clear()

    def note(self, cause: Cause, id: str) -> int:
        """Take in a failure; gives how many of its cause there were in a row, this one included."""
        if cause is not self._cause:
            self._cause = cause
            self._ids.clear()
        if not self._has_answered or id not in self._ids:
            self._ids.append(id)
        return len(self._ids)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`delay` in seconds until the next attempt (RETRY only); `hold` in seconds for the whole backend, 0 for none;
    `final` says whether a failure stands for ever (FAIL only). With `stops_run` the run ends, with `exit_code`."""

    action: Action
    delay: float = 0.0
    hold: float = 0.0
    final: bool = False
    stops_run: bool = False
    exit_code: ExitCode = ExitCode.SOME_FAILED

    def __str__(self) -> str:
        """For the log."""
        words = self.action.value
        if self.action is Action.RETRY:
            words += f" in {self.delay:.1f} s"
        elif self.action is Action.FAIL:
            words += ", for good" if self.final else "; the next run asks it again"
        if self.hold:
            words += f"; nobody is asked for {self.hold:.1f} s"
        if self.stops_run:
            words += f" (exit {self.exit_code:d})"
        return words


def backoff(policy: RetryPolicy, failed_attempts: int, chance: float) -> float:
    """Exponential backoff with full jitter (chance in [0, 1)): spreads a herd better than any fixed share of jitter."""
    # The exponent is bounded so that a long night of rate limits cannot overflow.
    return chance * min(policy.cap, policy.base * 2.0 ** min(failed_attempts - 1, 32))


def judge(failure: Failure, policy: RetryPolicy, counted: int, tries: int, strikes: int, chance: float) -> Verdict:
    """What becomes of an item after a failed attempt.

    Args:
        counted: failed attempts that count towards the limit, this one included if its rule says so.
        tries: all failed attempts so far, this one included; sets the backoff.
        strikes: failures of this cause in a row on this backend, this one included.
        chance: uniform in [0, 1).
    """
    rule = RULES[failure.cause]
    stops_run = 0 < rule.strikes <= strikes
    if rule.action is Action.STOP and stops_run:
        return Verdict(Action.STOP, stops_run=True, exit_code=rule.exit_code)
    if rule.action is Action.FAIL:
        return Verdict(Action.FAIL, final=failure.cause in FINAL, stops_run=stops_run, exit_code=rule.exit_code)
    if rule.action is Action.SHELVE:
        return Verdict(Action.SHELVE, exit_code=rule.exit_code)
    if (failure.retry_after or 0.0) > policy.longest_wait:
        return Verdict(Action.STOP, stops_run=True, exit_code=ExitCode.STOPPED_EARLY)
    # An item may not fail of what stops the run before it could stop it.
    if rule.costs_attempt and counted >= max(policy.max_attempts, rule.strikes):
        return Verdict(Action.FAIL, final=False)
    delay = backoff(policy, tries, chance)
    if not failure.retry_after:  # "0" is no advice: taken at its word it would have a limit knocked at all night
        return Verdict(Action.RETRY, delay, hold=delay if rule.holds_backend else 0.0)
    # Never sooner than the provider asked, and not all at the same moment.
    wait = failure.retry_after + min(delay, 0.1 * failure.retry_after + policy.base * chance)
    return Verdict(Action.RETRY, wait, hold=failure.retry_after if rule.holds_backend else 0.0)
