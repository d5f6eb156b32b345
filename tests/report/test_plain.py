"""What a person reads: short, never wrong, and never able to steer a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.report.plain import clock, counted, dollars, duration, moment, percent, printable, rate, shorten, stamp


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0.00 s"),
        (0, "0.00 s"),
        (0.4166, "0.42 s"),
        (0.996, "1.0 s"),
        (1.24, "1.2 s"),
        (9.96, "10 s"),
        (41.4, "41 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (41 * 60, "41 min"),
        (119.6 * 60, "2 h 00 min"),
        (3 * 3600 + 5 * 60, "3 h 05 min"),
        (47 * 3600 + 59.9 * 60, "48 h 00 min"),
        (52 * 3600, "2 d 4 h"),
    ],
)
def test_a_duration_is_said_in_the_units_that_a_person_would_use(seconds: float, said: str) -> None:
    """Two digits that matter below ten seconds, whole seconds, minutes, hours and minutes, days and hours."""
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.001, "<1 %"), (0.012, "1 %"), (0.5, "50 %"), (0.994, "99 %"), (0.9999, ">99 %"), (1, "100 %")],
)
def test_a_share_is_none_or_all_only_when_it_is(share: float, said: str) -> None:
    """Two failures in a million are not 0 %, and one pending item is not 100 %."""
    assert percent(share) == said


def test_figures_are_grouped_and_nouns_agree() -> None:
    """Thousands are set apart, one item is no items, a rate has the digits that matter, money its cents."""
    assert counted(1, "item") == "1 item"
    assert counted(12345, "item") == "12,345 items"
    assert (rate(7.26), rate(1204.4)) == ("7.3", "1,204")
    told = ["$0.00", "$0.000024", "$0.0042", "$0.25", "$1,234.50"]
    assert [dollars(usd) for usd in (0, 0.0000241, 0.0042, 0.25, 1234.5)] == told


def test_a_time_of_day_shows_its_date_only_on_another_day() -> None:
    """In the reader's zone, not in that of the files."""
    zone = timezone(timedelta(hours=9))
    now = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)  # 10:00 of the 21st there
    assert clock(datetime(2026, 11, 20, 22, 0, 5, tzinfo=UTC), now, zone) == "07:00:05"
    assert clock(datetime(2026, 11, 20, 13, 0, tzinfo=UTC), now, zone) == "2026-11-20 22:00"


def test_a_stamp_comes_back_as_it_went() -> None:
    """Times are written and read in one form, which sorts as text."""
    assert stamp(moment("2026-11-21T03:12:45.123Z")) == "2026-11-21T03:12:45.123Z"


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J\x1b]0;title\x07",
        "\x9b31m",
        "abc\u202egnp.exe",
        "\u2066\u2069\u200e\u200f\u061c",
        "a\rb\x08c\x7f",
        "\u2028\u2029\ufeff",
        "\ud800",
    ],
)
def test_text_cannot_steer_the_terminal(text: str) -> None:
    """No control, bidi mark, invisible separator or lone surrogate is left, whether in one line or in many."""
    steering = set(text) - set("abcegnpx.[]0;title231mJ ")
    assert not steering & set(printable(text))
    assert not steering & set(printable(text, keep_lines=True))


def test_line_breaks_and_tabs_become_a_space_or_stay() -> None:
    """An id is one line; an answer keeps its lines."""
    assert printable("a\r\n\tb") == "a b"
    assert printable("a\n\tb", keep_lines=True) == "a\n\tb"


@given(st.text(), st.integers(min_value=0, max_value=30))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    """Never wider than asked, and untouched where it fits."""
    short = shorten(text, width)
    assert len(short) <= max(width, 1)
    assert short == printable(text).strip() or short.endswith("…")
