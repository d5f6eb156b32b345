"""Checkpoint lines as the pure part of the report takes them: from outcomes, through the real format."""

from __future__ import annotations

from batchrun.journal.record import encode_checkpoint
from batchrun.outcome import Outcome
from batchrun.report.lines import Line, line_of
from batchrun.report.page import Block, Command, Page, Prose, Words


def lines(*outcomes: Outcome) -> list[Line]:
    """A line for each, in the order in which their results were written."""
    views = [line_of(encode_checkpoint(each, 1000 * place, 900)) for place, each in enumerate(outcomes, start=1)]
    return [view for view in views if view is not None]


def said(page: Page) -> str:
    """All that a page says, a row a line, without any drawing."""
    text = []
    for part in page:
        match part:
            case Words():
                text.append(part.text)
            case Command() | Prose():
                text += [part.title, part.text]
            case Block():
                text += [part.title, *(" | ".join(words.text for words in row) for row in part.rows)]
    return "\n".join(text)
