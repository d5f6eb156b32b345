"""What `run` shows while it works."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from batchrun.cli.progress import live_view, summary_line
from batchrun.spent import Spent
from tests.test_telemetry import VIEW


def test_the_line_of_a_minute_tells_what_was_spent_where_that_is_known() -> None:
    """And nothing of money where it is not, or where nothing costs anything."""
    spent = replace(VIEW, spent=Spent(0.42, 40, 1, 0.01))
    assert "; spent $0.42, 1 item of unknown price, about $0.01 more on failed attempts; " in summary_line(spent)
    assert "spent" not in summary_line(replace(VIEW, spent=Spent(None, 0, 3)))


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
