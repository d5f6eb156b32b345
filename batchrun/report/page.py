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
class Command:
    """A command to copy, under a title; never folded, for then it could not be copied."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """A request or an answer under a title, with its own line breaks. A screen folds it, a file gets it whole."""

    title: str
    text: str


Page = list[Words | Block | Command | Prose]


def row(label: str, text: str, tone: Tone = Tone.PLAIN) -> Row:
    """A label and what there is to say."""
    return Words(label, Tone.FAINT), Words(text, tone)
