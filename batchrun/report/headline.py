"""The night in one sentence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchrun.plural import agreed
from batchrun.report.plain import count, counted, duration

if TYPE_CHECKING:
    from batchrun.report.census import Totals
    from batchrun.report.summary import Summary


def headline(summary: Summary) -> str:
    """What a person reads first, and what a mail's subject may be."""
    total, totals = summary.total, summary.totals
    if total == 0:
        return "The job file holds no items."
    known = total if total is not None else totals.finished
    answered = f"{count(totals.done)} of {counted(known, 'item')} answered"
    return f"{answered}{_when(summary)}; {'; '.join(_rest(summary))}."


def _when(summary: Summary) -> str:
    totals, tonight = summary.totals, summary.tonight
    if summary.night.is_running:
        return f" so far, after {duration(summary.night.seconds)}"
    if not tonight.finished:
        return ", none of them this night" if totals.done else ""
    took = f" in {duration(summary.night.seconds)}"
    return took if tonight.done == totals.done else f", {count(tonight.done)} of them this night{took}"


def _rest(summary: Summary) -> list[str]:
    totals = summary.totals
    rest = [f"{count(totals.failed)} failed{_kept(totals)}"] if totals.failed else []
    rest += [f"{count(totals.refused)} refused"] if totals.refused else []
    rest += [f"{count(totals.incomplete)} incomplete"] if totals.incomplete else []
    match summary.pending:
        case None:
            rest.append("how many are pending is not known")
        case 0:
            rest.append("nothing pending")
        case pending:
            rest.append(f"{count(pending)} pending")
    return rest


def _kept(totals: Totals) -> str:
    kept = totals.kept + totals.given_up.kept
    if kept == totals.failed:
        return f", {agreed(kept, 'its answer is', 'their answers are')} kept" if kept else ""
    return f", {count(kept)} of them with an answer that is kept" if kept else ""
