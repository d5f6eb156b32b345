"""When an answer has said enough. Pure: pieces of text and a number of tokens in, the name of the rule that holds out.

Each rule looks at a place in the text and not at the pieces that it comes in, so the same answer stops at the same
place however it is cut. The work is linear in the text: what a rule may look back at is bounded. Closing the stream,
and what then stands in the record, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchrun.stream.text_end import JsonEnd, PatternEnd, SentenceEnd

RULES = ("max_chars", "regex", "sentence_end", "json_closed")
FIELDS = ("min_tokens", *RULES)
STOP_RULE = "stop_rule:"  # and the rule's name: the stop reason of an answer that was ended by it


class BadStopWhen(ValueError):
    """A `stop_when` that cannot be followed: what is wrong, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class StopWhen:
    """When to stop; the first of the rules that holds ends the answer. `min_tokens` gates all of them.

    `max_chars`: the text is so long. `regex`: the pattern (Python's) is found; a match counts if it ends after the gate
    has opened. `sentence_end`: a sentence has ended, after the gate has opened. `json_closed`: the first JSON object or
    array of the text is complete, whenever that was.
    """

    min_tokens: int = 0
    max_chars: int | None = None
    regex: re.Pattern[str] | None = None
    sentence_end: bool = False
    json_closed: bool = False


def parse_stop_when(asked: object) -> StopWhen:
    """Read a `stop_when` of a job line or of the configuration.

    Raises:
        BadStopWhen: an unknown field, a value of the wrong kind, a pattern that is none, or nothing to stop at.
    """
    if not isinstance(asked, Mapping):
        raise BadStopWhen("stop_when is not an object", 'write for example {"max_chars": 500}')
    for name in asked:
        if name not in FIELDS:
            raise BadStopWhen(f"stop_when has an unknown field {name!r}", f"use {', '.join(FIELDS)}")
    stop_when = StopWhen(
        min_tokens=_whole(asked, "min_tokens", 0) or 0,
        max_chars=_whole(asked, "max_chars", 1),
        regex=_pattern(asked),
        sentence_end=_switch(asked, "sentence_end"),
        json_closed=_switch(asked, "json_closed"),
    )
    if not any((stop_when.max_chars, stop_when.regex, stop_when.sentence_end, stop_when.json_closed)):
        raise BadStopWhen(
            "stop_when has no rule that could stop anything: min_tokens only holds the others back",
            f"add one of {', '.join(RULES)}, or use max_tokens",
        )
    return stop_when


class StopRule:
    """The rules of one attempt, at work; feed it the text as it comes.

    `stopped_at` is how many characters of the text there were at the place where it stopped: what was sent beyond it
    is the rest of the last piece. None while no rule holds.
    """

    __slots__ = ("_ends", "_length", "_name", "_stop_when", "_was_open", "stopped_at")

    def __init__(self, stop_when: StopWhen) -> None:
        self._stop_when = stop_when
        self._length = 0
        self._name: str | None = None
        self._was_open = False
        self._ends: dict[str, Callable[[str, bool], int | None]] = {}
        self.stopped_at: int | None = None
        if stop_when.max_chars is not None:
            self._ends["max_chars"] = self._full
        if stop_when.regex is not None:
            self._ends["regex"] = PatternEnd(stop_when.regex).feed
        if stop_when.sentence_end:
            self._ends["sentence_end"] = SentenceEnd().feed
        if stop_when.json_closed:
            self._ends["json_closed"] = JsonEnd().feed

    def __repr__(self) -> str:
        return f"<StopRule {'/'.join(self._ends)} at {self._length} characters: {self._name or 'goes on'}>"

    def feed(self, text: str, tokens_so_far: int) -> str | None:
        """Take the next piece; the name of the rule that holds, None while none does.

        Args:
            tokens_so_far: output tokens of the answer, this piece included.
        """
        if self._name is not None:
            return self._name
        is_open = tokens_so_far >= self._stop_when.min_tokens
        # All are fed, held back or not: each keeps its own place in the text.
        places = {name: place for name, end in self._ends.items() if (place := end(text, is_open)) is not None}
        if places and is_open:
            self._name = min(places, key=lambda name: (places[name], RULES.index(name)))
            # What the gate held back stops where it opened, not where it would have stopped without it.
            self.stopped_at = max(places[self._name], 0 if self._was_open else self._length)
        self._was_open = is_open
        self._length += len(text)
        return self._name

    def _full(self, text: str, _: bool) -> int | None:
        limit = self._stop_when.max_chars
        assert limit is not None
        return limit if self._length + len(text) >= limit else None


def _whole(asked: Mapping[str, object], name: str, least: int) -> int | None:
    value = asked.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadStopWhen(
            f"stop_when: {name} is {value!r}", f"write a whole number of {least} or more, or leave it out"
        )
    return value


def _switch(asked: Mapping[str, object], name: str) -> bool:
    value = asked.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadStopWhen(f"stop_when: {name} is {value!r}", "write true, or leave it out")
    return value is True


def _pattern(asked: Mapping[str, object]) -> re.Pattern[str] | None:
    value = asked.get("regex")
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise BadStopWhen(f"stop_when: regex is {value!r}", "write a pattern as a text, or leave it out")
    try:
        pattern = re.compile(value)
    except (re.error, OverflowError, RecursionError) as exc:
        raise BadStopWhen(f"stop_when: regex {value!r} is no pattern ({exc})", "mend it; Python's rules hold") from exc
    if pattern.search(""):
        what = f"stop_when: regex {value!r} matches the empty text, so it would stop every answer at once"
        raise BadStopWhen(what, "ask for at least one character")
    return pattern
