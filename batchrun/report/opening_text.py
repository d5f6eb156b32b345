"""What a run says of itself as it begins. Pure: counts and times come in."""

from __future__ import annotations

from datetime import datetime

from batchrun.plural import count, counted
from batchrun.report.plain import duration


def asked_words(asked: int, pending: int, total: int) -> str:
    """How much is asked now: all that is pending, or by `--limit` and `--only` a part of it."""
    if asked == pending:
        return f"{count(pending)} of {counted(total, 'item')} pending"
    beside = "" if total == pending else f" ({counted(total, 'item')} in all)"
    return f"asking {count(asked)} of {counted(pending, 'pending item')}{beside}"


def until_words(deadline: datetime, now: datetime) -> str:
    """Which moment a time of day was taken for; both are aware."""
    left = duration((deadline - now).total_seconds())
    return f"until {deadline.strftime('%a %H:%M')}, in {left}"
