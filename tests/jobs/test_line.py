"""One line into a job, or into everything that is wrong with it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.jobs.dialect import OWN_FIELDS
from batchrun.jobs.job import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, RequestFlags
from batchrun.jobs.line import BadJobLine, is_blank, parse_line
from tests.jobs.lines import BACKENDS, FLAGS, complaints, encoded, parsed, simple

USER = [{"role": "user", "content": "Say a word."}]

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
# What batchrun looks into itself; every other field is the provider's.
ours = OWN_FIELDS | {"messages", "model", "max_tokens", "stop_when"}
foreign_fields = st.dictionaries(texts.filter(lambda name: name not in ours), values, max_size=6)


# -- what reaches the wire ---------------------------------------------------------------------------------------------


@given(foreign_fields)
def test_a_field_that_batchrun_does_not_know_reaches_the_wire_as_it_is(fields: dict[str, Any]) -> None:
    """Whatever JSON can say, nested and of any letters, stands in the body as in the line, and nothing is added but
    model and max_tokens."""
    body = parsed(fields | {"id": "a", "messages": USER}).body
    assert body == fields | {"messages": USER, "model": DEFAULT_MODEL, "max_tokens": DEFAULT_MAX_TOKENS}
    assert [type(body[name]) for name in fields] == [type(value) for value in fields.values()]


def test_the_fields_of_the_messages_api_reach_the_wire() -> None:
    """System prompts, tools, thinking, sampling and stop sequences are the provider's to judge."""
    fields = {
        "model": "claude-sonnet-5",
        "max_tokens": 77,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "look_up", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "temperature": 0.7,
        "stop_sequences": ["\n\n"],
        "service_tier": "auto",
    }
    messages = [*USER, {"role": "assistant", "content": [{"type": "text", "text": "Which?"}]}, *USER]
    assert parsed(fields | {"id": "a", "messages": messages}).body == fields | {"messages": messages}


def test_a_prompt_is_one_message_of_the_user() -> None:
    """`prompt` is short for a single user message, kept to the letter."""
    body = parsed({"id": "a", "prompt": "  Grüße,\u2028 Welt \n"}).body
    assert body["messages"] == [{"role": "user", "content": "  Grüße,\u2028 Welt \n"}]
    assert "prompt" not in body


def test_what_is_batchruns_own_never_reaches_the_wire() -> None:
    """id, backend, stream and the user's own metadata stay here."""
    job = parsed(simple(backend="ollama", stream=False, metadata={"site": "garden", "row": 7}))
    assert set(job.body) == {"messages", "model", "max_tokens"}
    assert (job.id, job.backend, job.stream, job.metadata) == ("a", "ollama", False, {"site": "garden", "row": 7})


def test_a_users_id_in_metadata_is_the_providers() -> None:
    """`metadata.user_id` is a field of the Messages API; the other keys stay with the result."""
    job = parsed(simple(metadata={"user_id": "u-1", "row": 7}))
    assert job.body["metadata"] == {"user_id": "u-1"}
    assert job.metadata == {"row": 7}
    assert parsed(simple(metadata={"user_id": "u-1"})).metadata is None
    assert "metadata" not in parsed(simple(metadata={"row": 7})).body


def test_a_line_that_says_nothing_leaves_the_choice_to_the_run() -> None:
    """No backend, no stream, no metadata: the run's backend, the run's way, nothing to keep."""
    job = parsed(simple(), RequestFlags(backend="ollama"))
    assert (job.backend, job.stream, job.metadata) == ("ollama", None, None)


def test_a_flag_fills_what_a_line_lacks_and_nothing_else() -> None:
    """The line wins over the flag, the flag over batchrun's default."""
    flags = RequestFlags(model="claude-opus-5", max_tokens=9)
    assert (parsed(simple(), flags).model, parsed(simple(), flags).body["max_tokens"]) == ("claude-opus-5", 9)
    own = parsed(simple(model="claude-sonnet-5", max_tokens=77), flags)
    assert (own.model, own.body["max_tokens"]) == ("claude-sonnet-5", 77)
    mixed = parsed(simple(max_tokens=77), RequestFlags(model="claude-opus-5"))
    assert (mixed.model, mixed.body["max_tokens"]) == ("claude-opus-5", 77)


# -- ids ---------------------------------------------------------------------------------------------------------------


@given(texts.filter(bool))
def test_an_id_may_hold_any_letters(id: str) -> None:
    """Quotes, line separators, emoji, right-to-left marks, NUL: the id comes out as it went in, escaped or not."""
    assert parsed(simple(id=id)).id == id
    assert parse_line(json.dumps(simple(id=id)).encode("ascii"), 1, FLAGS, BACKENDS).id == id


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"  \t\r\n"])
def test_the_end_of_a_line_belongs_to_no_job(end: bytes) -> None:
    """With or without newline, CRLF or trailing blanks: the same job."""
    assert parse_line(encoded(simple()) + end, 1, FLAGS, BACKENDS) == parsed(simple())


@pytest.mark.parametrize("line", [b"", b"\n", b"\r\n", b" \t \n"])
def test_white_space_is_no_job(line: bytes) -> None:
    """Blank lines count for nothing."""
    assert is_blank(line)
    assert not is_blank(b" x" + line)


# -- faults ------------------------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Any, str, str]] = {
    "broken JSON": (b'{"id": "a", "prompt": "x"', "not JSON", "one JSON object on one line"),
    "words": (b"hello", "not JSON", "one JSON object on one line"),
    "not a number of JSON": (b'{"id": "a", "prompt": "x", "temperature": NaN}', "not JSON", "one JSON object"),
    "not UTF-8": ('{"id": "a", "prompt": "Grüße"}'.encode("latin-1"), "not JSON", "one JSON object"),
    "half a character": (b'{"id": "\\ud800", "prompt": "x"}', "not JSON", "one JSON object"),
    "a second object": (b'{"id": "a", "prompt": "x"} {"id": "b"}', "not JSON", "one JSON object on one line"),
    "a list": (["a"], "a JSON array, not an object", '{"id": "a"'),
    "a text": ("a", "a JSON string, not an object", '{"id": "a"'),
    "null": (None, "a JSON null, not an object", '{"id": "a"'),
    "no id": ({"prompt": "x"}, "no id", 'add "id"'),
    "an empty id": (simple(id=""), "id is empty", "unique"),
    "an id that is a number": (simple(id=7), "id is a JSON number, not a string", 'write "id": "7"'),
    "an id that is true": (simple(id=True), "id is a JSON boolean, not a string", 'write "id": "..."'),
    "an id that is null": (simple(id=None), "id is a JSON null, not a string", 'write "id": "..."'),
    "an id that is a list": (simple(id=["a"]), "id is a JSON array, not a string", 'write "id": "..."'),
    "nothing to ask": ({"id": "a"}, "neither messages nor prompt", 'add "prompt"'),
    "asked twice": (simple(messages=USER), "both messages and prompt", "keep one"),
    "an empty prompt": (simple(prompt=" \n"), "prompt is not a text with something in it", "write what to ask"),
    "a prompt that is a list": (simple(prompt=USER), "prompt is not a text with something in it", "write what to ask"),
    "no messages": ({"id": "a", "messages": []}, "messages is not a list with something in it", '"role": "user"'),
    "one message bare": ({"id": "a", "messages": USER[0]}, "messages is not a list", '"role": "user"'),
    "a message without role": ({"id": "a", "messages": [*USER, {"content": "x"}]}, "messages[1] has no role", "role"),
    "a message without content": ({"id": "a", "messages": [{"role": "user"}]}, "messages[0] has no role", "content"),
    "a message that is a text": ({"id": "a", "messages": ["x"]}, "messages[0] has no role", '"role": "user"'),
    "a model that is no name": (simple(model=5), "model is not a name", "leave it out"),
    "an empty model": (simple(model=""), "model is not a name", "leave it out"),
    "max_tokens of none": (simple(max_tokens=0), "max_tokens is not a whole number above 0", "leave it out"),
    "max_tokens in words": (simple(max_tokens="many"), "max_tokens is not a whole number above 0", "leave it out"),
    "max_tokens of a half": (simple(max_tokens=0.5), "max_tokens is not a whole number above 0", "leave it out"),
    "max_tokens that is true": (simple(max_tokens=True), "max_tokens is not a whole number above 0", "leave it out"),
    "a stream in words": (simple(stream="yes"), "stream is neither true nor false", "leave it out"),
    "metadata in words": (simple(metadata="x"), "metadata is not an object", "leave it out"),
    "a stop rule without a stream": (simple(stop_when={"max_chars": 9}, stream=False), "stream is false", "leave one"),
    "an unknown backend": (simple(backend="gpt"), "no backend is called 'gpt'", "use one of: claude, ollama"),
    "a backend that is a list": (simple(backend=["claude"]), "no backend is called ['claude']", "claude, ollama"),
    "a backend that is null": (simple(backend=None), "no backend is called None", "use one of: claude, ollama"),
    "nesting without end": (simple(tools=json.loads("[" * 300 + "]" * 300)), "nested too deeply", "flatten"),
    "nesting that cannot be read": (b'{"id": "a", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "not JSON", "one JSON"),
}


@pytest.mark.parametrize(("line", "what", "remedy"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_what_to_do(line: Any, what: str, remedy: str) -> None:
    """One complaint for one fault; it says what is wrong and what to write instead."""
    [complaint] = complaints(line)
    assert what in complaint.what
    assert remedy in complaint.remedy


def test_everything_that_is_wrong_with_a_line_is_told_at_once() -> None:
    """Nobody mends a line five times."""
    line = {"messages": [], "model": 5, "max_tokens": 0, "stream": 1, "metadata": 1, "backend": "gpt"}
    told = "\n".join(complaint.what for complaint in complaints(line))
    for word in ("no id", "messages", "model", "max_tokens", "stream", "metadata", "backend"):
        assert word in told


@given(st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_are_worse_than_a_fault(line: bytes) -> None:
    """Whatever stands in a file, the reader complains and never falls."""
    assert complaints(line)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(ours | {"id"}), values)))
def test_no_value_of_a_known_field_is_worse_than_a_fault(fields: dict[str, Any]) -> None:
    """A known field of any JSON type makes a job or a complaint, never another error."""
    with suppress(BadJobLine):
        assert parsed(fields).body["messages"]
