"""What `run` shows while it works."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from batchrun.cli.progress import LiveTeller, PlainTeller, QuietTeller, live_view, summary_line
from batchrun.spent import Spent
from batchrun.tally import View
from tests.test_telemetry import VIEW


def test_the_line_of_a_minute_tells_what_was_spent_where_that_is_known() -> None:
    """And nothing of money where it is not, or where nothing costs anything."""
    spent = replace(VIEW, spent=Spent(0.42, 40, 1, 0.01))
    assert "; spent $0.42, 1 item of unknown price, about $0.01 more on failed attempts; " in summary_line(spent)
    assert "spent" not in summary_line(replace(VIEW, spent=Spent(None, 0, 3)))


def test_one_of_a_thing_is_told_as_one() -> None:
    """On the line of a minute and in the live view."""
    gate = {"slots": 1, "in_flight": 1, "limited_by": "max_slots", "reason": "at --max-slots"}
    one = replace(VIEW, retries=1, retried={"broken": 1}, gates={"claude": gate})
    assert "; 1 retry; " in summary_line(one)
    assert "; claude: 1 slot, limited by --max-slots" in summary_line(one)
    drawn = _drawn(one)
    assert "claude: 1 of 1 slot, " in drawn
    assert "1 failed attempt: 1 broken" in drawn


def test_a_pause_is_told_once() -> None:
    """Its reason says the same as its word."""
    gate = {"slots": 2, "in_flight": 0, "limited_by": "paused", "reason": "paused by batchrun tune"}
    drawn = _drawn(replace(VIEW, gates={"claude": gate}))
    assert "limited by `batchrun tune --pause`\n" in drawn


def test_what_is_as_it_was_meant_is_no_mail_from_cron(capsys: pytest.CaptureFixture[str]) -> None:
    """`--quiet` keeps remarks, and drops notes and the line at the start."""
    for teller in (QuietTeller(), PlainTeller(), LiveTeller()):
        teller.note("3 finished items are pending again")
        teller.begin("asking")
        teller.say("a torn end was cut off")
        told = capsys.readouterr().err.splitlines()
        assert told[-1] == "batchrun: a torn end was cut off"
        assert len(told) == (1 if type(teller) is QuietTeller else 3)


def _drawn(view: View) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(live_view(view))
    return "\n".join(line.rstrip() for line in captured.get().split("\n"))


def test_what_is_measured_of_the_run_is_shown_once_and_not_for_each_gate() -> None:
    """Two gates with all the run's tokens a second each would look like twice as many."""
    both = replace(VIEW, gates={"claude": VIEW.gates["claude"], "local": VIEW.gates["claude"]})
    console = Console(width=100, color_system=None)
    with console.capture() as shown:
        console.print(live_view(both))
    lines = [line.strip() for line in shown.get().splitlines()]
    assert "123 tok/s, CPU 33 %" in lines
    assert "local: 5 of 8 slots, limited by too few items left to fill the slots (only 5 of 8 used)" in lines
    assert (shown.get().count("tok/s"), shown.get().count("CPU")) == (1, 1)


def test_what_is_too_long_for_the_terminal_is_cut_and_not_broken() -> None:
    """A view of lines that come and go jumps up and down."""
    console = Console(width=60, color_system=None)
    with console.capture() as shown:
        console.print(live_view(replace(VIEW, last_error=None)))
    [line] = [line.strip() for line in shown.get().splitlines() if "slots, limited by" in line]
    assert line.endswith("\u2026")
    assert "claude: 5 of 8 slots, limited by too few items left" in line
