"""What `run` shows while it works."""

from __future__ import annotations

from dataclasses import replace

from batchrun.cli.progress import summary_line
from batchrun.spent import Spent
from tests.test_telemetry import VIEW


def test_the_line_of_a_minute_tells_what_was_spent_where_that_is_known() -> None:
    """And nothing of money where it is not, or where nothing costs anything."""
    spent = replace(VIEW, spent=Spent(0.42, 40, 1, 0.01))
    assert "; spent $0.42, 1 item of unknown price, about $0.01 more on failed attempts; " in summary_line(spent)
    assert "spent" not in summary_line(replace(VIEW, spent=Spent(None, 0, 3)))
