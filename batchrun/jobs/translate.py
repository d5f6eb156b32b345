"""What both ways of saying a request in the other dialect need: `to_chat` and `to_messages`. Pure.

Only what both dialects can say is translated, so that a request which goes there and back asks the same. Whatever else
stands in a request is a problem and never dropped, unless it says what its absence says too. What an API would refuse
in its own dialect is left for it to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# The same word for the same thing.
SHARED = ("model", "max_tokens", "temperature", "top_p")
# An image that stands in the request itself, of a kind that both sides read.
INLINE_IMAGE = re.compile(r"data:(image/(?:jpeg|png|gif|webp));base64,([A-Za-z0-9+/=]+)")
# Whether and which tools are to be called: the Messages API's word, and that of chat completions.
TOOL_CHOICES = (("auto", "auto"), ("any", "required"), ("none", "none"))

Placed = Iterator[tuple[str, dict[str, Any]]]


class Untranslatable(ValueError):
    """The other dialect cannot say this; `problems` names each field, as a path into the request."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


def spoken(fields: Mapping[str, Any], silence: Mapping[str, object]) -> dict[str, Any]:
    """The fields that say something: null says nothing, nor does what `silence` holds."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and not (name in silence and value == silence[name])
    }


class Problems:
    """Gathers what cannot be said, while the rest is said all the same: nobody mends a line five times."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __repr__(self) -> str:
        return f"<Problems {self.paths}>"

    def at(self, path: str) -> None:
        self.paths.append(path)

    def raise_any(self) -> None:
        if self.paths:
            raise Untranslatable(self.paths)

    def beside(self, fields: Mapping[str, Any], known: set[str], where: str) -> None:
        """Whatever an object says beside the known fields is a problem."""
        self.paths += [f"{where}.{name}" for name, value in fields.items() if name not in known and value is not None]

    def objects(self, value: object, where: str) -> Placed:
        """The objects of a list, each with its path; what is no such list is a problem."""
        if not isinstance(value, list):
            self.at(where)
            return
        for place, inner in enumerate(value):
            if isinstance(inner, dict):
                yield f"{where}[{place}]", inner
            else:
                self.at(f"{where}[{place}]")

    def turns(self, messages: object) -> Placed:
        """The messages of a request, each with its path."""
        place, last = "messages", dict[str, Any]()
        for place, last in self.objects(messages, "messages"):
            yield place, last
        if last.get("role") == "assistant":
            # The Messages API goes on in the middle of it, chat completions answer it: a prefill has no translation.
            self.at(place)

    def texts(self, content: object, where: str) -> object:
        """Content that is a text or text blocks, which both sides write alike."""
        if isinstance(content, str):
            return content
        return [self.text(block, place) for place, block in self.objects(content, where)]

    def text(self, block: dict[str, Any], where: str) -> dict[str, Any]:
        if block.get("type") != "text":
            self.at(where)
        else:
            self.beside(block, {"type", "text"}, where)
        return {"type": "text", "text": block.get("text")}
