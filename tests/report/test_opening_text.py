"""What a run says of itself as it begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from batchrun.report.opening_text import asked_words, until_words


@pytest.mark.parametrize(
    ("asked", "pending", "total", "words"),
    [
        (3, 3, 3, "3 of 3 items pending"),
        (1, 1, 1, "1 of 1 item pending"),
        (2, 3, 3, "asking 2 of 3 pending items"),
        (2, 2300, 5000, "asking 2 of 2,300 pending items (5,000 items in all)"),
    ],
)
def test_pending_means_the_same_before_and_after(asked: int, pending: int, total: int, words: str) -> None:
    """What `--limit` leaves out is pending too, as the last line of the run says."""
    assert asked_words(asked, pending, total) == words


def test_the_moment_of_a_deadline_is_told() -> None:
    """A time of day that has just passed is tomorrow's, and nobody should find that out in the morning."""
    now = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
    assert until_words(now + timedelta(hours=14), now) == "until Sun 06:30, in 14 h 00 min"
