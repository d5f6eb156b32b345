"""The table of formats: what stands before the first item, and how an item becomes bytes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from batchrun.export.anthropic_lines import anthropic_line
from batchrun.export.choices import Format
from batchrun.export.csv_rows import HEAD, csv_row
from batchrun.export.openai_lines import openai_line
from batchrun.journal.record import to_json

_PENDING: dict[str, Any] = {
    "status": "pending",
    "text": "",
    "content": [],
    "stop_reason": None,
    "usage": {},
    "model": None,
    "error": None,
}


class Writing(NamedTuple):
    """How a format is written; `line` is given an id, and its result or None while it is pending."""

    head: bytes
    line: Callable[[str, dict[str, Any] | None], bytes]


def jsonl_line(id: str, result: dict[str, Any] | None) -> bytes:
    """The result as it stands in results.jsonl, without the checksum."""
    return to_json({"id": id} | _PENDING if result is None else result) + b"\n"


WRITINGS: dict[Format, Writing] = {
    Format.ANTHROPIC: Writing(b"", anthropic_line),
    Format.OPENAI: Writing(b"", openai_line),
    Format.CSV: Writing(HEAD, csv_row),
    Format.JSONL: Writing(b"", jsonl_line),
}


def written(format: Format, items: Iterable[tuple[str, dict[str, Any] | None]]) -> Iterator[bytes]:
    """The bytes of a whole export, an item at a time."""
    head, line = WRITINGS[format]
    if head:
        yield head
    for id, result in items:
        yield line(id, result)
