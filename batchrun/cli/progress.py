"""What `run` shows while it works: a live view on a terminal, else a plain line a minute, or nothing. On stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from batchrun.cli.streams import DEAF, remark
from batchrun.plural import counted
from batchrun.report.money import spent_words
from batchrun.report.plain import duration, printable
from batchrun.report.words import limit_word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from batchrun.tally import View
    from batchrun.teller import Teller

PLAIN_SECONDS = 60.0
LIVE_HZ = 4  # smooth to the eye; a thread that draws more often takes time from the loop


def teller_for(*, quiet: bool) -> Teller:
    """The teller that fits: nothing but remarks where quiet is wanted, the live view on a terminal, else plain
    lines."""
    if quiet:
        return QuietTeller()
    fancy = sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return LiveTeller() if fancy else PlainTeller()


class QuietTeller:
    """For cron: only remarks, which are there because somebody should know.

    A terminal that was closed, a full log or a reader that went away must not cost a paid answer: what cannot be told
    is not told.
    """

    def say(self, text: str) -> None:
        remark(text)

    def note(self, text: str) -> None:
        pass

    def begin(self, text: str) -> None:
        pass

    @contextmanager
    def watching(self, view: Callable[[], View]) -> Iterator[None]:
        yield

    def period(self, view: View) -> None:
        pass


class PlainTeller(QuietTeller):
    """For logs: a line a minute."""

    def __init__(self) -> None:
        self._last = 0.0

    def note(self, text: str) -> None:
        self.say(text)

    def begin(self, text: str) -> None:
        self.say(text)

    def period(self, view: View) -> None:
        if view.elapsed - self._last >= PLAIN_SECONDS:
            self._last = view.elapsed
            self.say(summary_line(view))


class LiveTeller(QuietTeller):
    """For a terminal: a view that is redrawn in place."""

    def note(self, text: str) -> None:
        self.say(text)

    def begin(self, text: str) -> None:
        self.say(text)

    @contextmanager
    def watching(self, view: Callable[[], View]) -> Iterator[None]:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        live = Live(
            get_renderable=lambda: live_view(view()), console=console, refresh_per_second=LIVE_HZ, transient=True
        )
        with suppress(*DEAF):
            live.start()
        try:
            yield
        finally:
            with suppress(*DEAF):
                live.stop()


def summary_line(view: View) -> str:
    """One line that says how things stand."""
    parts = [
        f"{sum(view.finished.values()):,}/{view.total:,}",
        f"{view.finished['failed']:,} failed",
        f"{view.in_flight} in flight",
        f"{view.with_sinks} of them with the sinks" if view.with_sinks else "",
        counted(view.retries, "retry", "retries"),
        f"{view.tok_s:,.0f} tok/s",
        f"CPU {view.cpu:.0f} %" if view.cpu is not None else "CPU ?",
        f"spent {spent_words(view.spent)}" if view.spent.usd is not None else "",
        *(f"{name}: {counted(gate['slots'], 'slot')}, {_limit(gate)}" for name, gate in view.gates.items()),
        f"{duration(view.eta_s)} left" if view.eta_s is not None else "",
        f"stopping: {view.stopping}" if view.stopping else "",
    ]
    return "; ".join(part for part in parts if part)


def live_view(view: View) -> RenderableType:
    """The live view: a bar, and below it what an operator asks for."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    finished = sum(view.finished.values())
    head = Table.grid(padding=(0, 1), expand=False)
    percent = 100 * finished / view.total if view.total else 100.0
    left = f"{duration(view.eta_s)} left" if view.eta_s is not None else ""
    head.add_row(
        # Not in the bar's own red: nothing is wrong with a run that is half way.
        ProgressBar(total=max(view.total, 1), completed=finished, width=36, complete_style="bar.finished"),
        Text(f"{finished:,} of {view.total:,}"),
        Text(f"{percent:.0f} %", style="dim"),
        Text(f"{duration(view.elapsed)}, {left}" if left else duration(view.elapsed), style="dim"),
    )
    return Group(head, _counts(view), *_gate_lines(view), *_money(view), *_trouble(view))


def _limit(gate: dict[str, Any]) -> str:
    return f"limited by {limit_word(gate['limited_by'])}"


def _counts(view: View) -> RenderableType:
    from rich.text import Text

    text = Text("  ")
    words = {"done": "green", "incomplete": "yellow", "refused": "yellow", "failed": "red"}
    for word, colour in words.items():
        count = view.finished.get(word, 0)
        if count or word in ("done", "failed"):
            text.append(f"{count:,} {word}  ", style=colour if count else "dim")
    text.append(f"{view.pending:,} pending", style="dim")
    if view.backing_off:
        text.append(f", {view.backing_off:,} of them waiting to be asked again", style="yellow")
    if view.with_sinks:
        text.append(f", {view.with_sinks:,} of them waiting for the sinks", style="yellow")
    return text


def _gate_lines(view: View) -> list[RenderableType]:
    from rich.text import Text

    cpu = f"CPU {view.cpu:.0f} %" if view.cpu is not None else "CPU ?"
    lines: list[RenderableType] = [Text(f"  {view.tok_s:,.0f} tok/s, {cpu}")]
    for name, gate in view.gates.items():
        taken = f"  {name}: {gate['in_flight']} of {counted(gate['slots'], 'slot')}, "
        text = Text(taken, overflow="ellipsis", no_wrap=True)
        text.append(_limit(gate), style="bold")
        if gate["limited_by"] != "paused":  # of a pause the word says all
            text.append(f" ({gate['reason']})", style="dim")
        lines.append(text)
    return lines


def _money(view: View) -> list[RenderableType]:
    from rich.text import Text

    return [Text(f"  spent {spent_words(view.spent)}")] if view.spent.usd is not None else []


def _trouble(view: View) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = []
    if view.retries:
        causes = ", ".join(
            f"{count} {cause}" for cause, count in sorted(view.retried.items(), key=lambda pair: -pair[1])
        )
        lines.append(Text(f"  {counted(view.retries, 'failed attempt')}: {causes}", style="yellow"))
    if view.last_error is not None:
        error = view.last_error
        lines.append(
            Text(
                printable(f"  last failure: {error['id']}: {error['message']}"),
                style="red",
                overflow="ellipsis",
                no_wrap=True,
            )
        )
    if view.stopping:
        lines.append(
            Text(
                printable(f"  stopping ({view.stopping}): waiting for items in flight; again to stop now"),
                style="bold yellow",
            )
        )
    return lines
