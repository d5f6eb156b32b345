"""The usage of a chat completion in the words of the Messages API. Pure.

There the tokens that were read from a cache or written to it stand apart from the input; here they are part of it. So
they are taken out, and a price can be reckoned from both in the same way.
"""

from __future__ import annotations

from typing import Any

from batchrun.stream.usage import count_of


def usage_of(told: object) -> dict[str, Any]:
    """`input_tokens`, `output_tokens` and the cache's counts, as far as they were told, beside all else that was (the
    details, a gateway's own cost); empty where nothing was."""
    if not isinstance(told, dict):
        return {}
    usage = {
        name: value
        for name, value in told.items()
        if value is not None and name not in ("prompt_tokens", "completion_tokens")
    }
    details = told.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    read, written = count_of(details.get("cached_tokens")) or 0, count_of(details.get("cache_write_tokens")) or 0
    prompt, completion = count_of(told.get("prompt_tokens")), count_of(told.get("completion_tokens"))
    counts = {
        "input_tokens": None if prompt is None else max(0, prompt - read - written),
        "cache_read_input_tokens": read or None,
        "cache_creation_input_tokens": written or None,
        "output_tokens": completion,
    }
    return usage | {name: count for name, count in counts.items() if count is not None}
