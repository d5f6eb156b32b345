"""How much the pending jobs of one model ask, so that a price can be told before anything is sent. No prices here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from batchrun.jobs.job import Job

# What costs tokens that no number of bytes tells: a picture may be large and cheap, a document small and long.
_ATTACHMENTS = frozenset({"image", "document", "container_upload", "image_url", "file", "input_audio"})


@dataclass(slots=True)
class Volume:
    """`max_tokens` is the sum of what the items may answer, `input_bytes` that of their request bodies in UTF-8.
    `unbounded` counts items that name no bound on their answer, or carry more than text."""

    items: int = 0
    input_bytes: int = 0
    max_tokens: int = 0
    unbounded: int = 0

    def add(self, job: Job) -> None:
        limit = job.body.get("max_tokens") or job.body.get("max_completion_tokens")
        self.items += 1
        self.max_tokens += limit or 0
        if limit is None or _has_attachment(job.body["messages"]):
            self.unbounded += 1
        else:
            self.input_bytes += len(orjson.dumps(job.body))


def _has_attachment(holders: list[Any]) -> bool:
    """Whether any of these messages or blocks holds more than text, itself or in what a tool has answered."""
    for holder in holders:
        if not isinstance(holder, dict):
            continue
        content = holder.get("content")
        if holder.get("type") in _ATTACHMENTS or (isinstance(content, list) and _has_attachment(content)):
            return True
    return False
