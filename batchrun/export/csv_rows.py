"""Rows of a CSV file after RFC 4180, in UTF-8, that no spreadsheet takes for formulas. Pure.

What has no column (tool calls, thoughts) stands in the other formats.
"""

from __future__ import annotations

from typing import Any

from batchrun.export.result import count, error_of
from batchrun.journal.record import to_json

COLUMNS = (
    *("id", "status", "text", "stop_reason", "error", "model", "backend"),
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "cost_usd"),
    *("attempts", "elapsed", "wall", "ttft", "started", "finished", "metadata"),
)
HEAD = ",".join(COLUMNS).encode() + b"\r\n"

# What a spreadsheet would compute. An apostrophe before it makes it text, and is the custom of those who read it back.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_QUOTED = ('"', ",", "\r", "\n")


def csv_row(id: str, result: dict[str, Any] | None) -> bytes:
    fields = {"id": id, "status": "pending"} if result is None else _fields(result)
    row = ",".join(_cell(fields.get(name)) for name in COLUMNS)
    # Half a character, as an id may have it, is no UTF-8.
    return row.encode("utf-8", "backslashreplace") + b"\r\n"


def _fields(result: dict[str, Any]) -> dict[str, Any]:
    usage, error, metadata = result.get("usage"), error_of(result), result.get("metadata")
    return result | {
        "error": f"{error.get('cause')}: {error.get('message')}" if error else None,
        "input_tokens": count(usage, "input_tokens") if usage else None,
        "cache_read_tokens": count(usage, "cache_read_input_tokens") if usage else None,
        "cache_write_tokens": count(usage, "cache_creation_input_tokens") if usage else None,
        "output_tokens": result.get("tokens"),
        "metadata": None if metadata is None else to_json(metadata).decode(),
    }


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)  # a number of ours, which may be below 0 and is no formula
    text = f"'{value}" if value.startswith(_FORMULA) else value
    if any(mark in text for mark in _QUOTED):
        return '"' + text.replace('"', '""') + '"'
    return text
