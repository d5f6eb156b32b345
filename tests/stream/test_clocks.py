"""The five clocks as rules: which deadline holds at which moment."""

from __future__ import annotations

import pytest

from batchrun.failure import Cause
from batchrun.stream.clocks import ClockLimits, Clocks

LIMITS = ClockLimits(connect=10.0, first_byte=120.0, idle=60.0, stall=600.0, total=3600.0)


def test_the_defaults_are_those_of_the_contract() -> None:
    """10 s to connect, 120 s to the first byte, 60 s of silence, 600 s of pings, an hour in all."""
    assert ClockLimits() == LIMITS


def test_the_first_byte_clock_runs_from_the_start() -> None:
    """F1: it is armed before anything is sent: on a kept connection no news of connecting ever comes."""
    clocks = Clocks(LIMITS, now=1000.0)
    assert clocks.is_waiting
    assert clocks.deadline() == (1120.0, Cause.FIRST_BYTE)


def test_the_first_byte_clock_stands_while_connecting() -> None:
    """F1: the connect clock is another one, and it is the transport's; meanwhile only the total clock runs."""
    clocks = Clocks(LIMITS, now=1000.0)
    clocks.connecting()
    assert clocks.deadline() == (4600.0, Cause.TOO_LONG)
    clocks.connected(now=1009.0)
    assert clocks.deadline() == (1129.0, Cause.FIRST_BYTE)


def test_any_byte_resets_the_idle_clock() -> None:
    """F2: a ping counts, half a line counts; silence does not."""
    clocks = Clocks(LIMITS, now=1000.0)
    clocks.received(now=1100.0)
    assert not clocks.is_waiting
    assert clocks.deadline() == (1160.0, Cause.SILENT)
    clocks.received(now=1159.0)
    assert clocks.deadline() == (1219.0, Cause.SILENT)


def test_only_progress_resets_the_stall_clock() -> None:
    """F3: bytes that bring nothing but pings do not count; the clock runs from the first byte."""
    clocks = Clocks(LIMITS, now=1000.0)
    clocks.received(now=1100.0)
    clocks.received(now=1690.0)
    assert clocks.deadline() == (1700.0, Cause.STALLED)
    clocks.progressed(now=1695.0)
    assert clocks.deadline() == (1750.0, Cause.SILENT)


def test_nothing_resets_the_total_clock() -> None:
    """F4: an endless drip ends."""
    clocks = Clocks(LIMITS, now=1000.0)
    clocks.connecting()
    clocks.connected(now=1005.0)
    clocks.received(now=4590.0)
    clocks.progressed(now=4590.0)
    assert clocks.deadline() == (4600.0, Cause.TOO_LONG)


@pytest.mark.parametrize("news", ["none", "connecting", "received"])
def test_every_deadline_moves_with_the_time_in_which_we_did_not_read(news: str) -> None:
    """F5: whichever clock runs, it has afterwards what it had left before."""
    clocks = Clocks(LIMITS, now=1000.0)
    if news == "connecting":
        clocks.connecting()
    if news == "received":
        clocks.received(now=1010.0)
    before, cause = clocks.deadline()
    clocks.shift(25.0)
    assert clocks.deadline() == (before + 25.0, cause)
    clocks.received(now=before)
    clocks.received(now=4620.0)
    clocks.progressed(now=4620.0)
    assert clocks.deadline() == (4625.0, Cause.TOO_LONG)


def test_the_stall_clock_moves_too() -> None:
    """F5: pings that wait with us prove nothing against the provider."""
    clocks = Clocks(LIMITS, now=1000.0)
    clocks.received(now=1000.0)
    clocks.shift(25.0)
    clocks.received(now=1620.0)
    assert clocks.deadline() == (1625.0, Cause.STALLED)


def test_the_idle_clock_is_more_patient_after_each_silence() -> None:
    """F2: 1.5 times as long after each idle retry of the item, and never longer than the stall clock."""
    assert [LIMITS.after_idle_retries(count).idle for count in (0, 1, 2, 3)] == [60.0, 90.0, 135.0, 202.5]
    assert LIMITS.after_idle_retries(20).idle == LIMITS.stall
    assert LIMITS.after_idle_retries(0) == LIMITS


@pytest.mark.parametrize(
    ("cause", "limit"),
    [(Cause.FIRST_BYTE, "120"), (Cause.SILENT, "60"), (Cause.STALLED, "600"), (Cause.TOO_LONG, "3600")],
)
def test_each_clock_explains_itself_with_its_limit(cause: Cause, limit: str) -> None:
    """The log names the limit that was passed, so that the reader knows which flag to turn."""
    assert f" {limit} s" in Clocks(LIMITS, now=0.0).explain(cause)


def test_a_late_document_has_one_cause_on_any_connection() -> None:
    """On a kept connection its first-byte clock runs out with its total clock: the cause is the total clock's, as on a
    new one."""
    limits = ClockLimits(total=5.0).for_document()
    kept, new = Clocks(limits, 0.0), Clocks(limits, 0.0)
    new.connecting()
    new.connected(0.1)
    assert kept.deadline() == new.deadline() == (5.0, Cause.TOO_LONG)
