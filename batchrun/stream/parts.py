"""An answer in several parts: the model pauses, is sent what it has said, and goes on (F23). Pure.

What has been said is kept over failed attempts, for it is paid: only the part that broke is asked for again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from batchrun.stream.message import Message
from batchrun.stream.usage import count_of

PAUSE = "pause_turn"
PAUSED = "paused"  # the flag of an answer that was put together
# The API sets no bound itself; who is not done by then is unlikely ever to be.
MAX_PAUSES = 5


class Parts:
    """The parts of one item's answer so far."""

    __slots__ = ("_pauses", "_said")

    def __init__(self) -> None:
        self._said: Message | None = None
        self._pauses = 0

    def __repr__(self) -> str:
        return f"<Parts {self._pauses} pauses>"

    @property
    def has_begun(self) -> bool:
        """Whether something has been said that is to go on."""
        return self._said is not None

    @property
    def said_tokens(self) -> int:
        """Output tokens of what has been said so far, and would be lost with the item."""
        return 0 if self._said is None else self._said.output_tokens

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        """What to send for the next part."""
        if self._said is None:
            return body
        return body | {"messages": [*body["messages"], {"role": "assistant", "content": self._said.content}]}

    def take(self, part: Message) -> Message | None:
        """The whole answer, once the last part has come; None where the model is to go on."""
        message = part if self._said is None else _joined(self._said, part)
        if part.stop_reason == PAUSE and self._pauses < MAX_PAUSES:
            self._pauses += 1
            self._said = message
            return None
        self._said = None
        return message


def _joined(said: Message, part: Message) -> Message:
    return replace(
        part,
        text=said.text + part.text,
        content=[*said.content, *part.content],
        usage=_sum(said.usage, part.usage),
        output_tokens=said.output_tokens + part.output_tokens,
        flags=tuple(sorted({*said.flags, *part.flags, PAUSED})),
    )


def _sum(said: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Both usages together: each part was billed with all that was sent for it."""
    return {name: _both(said.get(name), part.get(name)) for name in said | part}


def _both(said: Any, part: Any) -> Any:
    if isinstance(said, dict) and isinstance(part, dict):
        return _sum(said, part)
    one, other = count_of(said), count_of(part)
    if one is not None and other is not None:
        return one + other
    return said if part is None else part
