"""What Typer needs to be told so that help and mistakes read as if a person had written them: `--help` takes no value,
and a word that is none of a few is told with those few. No command is known here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

Word = TypeVar("Word", bound=StrEnum)


class Command(TyperCommand):
    """A command whose help does not show `--help <bool>`."""

    def get_help_option(self, ctx: Any) -> Any:
        return _taking_nothing(super().get_help_option(ctx))


class Group(TyperGroup):
    """The same of a group of commands."""

    def get_help_option(self, ctx: Any) -> Any:
        return _taking_nothing(super().get_help_option(ctx))


def one_of(words: type[Word]) -> Callable[[str], Word]:
    """Reads one of these words; Typer's own reading says "Value error" first."""

    def read(text: str) -> Word:
        try:
            return words(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not among {', '.join(words)}") from None

    return read


def listed(words: Iterable[str]) -> str:
    """The words as the place of a value in the help."""
    return "|".join(words)


def _taking_nothing(option: Any) -> Any:
    if option is not None:
        option.metavar = ""
    return option
