"""What a user can choose of an export. Imports nothing, for the command line must know it before anything is read."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """Whose readers are to read it."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    CSV = "csv"
    JSONL = "jsonl"


class Order(StrEnum):
    """`input`: as the job file has the items, and no others. `finished`: as they ended, then what is pending."""

    INPUT = "input"
    FINISHED = "finished"
