"""Values as a person reads them: durations, counts, shares, clock times, and text made fit for a terminal.

Pure, and no word about runs or items: whoever prints (the report, the commands, the progress view) says those.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

# The report has all its words for values from here.
from batchrun.plural import count as count  # noqa: PLC0414 - handed on
from batchrun.plural import counted as counted  # noqa: PLC0414

# C0 and C1 controls move the cursor or retitle the window; bidi marks make a line read otherwise than it is; line
# separators and the byte order mark are invisible and break columns; a lone surrogate cannot be written at all.
UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_BREAKS = re.compile("[\t\n\r\u2028\u2029]+")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def printable(text: str, *, keep_lines: bool = False) -> str:
    """`text` without what could steer a terminal. Line breaks and tabs become one space, or stay with `keep_lines`."""
    if not keep_lines:
        text = _BREAKS.sub(" ", text)
    return UNFIT.sub("", text)


def shorten(text: str, width: int) -> str:
    """`text` in one printable line of at most `width` characters, the end cut off with an ellipsis."""
    line = printable(text).strip()
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def percent(share: float) -> str:
    """A share of 1 in whole per cent; what is little but not nothing (or nearly but not quite all) stays visible."""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share * 100:.0f} %"


def rate(per_second: float) -> str:
    """A figure a second: two digits that matter below 10, whole above."""
    return f"{per_second:.1f}" if per_second < 10 else count(per_second)


def dollars(usd: float) -> str:
    """US dollars to the cent; below ten cents as many digits as are needed to see something."""
    # Through Decimal, for a float would turn to powers of ten below a hundredth of a cent.
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${Decimal(f'{usd:.2g}'):f}"


def duration(seconds: float) -> str:
    """Seconds in the two units that a person would say: 0.42 s, 1.2 s, 41 s, 41 min, 3 h 05 min, 2 d 4 h."""
    seconds = max(seconds, 0.0)
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    minutes = round(seconds / _MINUTE)
    if minutes < 2 * _HOUR // _MINUTE:
        return f"{minutes} min"
    if seconds < 2 * _DAY:
        return f"{minutes * _MINUTE // _HOUR} h {minutes % (_HOUR // _MINUTE):02d} min"
    hours = round(seconds / _HOUR)
    return f"{hours * _HOUR // _DAY} d {hours % (_DAY // _HOUR)} h"


def clock(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """A time of day in `zone` (None: this machine's), with the date where it is not the day of `now`."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M")


def moment(stamp: str) -> datetime:
    """An RFC 3339 stamp of the files as a time; UTC where it names no zone.

    Raises:
        ValueError: it is no such stamp.
    """
    time = datetime.fromisoformat(stamp)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def stamp(time: datetime) -> str:
    """A time as the files write it: UTC, RFC 3339, milliseconds. Such stamps sort as text."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
