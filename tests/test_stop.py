"""The switch: first gently, then at once."""

from __future__ import annotations

import signal

import pytest

from batchrun.errors import PRECEDENCE, ExitCode, weightiest
from batchrun.stop import AT_ONCE_CODES, SIGNALS, Stopped, StopSwitch, signals_to


class Plug:
    """Notes what it was told to do."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.switch = StopSwitch()
        self.switch.begin()
        self.switch.on_drain = lambda: self.told.append("drain")
        self.switch.on_halt = lambda: self.told.append("halt")


def test_a_switch_that_nobody_touched_is_off() -> None:
    """No reason, no codes."""
    switch = StopSwitch()
    assert (switch.is_on, switch.reason, switch.codes, switch.halt_code) == (False, None, set(), None)
    assert repr(switch) == "<StopSwitch starting, off>"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_anything_was_sent_ends_the_program_resumably(number: signal.Signals) -> None:
    """Exit 75 as for any first signal, and with a sentence."""
    with pytest.raises(Stopped, match=f"{number.name} received before anything was sent") as caught:
        StopSwitch().signal(number)
    assert caught.value.exit_code is ExitCode.STOPPED_EARLY


def test_a_signal_cannot_cut_the_last_words_short() -> None:
    """Nothing is in flight any more, and the run's end has to be written."""
    plug = Plug()
    plug.switch.end()
    plug.switch.signal(signal.SIGTERM)
    assert (plug.told, plug.switch.is_on) == ([], False)


def test_handlers_are_given_back_and_an_ignored_signal_stays_ignored() -> None:
    """As `nohup` wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        term = signal.getsignal(signal.SIGTERM)
        with signals_to(StopSwitch()):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not term
        assert signal.getsignal(signal.SIGTERM) is term
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_drains(number: signal.Signals) -> None:
    """What is in flight may end: exit 75, with the signal as the reason."""
    plug = Plug()
    plug.switch.signal(number)
    assert plug.told == ["drain"]
    assert plug.switch.reason == f"{number.name} received"
    assert (plug.switch.codes, plug.switch.halt_code) == ({ExitCode.STOPPED_EARLY}, None)


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_halts_with_its_own_code(first: signal.Signals, second: signal.Signals) -> None:
    """128 plus its number, as shells expect, whatever the first one was."""
    plug = Plug()
    plug.switch.signal(first)
    plug.switch.signal(second)
    assert plug.told == ["drain", "halt"]
    assert plug.switch.halt_code == 128 + second
    assert plug.switch.reason == f"{first.name} received"


def test_further_signals_change_nothing() -> None:
    """A finger that stays on Ctrl-C."""
    plug = Plug()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        plug.switch.signal(number)
    assert plug.told == ["drain", "halt"]
    assert plug.switch.halt_code is ExitCode.INTERRUPTED


def test_a_signal_during_a_drain_of_our_own_is_still_the_first() -> None:
    """The answers in flight are paid: a run that drains for its quota gets its drain time after a SIGTERM too."""
    plug = Plug()
    plug.switch.drain("quota", ExitCode.STOPPED_EARLY)
    plug.switch.signal(signal.SIGTERM)
    assert (plug.told, plug.switch.reason) == (["drain"], "quota")
    plug.switch.signal(signal.SIGTERM)
    assert plug.told == ["drain", "halt"]
    assert plug.switch.halt_code is ExitCode.TERMINATED


def test_a_patient_drain_loses_its_patience_once() -> None:
    """A budget is used up, and nobody waits; then somebody does, and what is in flight is given its drain time."""
    plug = Plug()
    plug.switch.drain("spent", ExitCode.STOPPED_EARLY, is_patient=True)
    plug.switch.drain("spent again", ExitCode.STOPPED_EARLY, is_patient=True)
    assert (plug.told, plug.switch.is_patient) == (["drain"], True)
    plug.switch.signal(signal.SIGTERM)
    assert (plug.told, plug.switch.is_patient, plug.switch.reason) == (["drain", "drain"], False, "spent")
    plug.switch.drain("quota", ExitCode.STOPPED_EARLY)
    plug.switch.drain("spent", ExitCode.STOPPED_EARLY, is_patient=True)
    assert (plug.told, plug.switch.is_patient) == (["drain", "drain"], False)
    plug.switch.signal(signal.SIGTERM)
    assert plug.told == ["drain", "drain", "halt"]


def test_the_first_reason_is_told_and_every_code_counts() -> None:
    """A refused key after a spend limit: the run says the limit and exits with what weighs more."""
    plug = Plug()
    plug.switch.drain("spend limit", ExitCode.STOPPED_EARLY)
    plug.switch.drain("key refused", ExitCode.NO_CREDENTIALS)
    assert plug.told == ["drain"]
    assert plug.switch.reason == "spend limit"
    assert repr(plug.switch) == "<StopSwitch running, spend limit>"
    assert weightiest(plug.switch.codes) is ExitCode.NO_CREDENTIALS


def test_codes_weigh_in_the_order_of_the_contract() -> None:
    """What keeps the next night from working comes first: 74, 77, 78, 75, 1, 0; a job file that
    went away in mid-run stops the next night, too."""
    assert [int(code) for code in PRECEDENCE] == [74, 77, 78, 66, 75, 1, 0]
    for place, code in enumerate(PRECEDENCE):
        assert weightiest(set(PRECEDENCE[place:])) is code
    assert weightiest(set()) is ExitCode.OK


def test_every_signal_that_is_heard_has_a_code() -> None:
    """129, 130 and 143."""
    assert {int(AT_ONCE_CODES[number]) for number in SIGNALS} == {129, 130, 143}
    assert set(AT_ONCE_CODES) == set(SIGNALS)
