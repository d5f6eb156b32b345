"""What a night cost, in a block of the page. Pure."""

from __future__ import annotations

from batchrun.report.cost import Cost
from batchrun.report.page import Block, Row, Tone, row
from batchrun.report.plain import counted, dollars


def cost_block(cost: Cost) -> Block:
    """Known, estimated and unknown are told apart, and unknown is never told as nothing."""
    if cost.simulated:
        return Block("Cost", (row("answers", "nothing: simulated"),))
    rows = [*_answers(cost), *_undelivered(cost), *_unpriced(cost), *_waste(cost), *_cache(cost)]
    if cost.month_usd is not None:
        least = "at least " if _is_lower_bound(cost) else ""
        rows.append(row("a month", f"{least}{dollars(cost.month_usd)}, if each day is like this one"))
    return Block("Cost", tuple(rows))


def _answers(cost: Cost) -> list[Row]:
    if cost.usd is None:
        if cost.undelivered.items and not cost.items_unpriced:
            return []
        return [row("answers", "not known" if cost.items_unpriced else "no item was answered")]
    each = f", {dollars(cost.usd_an_item)} an item" if cost.usd_an_item is not None and cost.items_priced > 1 else ""
    return [row("answers", f"{dollars(cost.usd)} for {counted(cost.items_priced, 'item')}{each}")]


def _undelivered(cost: Cost) -> list[Row]:
    """Paid and kept: no part of the waste."""
    found = cost.undelivered
    parts = [f"{dollars(found.usd)} for {counted(found.priced, 'answer')}"] if found.usd is not None else []
    parts += [f"{counted(found.unpriced, 'answer')} of unknown price"] if found.unpriced else []
    return [row("not delivered", f"{' and '.join(parts)}; kept")] if parts else []


def _is_lower_bound(cost: Cost) -> bool:
    return bool(cost.items_unpriced or cost.wasted_tokens_unpriced or cost.undelivered.unpriced)


def _unpriced(cost: Cost) -> list[Row]:
    if not cost.items_unpriced:
        return []
    why = ""
    if cost.unknown_models:
        tables = ", ".join(f'[prices."{model}"]' for model in cost.unknown_models)
        why = f"; for the next run batchrun.toml can set {tables}"
    return [row("unknown", f"{counted(cost.items_unpriced, 'item')} of unknown price{why}", Tone.WARN)]


def _waste(cost: Cost) -> list[Row]:
    parts = []
    if cost.wasted_usd_estimate:
        parts.append(f"about {dollars(cost.wasted_usd_estimate)} on failed attempts (an estimate, without their input)")
    if cost.wasted_tokens_unpriced:
        parts.append(f"{counted(cost.wasted_tokens_unpriced, 'token')} of unknown price")
    return [row("waste", "; ".join(parts))] if parts else []


def _cache(cost: Cost) -> list[Row]:
    saved = cost.saved_by_cache_usd
    if not saved:
        return []
    if saved < 0:
        return [row("cache", f"cost {dollars(-saved)} more than it saved")]
    return [row("cache", f"saved {dollars(saved)}")]
