"""The two consoles: facts go to stdout, remarks to stderr. How a page is drawn, and nothing about what stands in it.

Whatever is printed passes `printable` here, so that no id, answer or error message can steer a terminal.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from batchrun.report.page import Block, Page, Tone, Verbatim, Words
from batchrun.report.plain import UNFIT, count, duration, percent, printable
from batchrun.report.sparkline import ASCII, BLOCKS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "count",
    "draw",
    "duration",
    "facts",
    "marks",
    "percent",
    "print_json",
    "printable",
    "remark",
    "remarks",
    "width",
]

UNSEEN_WIDTH = 100  # where nobody tells how wide it is (a pipe, a mail from cron): fits most mail readers
WIDEST = 120  # beyond that the eye loses the line
INDENT = 2

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "red",
    Tone.FAINT: "dim",
    Tone.STRONG: "bold",
}


def facts() -> Console:
    """stdout: what was asked for."""
    return _console(stderr=False)


def remarks() -> Console:
    """stderr: what a person should know besides."""
    return _console(stderr=True)


def remark(text: str) -> None:
    """One remark in one line."""
    sys.stderr.write(f"batchrun: {printable(text)}\n")


def width() -> int:
    """The columns that a page may use on stdout."""
    return min(facts().width, WIDEST)


def marks() -> str:
    """The marks of a sparkline that stdout can show."""
    return BLOCKS if "utf" in (sys.stdout.encoding or "").lower() else ASCII


def print_json(value: Any) -> None:
    """One JSON object, and nothing else, to stdout. UTF-8 whatever the locale; what could steer a terminal is escaped,
    which JSON allows in any string."""
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    safe = UNFIT.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    sys.stdout.flush()
    sys.stdout.buffer.write(safe.encode() + b"\n")
    sys.stdout.buffer.flush()


def draw(page: Page) -> None:
    """Print a page to stdout: one blank line between its parts."""
    console = facts()
    if console.is_terminal:
        _draw(console, page)
        return
    with console.capture() as captured:
        _draw(console, page)
    # A table is padded to its width, which nobody wants in a file.
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def _draw(console: Console, page: Page) -> None:
    for place, part in enumerate(page):
        if place:
            console.print()
        match part:
            case Words():
                console.print(_text(part), soft_wrap=False)
            case Verbatim():
                _draw_verbatim(console, part)
            case Block():
                _draw_block(console, part)


def _draw_verbatim(console: Console, part: Verbatim) -> None:
    # Never folded: a command that is folded cannot be copied, and an answer has its own lines.
    console.print(_text(Words(part.title, Tone.STRONG)))
    for line in printable(part.text, keep_lines=True).split("\n"):
        console.print(_text(Words(" " * INDENT + line)), soft_wrap=True)


def _draw_block(console: Console, block: Block) -> None:
    from rich.padding import Padding

    if block.title:
        console.print(_text(Words(block.title, Tone.STRONG)))
    console.print(Padding(_table(block), (0, 0, 0, INDENT if block.title else 0), expand=False), soft_wrap=False)


def _table(block: Block) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=bool(block.head), padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    columns = max((len(row) for row in block.rows), default=0)
    for place in range(columns):
        is_last = place == columns - 1 and place not in block.numeric
        table.add_column(
            block.head[place] if block.head else "",
            justify="right" if place in block.numeric else "left",
            overflow="fold",
            no_wrap=not is_last,
        )
    for row in block.rows:
        table.add_row(*(_text(words) for words in row))
    return table


def _text(words: Words) -> Text:
    from rich.text import Text

    # A Text, never markup: "[bold]" in an id is an id.
    return Text(printable(words.text), style=_STYLES[words.tone])


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    has_width = is_terminal or "COLUMNS" in os.environ
    return Console(
        stderr=stderr,
        # FORCE_COLOR is not heeded: a pipe that gets colour breaks whoever reads it.
        force_terminal=is_terminal,
        width=None if has_width else UNSEEN_WIDTH,
        no_color="NO_COLOR" in os.environ or None,
        highlight=False,
        markup=False,
        emoji=False,
    )
