"""Numbers with what they count, as a person says them. Pure; every sentence that holds a count comes by here."""

from __future__ import annotations


def count(number: float) -> str:
    """A whole number with its thousands set apart: 12,345."""
    return f"{round(number):,}"


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """A number and its noun: `1 item`, `2 items`. Where the verb has to agree too it stands with the noun, and both are
    given in the plural: `counted(n, "item is", "items are")`."""
    return f"{count(number)} {agreed(number, noun, plural)}"


def agreed(number: float, noun: str, plural: str | None = None) -> str:
    """The noun alone, for a number that stands elsewhere."""
    return noun if round(number) == 1 else plural or noun + "s"
