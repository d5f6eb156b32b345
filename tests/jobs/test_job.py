"""Fingerprints: what the user asked for, and nothing that batchrun added."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.jobs import job as job_module
from batchrun.jobs.job import Job, RequestFlags, fingerprint, with_defaults, with_flags
from batchrun.jobs.line import parse_line
from tests.jobs.lines import BACKENDS, FLAGS, parsed, simple

ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], "system": "Be brief.", "tools": []}


@given(st.permutations(list(ASKED.items())))
def test_the_order_of_keys_does_not_matter(items: list[tuple[str, Any]]) -> None:
    """Two tools that write the same job in another order write the same job; at every depth."""
    assert fingerprint(dict(items)) == fingerprint(ASKED)
    assert fingerprint({"tools": [dict(items)]}) == fingerprint({"tools": [ASKED]})


def test_neither_white_space_nor_escapes_matter() -> None:
    """What is compared is what JSON means, not how it is spelled."""
    fields = simple(system="Grüße \U0001f9c0", metadata={"user_id": "u"})
    spellings = [
        json.dumps(fields),
        json.dumps(fields, ensure_ascii=False, separators=(",", ":")),
        json.dumps(fields, ensure_ascii=False, separators=(" ,  ", "\t: "), sort_keys=True),
    ]
    assert len({parse_line(line.encode(), 1, FLAGS, BACKENDS).request for line in spellings}) == 1


def test_a_prompt_is_the_message_that_it_stands_for() -> None:
    """Rewriting `prompt` as `messages` asks nothing new."""
    long = {"id": "a", "messages": [{"role": "user", "content": "Say a word."}]}
    assert parsed(long).request == parsed(simple()).request


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Say two words."},
        {"system": "Be brief."},
        {"model": "claude-opus-5"},
        {"max_tokens": 9},
        {"temperature": 0.5},
        {"metadata": {"user_id": "u-1"}},
        {"stop_when": {"max_chars": 9}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_request_has_another_fingerprint(change: dict[str, Any]) -> None:
    """Whatever reaches the wire from the line counts, and so does where the answer is to end."""
    assert parsed(simple(**change)).request != parsed(simple()).request


@pytest.mark.parametrize(
    "change",
    [{"id": "b"}, {"metadata": {"row": 8}}, {"stream": False}],
    ids=lambda change: next(iter(change)),
)
def test_what_does_not_change_the_answer_does_not_count(change: dict[str, Any]) -> None:
    """The id, the user's own notes, and whether the answer is streamed are no part of what is asked."""
    assert parsed(simple(**change)).request == parsed(simple()).request


@pytest.mark.parametrize("flags", [RequestFlags(model="claude-opus-5"), RequestFlags(max_tokens=9)])
def test_a_flag_that_was_given_counts(flags: RequestFlags) -> None:
    """A night with another --model asks something else, wherever the line left the choice to the flag."""
    assert parsed(simple(), flags).request != parsed(simple()).request
    settled = simple(model="claude-sonnet-5", max_tokens=77)
    assert parsed(settled, flags).request == parsed(settled).request


def test_a_flag_counts_like_the_field_in_the_line() -> None:
    """Moving a model from the lines to the command line asks nothing new."""
    flags = RequestFlags(model="claude-opus-5", max_tokens=9)
    assert parsed(simple(), flags).request == parsed(simple(model="claude-opus-5", max_tokens=9)).request


def test_a_rule_that_is_changed_is_another_request() -> None:
    """An answer that was ended elsewhere is no answer to this; how the rule is written does not matter."""
    rule, other = {"min_tokens": 5, "max_chars": 9}, {"min_tokens": 5, "max_chars": 10}
    assert parsed(simple(stop_when=rule)).request != parsed(simple(stop_when=other)).request
    turned = dict(reversed(rule.items()))
    assert parsed(simple(stop_when=turned)).request == parsed(simple(stop_when=rule)).request


def test_a_rule_counts_like_the_one_in_the_line() -> None:
    """Moving it to the command line asks nothing new; a line of its own wins."""
    flags = RequestFlags(stop_when={"max_chars": 9})
    flagged = parsed(simple(), flags)
    assert (flagged.request, flagged.stop_when) == (
        parsed(simple(stop_when={"max_chars": 9})).request,
        {"max_chars": 9},
    )
    own = simple(stop_when={"json_closed": True})
    assert (parsed(own, flags).request, parsed(own, flags).stop_when) == (parsed(own).request, {"json_closed": True})


@pytest.mark.parametrize(
    ("body", "most"),
    [({"max_tokens": 7}, 7), ({"max_completion_tokens": 9}, 9), ({}, None), ({"max_tokens": "many"}, None)],
)
def test_the_most_tokens_are_told_in_either_wires_words(body: dict[str, Any], most: int | None) -> None:
    """Against it the tokens are counted that an early end saves."""
    assert Job("a", 1, body, "r", "claude").max_tokens == most


def test_a_changed_default_of_batchrun_asks_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version with a new default model must not pay a million items again."""
    before = parsed(simple())
    monkeypatch.setattr(job_module, "DEFAULT_MODEL", "claude-of-tomorrow")
    monkeypatch.setattr(job_module, "DEFAULT_MAX_TOKENS", 4096)
    after = parsed(simple())
    assert (after.model, after.body["max_tokens"]) == ("claude-of-tomorrow", 4096)
    assert after.request == before.request


def test_the_fingerprint_is_the_same_for_ever() -> None:
    """It stands in checkpoints on people's disks: another way to compute it would ask everything again."""
    assert fingerprint({"messages": [{"role": "user", "content": "Grüße"}], "model": "m"}) == "876121fae9b9bc1c"


def test_the_line_is_left_as_it_is() -> None:
    """Completing a request changes no value that somebody else holds."""
    asked = dict(ASKED)
    with_defaults(with_flags(asked, RequestFlags(model="m", max_tokens=1)))
    assert asked == ASKED
