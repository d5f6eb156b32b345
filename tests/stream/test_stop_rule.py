"""When an answer has said enough: which rule holds, at which place, and that neither depends on how the text is cut."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.stream.stop_rule import BadStopWhen, StopRule, StopWhen, parse_stop_when
from batchrun.stream.text_end import PATTERN_WINDOW


def stop(pieces: Iterable[str], **asked: Any) -> tuple[str | None, str]:
    """The name of the rule that holds and the text up to the place; the whole text if none does."""
    rule = StopRule(parse_stop_when(asked))
    text = ""
    for number, piece in enumerate(pieces, 1):
        text += piece
        if name := rule.feed(piece, number):
            return name, text[: rule.stopped_at]
    assert rule.stopped_at is None
    return None, text


def sentence(*pieces: str) -> str:
    """The first sentence, as `sentence_end` cuts it; all of it if none has ended."""
    return stop(pieces, sentence_end=True)[1]


def value(*pieces: str) -> str | None:
    """The text up to the end of its first JSON value; None if it goes on."""
    name, text = stop(pieces, json_closed=True)
    return text if name else None


# -- each rule ---------------------------------------------------------------------------------------------------------


def test_max_chars_stops_at_the_character() -> None:
    """The place is exact even where the piece goes on beyond it."""
    assert stop(["Hel", "lo, wor", "ld"], max_chars=5) == ("max_chars", "Hello")
    assert stop(["Hello"], max_chars=5) == ("max_chars", "Hello")
    assert stop(["Hell"], max_chars=5) == (None, "Hell")


def test_a_pattern_is_found_across_pieces() -> None:
    """Wherever the cuts lie."""
    assert stop(["one EN", "D two"], regex="END") == ("regex", "one END")
    assert stop("one END two", regex=r"E\w+ ") == ("regex", "one END ")
    assert stop(["no such thing"], regex="END") == (None, "no such thing")


def test_a_pattern_sees_where_a_line_and_a_word_begin() -> None:
    """Anchors look at the whole text and not at the window: `^` is its beginning, also when that is long gone."""
    filler = "x" * 3 * PATTERN_WINDOW
    assert stop([*filler, "x"], regex="^x{3,}y|^x$|^xx$")[0] == "regex"  # the first piece is all there is
    assert stop(["a", *filler], regex="^x") == (None, "a" + filler)
    assert stop(["a", *filler, "\nx"], regex="(?m)^x")[1] == "a" + filler + "\nx"
    assert stop(["a", *filler, " END"], regex=r"\bEND")[0] == "regex"
    assert stop(["a", *filler, "END"], regex=r"\bEND")[0] is None


def test_a_pattern_is_searched_in_a_bounded_window() -> None:
    """Each piece is searched with at most the window before it, so the work is linear; a longer match goes unseen."""

    class PatternThatMeasures:
        longest = 0

        def search(self, text: str, begin: int) -> None:
            self.longest = max(self.longest, len(text) - begin)

    pattern = PatternThatMeasures()
    rule = StopRule(StopWhen(regex=pattern))  # type: ignore[arg-type]  # what is used of a pattern
    for _ in range(5000):
        assert rule.feed("word", 1) is None
    assert pattern.longest == PATTERN_WINDOW + len("word")
    inside = "a" + "x" * (PATTERN_WINDOW - 1)
    assert stop([*inside, "b"], regex="ax*b")[0] == "regex"
    assert stop([*inside, "xx", "b"], regex="ax*b")[0] is None


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("It rains. It pours.", "It rains."),
        ("Does it rain? Yes", "Does it rain?"),
        ("Rain! More", "Rain!"),
        ("Well… No", "Well…"),
        ("Well... No", "Well..."),
        ("What?! No", "What?!"),
        ('She said "yes." Then', 'She said "yes."'),
        ("He said “no”. Then", "He said “no”."),
        ("(It rains.) Then", "(It rains.)"),
        ("**Done.** Then", "**Done.**"),
        ("It rains.\nIt pours", "It rains."),
        ("In 1999. Then", "In 1999."),
        ("下雨了。然后", "下雨了。"),
        ("他说：“下雨了。”然后", "他说：“下雨了。”"),
        ("「雨です。」と", "「雨です。」"),
        ("真的吗？是", "真的吗？"),
        ("好！是", "好！"),
    ],
)
def test_a_sentence_ends_with_its_mark_and_what_closes_after_it(text: str, first: str) -> None:
    """Whole and character by character."""
    assert sentence(text) == first
    assert sentence(*text) == first


@pytest.mark.parametrize(
    "text",
    [
        "It costs 3.50 or so",
        "See example.org for it",
        "Fruit, e.g. apples",
        "Fruit, i.e. apples",
        "Dr. Smith and Mr. Jones",
        "in the U.S. of late",
        "J. S. Bach",
        "1. First\n2. Second",
        "  - 1.2. First",
        "## 3. Third",
        "apples, pears etc. and so on",
        "It may go on.",  # nothing has come that says so
        "下雨了。",
        "a..................... ornament",
        "",
    ],
)
def test_what_is_no_end_of_a_sentence(text: str) -> None:
    """Decimals, hosts, abbreviations, initials and numbers of lists; whole and character by character."""
    assert stop([text], sentence_end=True) == (None, text)
    assert stop(text, sentence_end=True) == (None, text)


def test_a_decimal_at_the_end_of_a_piece_is_no_end() -> None:
    """The full stop is the last character that has come: only the next one tells."""
    assert sentence("It costs 3.", "5 euros", ". ", "Cheap") == "It costs 3.5 euros."
    assert sentence("Fruit, e.", "g.", " apples", ". And") == "Fruit, e.g. apples."


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ('{"a": 1} and more', '{"a": 1}'),
        ('{"a": {"b": [1, {"c": []}]}} x', '{"a": {"b": [1, {"c": []}]}}'),
        ('[1, "]", 2] x', '[1, "]", 2]'),
        (r'{"a": "\"}\\"} x', r'{"a": "\"}\\"}'),
        ('Here you are: {"a": 1} Bye', 'Here you are: {"a": 1}'),
        ('As asked [see above]: {"a": 1} Bye', 'As asked [see above]: {"a": 1}'),
        ('As {so}} to say: {"a": 1} Bye', 'As {so}} to say: {"a": 1}'),
        ('```json\n{"a": 1}\n```\nBye', '```json\n{"a": 1}\n```'),
        ('```json\n{"a": 1}\nBye', '```json\n{"a": 1}'),
        ('````\n{"a": 1}```` Bye', '````\n{"a": 1}```'),
        ("```js\nlet x\n``` gives [1] x", "```js\nlet x\n``` gives [1]"),
        ("`code` gives [1] x", "`code` gives [1]"),
        ('```\n{"a": 1}' + " " * 80 + "```", '```\n{"a": 1}'),
        ("{}", "{}"),
    ],
)
def test_the_first_json_value_ends_the_answer(text: str, end: str) -> None:
    """An object or an array that is whole, with its fence; whole and character by character."""
    assert value(text) == end
    assert value(*text) == end


@pytest.mark.parametrize("text", ['{"a": 1', '{"a": "}', '{"a": "\\"}', "42", '"text"', "none", "[so to say]", ""])
def test_json_that_is_not_closed_goes_on(text: str) -> None:
    """Neither does a bare number or text count: nothing tells that it is whole."""
    assert value(text) is None
    assert value(*text) is None


# -- the gate ----------------------------------------------------------------------------------------------------------


def test_min_tokens_gates_the_others() -> None:
    """Before so many tokens nothing stops: sentences and matches that ended before do not count, what lasts does."""
    assert stop(["Aha. ", "Bah. ", "Coo. ", "Dip. "], min_tokens=3, sentence_end=True) == (
        "sentence_end",
        "Aha. Bah. Coo.",
    )
    assert stop(["END ", "on ", "END ", "END"], min_tokens=2, regex="END") == ("regex", "END on END")
    assert stop(["12345", "6", "7", "8"], min_tokens=3, max_chars=2) == ("max_chars", "123456")
    assert stop(["[1]", "so", "on", "."], min_tokens=3, json_closed=True) == ("json_closed", "[1]so")


def test_a_match_that_begins_before_the_gate_counts_if_it_ends_behind_it() -> None:
    """The gate is about how much has been said, and not about where a pattern starts."""
    assert stop(["aaa E", "ND b"], min_tokens=2, regex="END") == ("regex", "aaa END")
    assert stop(["xx", "x"], min_tokens=2, regex="xx") == ("regex", "xxx")


def test_the_first_place_wins() -> None:
    """Several rules in one piece: that which holds first in the text, and of two at one place always the same."""
    asked = {"regex": "B", "sentence_end": True, "json_closed": True}
    assert stop(["Yes. B [1] x"], **asked) == ("sentence_end", "Yes.")
    assert stop(["AB. [1] x"], **asked) == ("regex", "AB")
    assert stop(["[1] AB. x"], **asked) == ("json_closed", "[1]")
    assert stop(["1234"], max_chars=4, regex="4") == ("max_chars", "1234")


def test_a_rule_that_holds_keeps_holding() -> None:
    """Pieces that were on their way change nothing."""
    rule = StopRule(parse_stop_when({"max_chars": 2}))
    assert [rule.feed("ab", 1), rule.feed("cd", 2)] == ["max_chars", "max_chars"]
    assert rule.stopped_at == 2
    assert repr(rule) == "<StopRule max_chars at 2 characters: max_chars>"


# -- however it is cut -------------------------------------------------------------------------------------------------

PROSE = ["It", " ", "\n", ".", "!", "…", "。", "」", '"', ")", "e.g.", "Dr.", "3.5", "1.", "J", "END", "- "]
DATA = ["{", "}", "[", "]", '"', "\\", ":", ",", "1", "a", " ", "`", "```", '{"a": [1, "]"]}', "\n"]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PROSE), max_size=40).map("".join),
    st.lists(st.sampled_from(DATA), max_size=40).map("".join),
    st.recursive(st.text('ab[{"\\`é', max_size=4), lambda inner: st.dictionaries(st.text("a]", max_size=2), inner)).map(
        lambda document: f"So: {json.dumps(document)} "
    ),
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "max_chars": st.integers(1, 60),
        "regex": st.sampled_from(["END", "\n\n", r"\.\s", "[!…]", "It +It"]),
        "sentence_end": st.just(True),
        "json_closed": st.just(True),
    },
).filter(bool)


@given(text=TEXTS, asked=ASKED, cuts=st.lists(st.integers(0, 80), max_size=12))
def test_any_cut_stops_at_the_same_place(text: str, asked: dict[str, Any], cuts: list[int]) -> None:
    """The same rule, and in the piece that holds the character which decides it; at the same place, but for patterns
    that can match more of a longer piece."""
    stop_when = parse_stop_when(asked)
    slow = StopRule(stop_when)
    decided = next((place for place, character in enumerate(text, 1) if slow.feed(character, 1)), None)
    rule = StopRule(stop_when)
    for begin, end in pairwise(sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})):
        name = rule.feed(text[begin:end], 1)
        assert (name is not None) == (decided is not None and decided <= end)
    if decided is not None and "regex" not in asked:
        assert (rule.stopped_at, rule.feed("", 1)) == (slow.stopped_at, slow.feed("", 1))


@given(document=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_whatever_is_json_is_known_to_be_closed(document: Any) -> None:
    """An array of anything ends at its bracket, and nowhere before."""
    text = json.dumps([document], ensure_ascii=False)
    assert value(f"{text} and so on") == text
    assert value(*text) == text
    assert value(text[:-1]) is None


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"regex": "END|\n\n|(?i:the end)"}, "words and words "),
        ({"sentence_end": True}, "e.g. words 3.5 "),
        ({"sentence_end": True}, "." * 15 + "a"),
        ({"json_closed": True}, '[{"a": "b\\""}, '),
        ({"json_closed": True}, "[no] `` "),
    ],
)
def test_the_work_grows_with_the_text_and_no_faster(asked: dict[str, Any], text: str) -> None:
    """Four times the text is about four times the work; sixteen times would be the end of long answers."""

    def seconds(length: int) -> float:
        rule = StopRule(parse_stop_when(asked))
        began = time.thread_time()
        for _ in range(length):
            assert rule.feed(text, 1) is None
        return time.thread_time() - began

    short = min(seconds(800) for _ in range(3))
    long = min(seconds(3200) for _ in range(3))
    assert long < 10 * short


# -- what is asked -----------------------------------------------------------------------------------------------------


def test_a_stop_when_is_read_as_it_stands() -> None:
    """All fields at once; what is off is as good as left out."""
    asked = {"min_tokens": 5, "max_chars": 100, "regex": "END", "sentence_end": True, "json_closed": False}
    assert parse_stop_when(asked) == StopWhen(5, 100, re.compile("END"), True, False)
    assert parse_stop_when({"max_chars": 1, "regex": None}) == StopWhen(max_chars=1)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ("END", "stop_when is not an object"),
        ({"max_char": 3}, "stop_when has an unknown field 'max_char'"),
        ({3: 3}, "stop_when has an unknown field 3"),
        ({}, "stop_when has no rule that could stop anything"),
        ({"min_tokens": 10}, "min_tokens only holds the others back"),
        ({"sentence_end": False}, "stop_when has no rule that could stop anything"),
        ({"max_chars": 0}, "max_chars is 0"),
        ({"max_chars": "9"}, "max_chars is '9'"),
        ({"max_chars": True}, "max_chars is True"),
        ({"max_chars": 9.5}, "max_chars is 9.5"),
        ({"min_tokens": -1, "max_chars": 9}, "min_tokens is -1"),
        ({"sentence_end": 1}, "sentence_end is 1"),
        ({"json_closed": "yes"}, "json_closed is 'yes'"),
        ({"regex": ""}, "regex is ''"),
        ({"regex": 3}, "regex is 3"),
        ({"regex": "(END"}, "regex '(END' is no pattern (missing ), unterminated subpattern at position 0)"),
        ({"regex": "a{9999999999999}"}, "is no pattern"),
        ({"regex": "x*"}, "regex 'x*' matches the empty text"),
    ],
)
def test_a_stop_when_that_cannot_be_followed_is_refused(asked: object, what: str) -> None:
    """The message says what is wrong, and what to do about it."""
    with pytest.raises(BadStopWhen) as caught:
        parse_stop_when(asked)
    assert what in caught.value.what
    assert caught.value.remedy
    assert str(caught.value) == f"{caught.value.what}; {caught.value.remedy}"
