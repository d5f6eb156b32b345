"""Where in a text that is still coming a pattern, a sentence or a JSON value ends. Pure, and each in linear time.

What they have in common: `feed(text, is_open)` takes the next piece and gives the place of the end in characters from
the beginning of the whole text, None while there is none. While `is_open` is False a pattern or a sentence that ends
does not count. What is done about an end is decided in `stop_rule.py`.
"""

from __future__ import annotations

import re

import orjson

# Characters. A pattern that marks an end is short (a heading, a closing tag), and each new piece is searched with so
# much before it: a longer window costs more at every piece. A longer match may go unseen.
PATTERN_WINDOW = 512
# Characters before a full stop that tell whether it ends a sentence: the longest abbreviation, a line's beginning.
LOOK_BACK = 32
# Marks and what closes after them, each; a longer run is an ornament. Bounded, so that the window can be.
_RUN = 16
_SENTENCE_WINDOW = 1 + LOOK_BACK + 2 * _RUN
# A fence that closes later than so many characters after its value does not belong to it.
_FENCE_WINDOW = 64

# What is an ordinary word as well ("no.", "art.") is left out.
# fmt: off
ABBREVIATIONS = frozenset({
    "approx", "bzw", "ca", "cf", "dept", "dr", "eg", "etc", "fig", "figs", "gen", "ie", "inc", "jr", "ltd", "mme",
    "mr", "mrs", "ms", "nr", "ph.d", "pp", "prof", "rev", "sgt", "sr", "st", "univ", "usw", "vgl", "viz", "vol",
    "vs",
})
# fmt: on
_CLOSERS = "\"'”’»›)\\]}*_`」』）】》〉"
_SENTENCE = re.compile(
    # Between letters or digits a full stop ends nothing: 3.5, e.g, example.org.
    rf"(?<![.!?…])(?P<mark>[.!?…]{{1,{_RUN}}}+)[{_CLOSERS}]{{0,{_RUN}}}+(?=\s)"
    # No space follows these, so any other character confirms.
    rf"|(?<![。！？｡])[。！？｡]{{1,{_RUN}}}+[{_CLOSERS}]{{0,{_RUN}}}+(?=[^{_CLOSERS}。！？｡])"
)
_WORD = re.compile(r"[^\s(\[{\"'“‘«*_`]+$")
_DOTTED_LETTERS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # e.g, U.S, a.m, J
_LIST_NUMBER = re.compile(r"\n[\s#*>\-]*\d+(?:\.\d+)*$")

_OPENING = re.compile(r"`+|[\[{]")
_IN_VALUE = re.compile(r"[\"\[\]{}]")
_IN_STRING = re.compile(r"[\"\\]")
_AFTER_VALUE = re.compile(r"[\s`]*")
_FENCE = "```"


class PatternEnd:
    """The first match that ends in a piece which came while open.

    What a pattern asks of the text after its match (`$`, `\\b`, a lookahead) it asks of the end of what has come so
    far, which is where a piece happens to end; so a pattern should end in characters.
    """

    __slots__ = ("_from", "_length", "_pattern", "_tail")

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._length = 0
        self._tail = ""
        self._from = 0  # matches that begin before it in the tail are known, and did not count

    def feed(self, text: str, is_open: bool) -> int | None:
        seen, old = self._tail + text, len(self._tail)
        match = self._new_match(seen, old) if is_open else None
        place = None if match is None else self._length - old + match.end()
        self._length += len(text)
        # One character more than is searched, so that ^, \b and a lookbehind see what stood before.
        cut = max(0, len(seen) - PATTERN_WINDOW - 1)
        self._tail = seen[cut:]
        self._from = max(self._from - cut, int(self._length > len(self._tail)))
        return place

    def _new_match(self, seen: str, old: int) -> re.Match[str] | None:
        match = self._pattern.search(seen, self._from)
        while match is not None and match.end() <= old:
            self._from = match.start() + 1
            match = self._pattern.search(seen, self._from)
        return match


class SentenceEnd:
    """The end of the first sentence that is known to have ended while open: its mark and what closes after it.

    A full stop ends a sentence if white space follows, unless an abbreviation, an initial or the number of a list
    stands before it. In doubt the sentence goes on: that costs a sentence, the other way costs half of one.
    """

    __slots__ = ("_length", "_tail")

    def __init__(self) -> None:
        self._length = 0
        self._tail = "\n"  # before the text, as before each line of it

    def feed(self, text: str, is_open: bool) -> int | None:
        seen, old = self._tail + text, len(self._tail)
        end = self._new_end(seen, old) if is_open else None
        place = None if end is None else self._length - old + end
        self._length += len(text)
        self._tail = seen[-_SENTENCE_WINDOW:]
        return place

    def _new_end(self, seen: str, old: int) -> int | None:
        for match in _SENTENCE.finditer(seen):
            begin, end = match.span()
            # It is the character behind the end that confirms it, and that must be a new one.
            if end >= old and not (match["mark"] == "." and _goes_on(seen[max(0, begin - LOOK_BACK) : begin])):
                return end
        return None


class JsonEnd:
    """The end of the first JSON object or array, whatever text stands before it.

    What only looks like one, such as a remark in brackets, is passed over. Inside a code fence the end is that of the
    fence, if it closes right after the value, so that whoever strips fences finds a whole one. It stays once it is
    there, open or not: nothing that follows a value can make it more complete.
    """

    __slots__ = (
        "_after",
        "_depth",
        "_end",
        "_is_escaped",
        "_is_fenced",
        "_is_in_string",
        "_length",
        "_quotes",
        "_value",
    )

    def __init__(self) -> None:
        self._length = 0
        self._quotes = 0  # back quotes in a row, up to here
        self._is_fenced = False
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False
        self._value: list[str] = []
        self._after: str | None = None  # white space and back quotes behind a value that stands in a fence
        self._end: int | None = None

    def feed(self, text: str, _: bool) -> int | None:
        at = 0
        while at < len(text) and (self._end is None or self._after is not None):
            if self._after is not None:
                at = self._close_fence(self._after, text, at)
            elif self._depth == 0:
                at = self._find_value(text, at)
            else:
                at = self._take_value(text, at)
        self._length += len(text)
        return self._end if self._after is None else None

    def _find_value(self, text: str, at: int) -> int:
        match = _OPENING.search(text, at)
        if match is None or match.start() > at:
            self._quotes = 0
        if match is None:
            return len(text)
        if match[0][0] == "`":
            before = self._quotes
            self._quotes += len(match[0])
            self._is_fenced ^= before < len(_FENCE) <= self._quotes
        else:
            self._quotes = 0
            self._depth = 1
            self._value = [match[0]]
        return match.end()

    def _take_value(self, text: str, at: int) -> int:
        begin = at
        while at < len(text) and self._depth > 0:
            if self._is_escaped:
                self._is_escaped = False
                at += 1
                continue
            match = (_IN_STRING if self._is_in_string else _IN_VALUE).search(text, at)
            at = len(text) if match is None else match.end()
            if match is not None:
                self._turn(match[0])
        self._value.append(text[begin:at])
        if self._depth == 0 and _is_json("".join(self._value)):
            self._end = self._length + at
            self._after = "" if self._is_fenced else None
        return at

    def _turn(self, mark: str) -> None:
        match mark:
            case '"':
                self._is_in_string = not self._is_in_string
            case "\\":
                self._is_escaped = True
            case "{" | "[":
                self._depth += 1
            case _:
                self._depth -= 1

    def _close_fence(self, after: str, text: str, at: int) -> int:
        match = _AFTER_VALUE.match(text, at)
        assert match is not None
        assert self._end is not None
        self._after = (after + match[0])[:_FENCE_WINDOW]
        fence = self._after.find(_FENCE)
        if fence >= 0:
            self._end += fence + len(_FENCE)
            self._after = None
        elif match.end() < len(text) or len(self._after) == _FENCE_WINDOW:
            self._after = None
        return match.end()


def _goes_on(before: str) -> bool:
    """Whether a full stop after `before` ends an abbreviation, an initial or a number of a list, and no sentence."""
    if _LIST_NUMBER.search(before):
        return True
    word = _WORD.search(before)
    return word is not None and (word[0].lower() in ABBREVIATIONS or _DOTTED_LETTERS.fullmatch(word[0]) is not None)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
