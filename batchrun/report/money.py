"""Money in words: what a run may cost before it begins, and what it has spent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchrun.report.plain import counted, dollars

if TYPE_CHECKING:
    from batchrun.prices.bill import Outlook
    from batchrun.spent import Spent


def outlook_words(outlook: Outlook) -> str:
    """For the start line."""
    unknown, unbounded = ", ".join(outlook.unknown), ", ".join(outlook.unbounded)
    if outlook.span is not None:
        parts = [f"cost {dollars(outlook.span.low)} to {dollars(outlook.span.high)}"]
        parts += [f"without {unknown} (no known price)"] if unknown else []
        parts += [f"without {unbounded} (not every item has a bound)"] if unbounded else []
        return ", ".join(parts)
    why = [f"no price is known for {unknown}"] if unknown else []
    why += [f"not every item of {unbounded} has a bound"] if unbounded else []
    return f"cost unknown: {', '.join(why)}"


def spent_words(spent: Spent) -> str:
    """What a run has paid so far; "" where there is nothing to tell."""
    parts = [dollars(spent.usd)] if spent.usd is not None else []
    if spent.items_unpriced:
        parts.append(f"{counted(spent.items_unpriced, 'item')} of unknown price")
    if spent.wasted_usd_estimate:
        parts.append(f"about {dollars(spent.wasted_usd_estimate)} more on failed attempts")
    return ", ".join(parts)
