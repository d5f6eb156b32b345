"""Facts go to stdout. How a page is drawn is known here, and nothing about what stands in it.

Whatever is printed passes `printable` here, so that no id, answer or error message can steer a terminal.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from batchrun.report.page import Block, Command, Page, Prose, Tone, Words
from batchrun.report.plain import UNFIT, printable
from batchrun.report.sparkline import ASCII, BLOCKS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

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
    """stdout, for what was asked for."""
    from rich.console import Console

    is_terminal = _is_terminal(sys.stdout)
    has_width = is_terminal or "COLUMNS" in os.environ
    console = Console(
        # FORCE_COLOR is not heeded: a pipe that gets colour breaks whoever reads it.
        force_terminal=is_terminal,
        width=None if has_width else UNSEEN_WIDTH,
        no_color="NO_COLOR" in os.environ or None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.width = min(console.width, WIDEST)
    return console


def width() -> int:
    """The columns that a page may use on stdout."""
    return facts().width


def marks() -> str:
    """The marks of a sparkline that stdout can show."""
    return BLOCKS if "utf" in (sys.stdout.encoding or "").lower() else ASCII


def bar_marks() -> str:
    """The marks of an empty and of a full bar; none where no bar belongs."""
    has_bars = _is_terminal(sys.stdout) and "NO_COLOR" not in os.environ
    return (marks()[1] + marks()[-1]) if has_bars else ""


def print_json(value: Any) -> None:
    """One JSON object, and nothing else, to stdout. UTF-8 whatever the locale; what could steer a terminal is escaped,
    which JSON allows in any string."""
    import json

    import orjson

    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # a lone surrogate, as an id may have it
        text = json.dumps(value, indent=2)
    safe = UNFIT.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    sys.stdout.flush()
    sys.stdout.buffer.write(safe.encode() + b"\n")
    sys.stdout.buffer.flush()


def draw(page: Page) -> None:
    """Print a page to stdout: one blank line between its parts."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An id in Thai on a terminal that only knows Latin: a question mark is better than no report.
        sys.stdout.reconfigure(errors="replace")
    console = facts()
    if console.is_terminal:
        _draw(console, page)
        return
    with console.capture() as captured:
        _draw(console, page)
    # A table is padded to its width, which nobody wants in a file.
    sys.stdout.write("\n".join(line.rstrip(" ") for line in captured.get().split("\n")))


def _draw(console: Console, page: Page) -> None:
    for place, part in enumerate(page):
        if place:
            console.print()
        match part:
            case Words():
                console.print(_text(part), soft_wrap=False)
            case Command():
                console.print(_text(Words(part.title, Tone.STRONG)))
                console.print(_text(Words(" " * INDENT + part.text)), soft_wrap=True)
            case Prose():
                _draw_prose(console, part)
            case Block():
                _draw_block(console, part)


def _draw_prose(console: Console, part: Prose) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(_text(Words(part.title, Tone.STRONG)))
    for line in printable(part.text, keep_lines=True).split("\n"):
        if console.is_terminal:
            # An empty Text would be drawn as no line at all.
            console.print(Padding(Text(line or " "), (0, 0, 0, INDENT), expand=False))
        else:
            console.print(Text(" " * INDENT + line), soft_wrap=True)


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


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
