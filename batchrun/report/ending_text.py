"""How a run ended, and what to do next, in the words that `status` and `report` share. Pure."""

from __future__ import annotations

from batchrun.plural import agreed, counted
from batchrun.report.night import How, NightRun
from batchrun.report.page import Command, Page, Tone, Words
from batchrun.report.plain import shorten
from batchrun.report.words import exit_word


def resume_page(command: str | None, why: str) -> Page:
    """What to do next; always the last lines."""
    if command is None:
        return [Words(f"{why[:1].upper()}{why[1:]}.", Tone.STRONG)]
    return [Command(f"To go on ({why}):", command)]


def changed_words(items: int) -> str:
    """Finished items whose line asks something else now."""
    which = counted(items, "finished item asks something else", "finished items ask something else")
    kept, them = agreed(items, "answer was", "answers were"), agreed(items, "it", "them")
    return f"{which} there now; the old {kept} kept (--changed ask asks {them} again)"


def run_words(run: NightRun) -> Words:
    """How a run ended."""
    match run.how:
        case How.RUNNING:
            return Words("still running", Tone.GOOD)
        case How.KILLED:
            return Words("killed (kill -9, out of memory or power): it wrote no end", Tone.BAD)
        case How.ENDED:
            word = "ended" if run.exit_code == 0 else "ended; not every item has a full answer"
            return Words(f"{word} (exit {run.exit_code})", Tone.PLAIN if run.exit_code == 0 else Tone.WARN)
        case How.DRAINED:
            return Words(f"stopped early, in order: {run.reason} (exit {run.exit_code})", Tone.WARN)
        case How.HALTED:
            return Words(f"stopped at once by a second signal: {run.reason} (exit {run.exit_code})", Tone.WARN)
        case How.STOPPED:
            # Of an older run that left items of an unknown model: it came to its end all the same, and told no reason.
            is_told = run.reason not in (None, "", "finished")
            reason = str(run.reason) if is_told else exit_word(run.exit_code or 0)
            return Words(f"stopped: {shorten(reason, 200)} (exit {run.exit_code})", Tone.BAD)
