"""A page of facts, before it is drawn: words with their tone, in blocks. How it looks is known to who draws it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a word means to an operator. Without colour each has to be plain from the words alone."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    FAINT = "faint"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Words:
    """A stretch of text in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Row = tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows in columns under a title. The last column takes the rest of the width and is folded into it; `numeric`
    columns stand to the right. `head` names the columns."""

    title: str
    rows: tuple[Row, ...]
    head: tuple[str, ...] = ()
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text under a title that is never folded and keeps its line breaks: a command to copy, an answer."""

    title: str
    text: str


Page = list[Words | Block | Verbatim]


def row(label: str, text: str, tone: Tone = Tone.PLAIN) -> Row:
    """A label and what there is to say."""
    return Words(label, Tone.FAINT), Words(text, tone)
