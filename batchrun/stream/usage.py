"""What the usage of an answer says in tokens. A gateway may send anything there: what is no count says nothing, and
must not cost the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def count_of(value: object) -> int | None:
    """A number of tokens; None for all that is none, such as `true`, "12" or -1."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def told_tokens(usage: Mapping[str, Any], name: str) -> int:
    """The count of this name, 0 where it was not told."""
    return count_of(usage.get(name)) or 0
