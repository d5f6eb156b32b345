"""The answer to a request: what it is a function of, and what it says."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.simulator.answers import answer_for
from batchrun.simulator.request import request_hash
from tests.simulator.wire import body_of

TOOL = {
    "name": "file_report",
    "input_schema": {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "pages": {"type": "integer"},
            "share": {"type": "number"},
            "urgent": {"type": "boolean"},
            "kind": {"enum": ["daily", "weekly"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "author": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
    },
}


def test_the_answer_does_not_depend_on_streaming_or_the_order_of_keys() -> None:
    """`stream` and key order change nothing; every other field does."""
    body = body_of("What is a harbour?", system="Be short.")
    reordered = dict(reversed(list(body.items())))
    assert answer_for(body) == answer_for(reordered) == answer_for({**body, "stream": True})
    assert answer_for(body).text != answer_for({**body, "system": "Be long."}).text
    assert answer_for(body).text != answer_for({**body, "metadata": {"user_id": "1"}}).text


def test_the_text_opens_with_the_prompt_and_names_the_request() -> None:
    """A human sees that the answer belongs to the question; a test finds the hash of the request."""
    body = body_of("Erkläre mir bitte 日本の茶道 kurz, für Anfänger, ohne Fachwörter, danke")
    answer = answer_for(body)
    assert answer.text.startswith('You asked "Erkläre mir bitte 日本の茶道 kurz, für Anfänger, ohne …" (request ')
    assert request_hash(body) == answer.request
    assert answer.request in answer.text


def test_a_prompt_of_blocks_is_quoted_by_its_text() -> None:
    """Content may be a list of blocks; an image alone has no words."""
    image = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    blocks = [image, {"type": "text", "text": "Name the bird"}]
    assert answer_for(body_of("", messages=[{"role": "user", "content": blocks}])).text.startswith(
        'You asked "Name the bird"'
    )
    assert answer_for(body_of("", messages=[{"role": "user", "content": [image]}])).text.startswith(
        "You asked without words"
    )


def test_the_last_user_message_is_the_prompt() -> None:
    """Earlier turns count towards the hash, not towards the quotation or the directives."""
    turns = [
        {"role": "user", "content": "First [[tokens=7]]"},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "Second"},
    ]
    answer = answer_for(body_of("", messages=turns))
    assert answer.text.startswith('You asked "Second"')
    assert len(answer.tokens) >= 40


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(1, 400))
def test_the_tokens_are_the_text(prompt: str, max_tokens: int) -> None:
    """Whatever the prompt: no piece is empty, none is lost, and they are counted."""
    answer = answer_for(body_of(prompt, max_tokens=max_tokens))
    assert "".join(answer.tokens) == answer.text
    assert all(answer.tokens)
    assert answer.output_tokens == max(1, len(answer.tokens))
    assert len(answer.tokens) <= max_tokens


def test_lengths_are_spread_from_40_to_300_tokens() -> None:
    """Neither bound is passed, and short and long answers both occur."""
    lengths = [len(answer_for(body_of(f"Item {number}")).tokens) for number in range(500)]
    assert 40 <= min(lengths) < 60
    assert 280 < max(lengths) <= 300
    assert answer_for(body_of("Item 1")).stop_reason == "end_turn"


@pytest.mark.parametrize("wanted", [*range(31), 40, 41, 250, 5000])
def test_a_directive_sets_the_exact_number_of_tokens(wanted: int) -> None:
    """`[[tokens=N]]` gives N pieces, for every length that the sentences have to be fitted into."""
    answer = answer_for(body_of(f"Write [[tokens={wanted}]]", max_tokens=10_000))
    assert len(answer.tokens) == wanted
    assert answer.stop_reason == "end_turn"
    if wanted > 20:
        assert answer.text.endswith(".")


def test_max_tokens_cuts_the_answer() -> None:
    """The cut answer is the beginning of the whole one's kind, and says why it ends."""
    answer = answer_for(body_of("Write [[tokens=50]]", max_tokens=20))
    assert (len(answer.tokens), answer.output_tokens, answer.stop_reason) == (20, 20, "max_tokens")


def test_the_first_stop_sequence_ends_the_text() -> None:
    """The text ends before it, and the answer names it."""
    answer = answer_for(body_of("Write [[tokens=200]]", stop_sequences=["never there", " The ", "(request"]))
    assert answer.stop_reason == "stop_sequence"
    assert answer.stop_sequence == "(request"
    assert answer.text == 'You asked "Write" '
    assert answer.output_tokens == len(answer.tokens) == 4


def test_a_stop_sequence_behind_max_tokens_is_never_reached() -> None:
    """What was not written cannot stop it."""
    answer = answer_for(body_of("Write [[tokens=200]]", max_tokens=3, stop_sequences=["(request"]))
    assert (answer.stop_reason, answer.stop_sequence) == ("max_tokens", None)


def test_a_refusal_is_short_and_says_so() -> None:
    """`[[refuse]]` and `[[stop=...]]` set the stop reason."""
    refusal = answer_for(body_of("Do it [[refuse]]"))
    assert refusal.stop_reason == "refusal"
    assert len(refusal.tokens) == 8
    assert answer_for(body_of("Go on [[stop=pause_turn]]")).stop_reason == "pause_turn"


def test_directives_are_not_quoted_and_links_are() -> None:
    """Double brackets with anything else inside are text."""
    text = answer_for(body_of("See [[Home page]] [[tokens=60]] and [[tokens=x]]")).text
    assert text.startswith('You asked "See [[Home page]] and [[tokens=x]]"')


def test_a_forced_tool_is_called_with_values_of_its_schema() -> None:
    """tool_choice any or tool: arguments of the right kinds, with the hash in the strings, and no text."""
    body = body_of("Report", tools=[TOOL], tool_choice={"type": "tool", "name": "file_report"})
    answer = answer_for(body)
    assert answer.tool is not None
    values: dict[str, Any] = answer.tool.input
    assert (answer.text, answer.stop_reason, answer.tool.name) == ("", "tool_use", "file_report")
    assert answer.request in values["title"]
    assert answer.request in values["author"]["name"]
    assert (type(values["pages"]), type(values["share"]), type(values["urgent"])) == (int, float, bool)
    assert values["kind"] in ("daily", "weekly")
    assert len(values["tags"]) == 1
    assert len(answer.tool.arguments) == answer.output_tokens > 5
    assert answer_for({**body, "tool_choice": {"type": "any"}}).tool is not None


ODD_SCHEMAS = [None, True, {}, {"properties": None}, {"properties": {"a": True, "b": {"type": 3}}}]


@pytest.mark.parametrize("schema", ODD_SCHEMAS)
def test_an_odd_schema_harms_nothing(schema: object) -> None:
    """Schemas are the client's; the simulator takes them as they are."""
    tool = {"name": "odd", "input_schema": schema}
    answer = answer_for(body_of("Report", tools=[tool], tool_choice={"type": "any"}))
    assert answer.tool is not None


def test_tools_that_are_not_forced_are_answered_in_words() -> None:
    """Left to choose, the simulator writes text."""
    answer = answer_for(body_of("Report", tools=[TOOL]))
    assert answer.tool is None
    assert answer.text


def test_arguments_that_do_not_fit_are_cut_by_max_tokens() -> None:
    """A cut call has some arguments, no input, and the stop reason."""
    answer = answer_for(body_of("Report", tools=[TOOL], tool_choice={"type": "any"}, max_tokens=3))
    assert answer.tool is not None
    assert (len(answer.tool.arguments), answer.tool.input, answer.stop_reason) == (3, {}, "max_tokens")


def test_thinking_is_billed_and_counts_towards_max_tokens() -> None:
    """Thinking comes first; what it leaves of max_tokens is the text's, down to nothing."""
    config = {"type": "enabled", "budget_tokens": 1024}
    answer = answer_for(body_of("Think", thinking=config))
    assert answer.thinking is not None
    assert answer.thinking.cost == len(answer.thinking.tokens) >= 15
    assert answer.output_tokens == answer.thinking.cost + len(answer.tokens)
    tiny = answer_for(body_of("Think", thinking=config, max_tokens=5))
    assert (tiny.text, tiny.output_tokens, tiny.stop_reason) == ("", 5, "max_tokens")


def test_omitted_thinking_is_billed_and_signed_but_not_shown() -> None:
    """`display: omitted` hides the words, not the cost."""
    answer = answer_for(body_of("Think", thinking={"type": "adaptive", "display": "omitted"}))
    assert answer.thinking is not None
    assert answer.thinking.tokens == ()
    assert answer.thinking.cost >= 15
    assert answer.thinking.signature
    assert answer_for(body_of("Think", thinking={"type": "disabled"})).thinking is None


def test_a_cached_system_prompt_is_counted_apart() -> None:
    """cache_control on the system prompt moves its tokens from the input to the cache."""
    text = {"type": "text", "text": "You write for a small publisher of several sites. " * 20}
    plain = answer_for(body_of("Hello", system=[text]))
    cached = answer_for(body_of("Hello", system=[{**text, "cache_control": {"type": "ephemeral"}}]))
    assert plain.cache_creation_input_tokens == 0
    assert cached.cache_creation_input_tokens > 200
    assert cached.input_tokens < plain.input_tokens


def test_the_text_is_readable() -> None:
    """Words, spaces and full stops; nothing that a terminal could choke on."""
    text = answer_for(body_of("Hello")).text
    assert set(text) <= set(string.ascii_letters + string.digits + ' .,"()\n')
