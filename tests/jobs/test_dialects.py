"""A job in each dialect, and said in the other where its backend speaks no other."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.jobs.dialect import Complaint
from batchrun.jobs.job import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, BackendSpeech, Job, RequestFlags
from batchrun.jobs.line import BadJobLine, parse_line
from batchrun.providers.provider import Wire
from tests.jobs.lines import FLAGS, encoded

USER = [{"role": "user", "content": "Say a word."}]
OLLAMA = BackendSpeech("ollama", Wire.CHAT, model="llama3.2")
BACKENDS = {"claude": BackendSpeech("claude"), "ollama": OLLAMA}
TO_OLLAMA = RequestFlags(backend="ollama")


def job(fields: Any, flags: RequestFlags = FLAGS, backends: dict[str, BackendSpeech] = BACKENDS) -> Job:
    return parse_line(encoded(fields), 1, flags, backends, lambda rule: None)


def anthropic(outer: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    """An Anthropic batch request with which nothing is wrong."""
    return {"custom_id": "a", "params": {"messages": USER} | params} | (outer or {})


def openai(outer: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    """An OpenAI batch request with which nothing is wrong."""
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    return line | {"body": {"model": "gpt-6-astra", "messages": USER} | body} | (outer or {})


def complaints(fields: Any, flags: RequestFlags = FLAGS) -> list[Complaint]:
    with pytest.raises(BadJobLine) as bad:
        job(fields, flags)
    return bad.value.complaints


# -- the three forms ---------------------------------------------------------------------------------------------------


def test_an_anthropic_batch_request_is_a_job() -> None:
    """Its params are the body, to the letter; custom_id is the id."""
    found = job(anthropic(model="claude-sonnet-5", max_tokens=9, top_k=3, metadata={"user_id": "u"}))
    assert (found.id, found.wire, found.backend) == ("a", Wire.MESSAGES, "claude")
    expected = {"model": "claude-sonnet-5", "max_tokens": 9, "top_k": 3, "metadata": {"user_id": "u"}, "messages": USER}
    assert found.body == expected


def test_an_openai_batch_request_is_a_job() -> None:
    """Its body is the body, its URL says nothing, and the bound on the answer keeps the name that it has."""
    found = job(openai(max_completion_tokens=9, seed=7), TO_OLLAMA)
    assert (found.id, found.wire, found.backend) == ("a", Wire.CHAT, "ollama")
    assert found.body == {"model": "gpt-6-astra", "messages": USER, "max_completion_tokens": 9, "seed": 7}
    assert job(openai({"url": "/v1/responses"}, max_completion_tokens=9, seed=7), TO_OLLAMA) == found


def test_each_line_of_a_file_may_have_its_own_dialect() -> None:
    """A simple line and an Anthropic batch line that ask the same are the same request."""
    simple = {"id": "a", "messages": USER, "model": "m", "temperature": 0.5}
    assert job(anthropic(model="m", temperature=0.5)) == job(simple)


@pytest.mark.parametrize(("line", "flags"), [(anthropic(), FLAGS), (openai(), TO_OLLAMA)])
def test_how_an_answer_travels_is_not_asked(line: dict[str, Any], flags: RequestFlags) -> None:
    """stream and stream_options leave the request; the former is the job's."""
    envelope = "params" if "params" in line else "body"
    told = {"stream": True, "stream_options": {"include_usage": True}}
    found = job(line | {envelope: line[envelope] | told}, flags)
    assert found.stream is True
    assert (found.body, found.request) == (job(line, flags).body, job(line, flags).request)
    assert job(line | {envelope: line[envelope] | {"stream": None}}, flags).stream is None


def test_what_is_batchruns_own_stands_beside_the_request() -> None:
    """backend, metadata and stop_when work in every dialect, and never reach the wire."""
    own = {"backend": "ollama", "metadata": {"row": 7}, "stop_when": {"max_chars": 9}}
    for line in ({"id": "a", "prompt": "x"} | own, anthropic(own), openai(own)):
        found = job(line)
        assert (found.backend, found.metadata, found.stop_when) == ("ollama", {"row": 7}, {"max_chars": 9})
        assert not own.keys() & found.body.keys()


def test_the_metadata_of_a_chat_request_is_its_providers() -> None:
    """Only in a simple line the two share a name."""
    assert job(openai(metadata={"team": "x"}), TO_OLLAMA).body["metadata"] == {"team": "x"}


FORMS: dict[str, tuple[Any, str, str]] = {
    "params that are a list": ({"custom_id": "a", "params": []}, "params has no messages", "into it"),
    "params without messages": ({"custom_id": "a", "params": {"prompt": "x"}}, "params has no messages", "into it"),
    "no custom_id": ({"params": {"messages": USER}}, "no custom_id", 'add "custom_id"'),
    "an id instead": ({"id": "a", "body": {"messages": USER, "model": "m"}}, "no custom_id", 'add "custom_id"'),
    "a custom_id that is a number": (anthropic({"custom_id": 7}), "custom_id is a JSON number", '"custom_id": "7"'),
    "a simple line with the wrong id": ({"custom_id": "a", "prompt": "x"}, "neither params nor body", "call it id"),
    "both": (anthropic({"body": {"messages": USER}}), "both params and body", "keep the one"),
    "another method": (openai({"method": "GET"}), "method is 'GET'", '"method": "POST"'),
    "a field astray": (anthropic({"model": "m"}), "model is not known beside params", "move it into params"),
    "a bad bound": (anthropic(max_tokens=0), "params.max_tokens is not a whole number above 0", "mend it"),
    "a bad bound in chat": (openai(max_completion_tokens="9"), "body.max_completion_tokens is not a whole", "mend it"),
    "a bad model": (openai(model=7), "body.model is not a name", "leave it out"),
    "a bad stream": (openai(stream="yes"), "body.stream is neither true nor false", "mend it"),
    "a bad message": (anthropic(messages=[{"role": "user"}]), "params.messages[0] has no role or no content", "write"),
    "a message without a role": (openai(messages=[{"content": "x"}]), "body.messages[0] has no role", "write"),
}


@pytest.mark.parametrize(("line", "what", "remedy"), FORMS.values(), ids=FORMS.keys())
def test_a_fault_in_a_batch_line_is_named_as_the_line_calls_it(line: Any, what: str, remedy: str) -> None:
    """One complaint for one fault, with the path into the line."""
    kinds = line if isinstance(line, dict) and "body" not in line else line | {"backend": "ollama"}
    [complaint] = [told for told in complaints(kinds) if "backend" not in told.what]
    assert what in complaint.what
    assert remedy in complaint.remedy


def test_a_stop_rule_is_checked_by_whoever_knows_stop_rules() -> None:
    """What the check says is told with the field; nothing is said of a rule that it takes."""
    line = encoded({"id": "a", "prompt": "x", "stop_when": {"regex": "("}})
    with pytest.raises(BadJobLine) as bad:
        parse_line(line, 1, FLAGS, BACKENDS, lambda rule: ("stop_when.regex is none", "close the bracket"))
    assert bad.value.complaints == [Complaint("stop_when.regex is none", "close the bracket")]
    assert parse_line(line, 1, FLAGS, BACKENDS, lambda rule: None).stop_when == {"regex": "("}


# -- models, bounds, fingerprints --------------------------------------------------------------------------------------


def test_a_backends_own_defaults_fill_what_is_silent() -> None:
    """The line first, then the flag, then the backend, then batchrun."""
    small = BackendSpeech("claude", model="claude-tiny", max_tokens=5)
    backends = {"claude": small, "ollama": OLLAMA}
    silent = {"id": "a", "prompt": "x"}
    assert (job(silent, backends=backends).model, job(silent, backends=backends).body["max_tokens"]) == (
        "claude-tiny",
        5,
    )
    flagged = job(silent, RequestFlags(model="m", max_tokens=7), backends)
    assert (flagged.model, flagged.body["max_tokens"]) == ("m", 7)
    assert (job(silent).model, job(silent).body["max_tokens"]) == (DEFAULT_MODEL, DEFAULT_MAX_TOKENS)


def test_a_flags_model_stays_with_the_runs_backend() -> None:
    """`--model claude-...` is no model of an Ollama that a line names and that has its own."""
    flags = RequestFlags(model="claude-opus-5")
    line = {"id": "a", "prompt": "x", "backend": "ollama"}
    assert job(line, flags).model == "llama3.2"
    bare = BACKENDS | {"ollama": BackendSpeech("ollama", Wire.CHAT)}
    assert job(line, flags, bare).model == "claude-opus-5"


def test_a_chat_backend_without_a_model_needs_one_from_the_line() -> None:
    """batchrun's own default is a Claude, which no such server has."""
    bare = {"gpt": BackendSpeech("gpt", Wire.CHAT)}
    with pytest.raises(BadJobLine) as bad:
        job({"id": "a", "prompt": "x"}, RequestFlags(backend="gpt"), bare)
    [complaint] = bad.value.complaints
    assert complaint.what == "no model"
    assert "set a model for the backend gpt" in complaint.remedy


def test_a_backend_may_call_the_bound_by_its_other_name() -> None:
    """Where the line does not call it itself; null means that it does not."""
    strict = {"gpt": BackendSpeech("gpt", Wire.CHAT, "gpt-6-astra", 50, "max_completion_tokens")}
    flags = RequestFlags(backend="gpt")
    assert job({"id": "a", "prompt": "x"}, flags, strict).body["max_completion_tokens"] == 50
    assert job(openai(max_tokens=None), flags, strict).body["max_completion_tokens"] == 50
    own = job(openai(max_tokens=7), RequestFlags(max_tokens=9, backend="gpt"), strict).body
    assert (own["max_tokens"], "max_completion_tokens" in own) == (7, False)
    assert job(openai(max_completion_tokens=7), RequestFlags(max_tokens=9, backend="gpt"), strict).body.keys() == {
        *("model", "messages", "max_completion_tokens")
    }


def test_the_fingerprint_is_that_of_the_line() -> None:
    """Neither a backend's defaults nor a translation make a finished job another one; what the line asks does."""
    line = {"id": "a", "prompt": "x"}
    other = BACKENDS | {"ollama": BackendSpeech("ollama", Wire.CHAT, "qwen4", 9, "max_completion_tokens")}
    requests = {job(line).request, job(line, TO_OLLAMA).request, job(line, TO_OLLAMA, other).request}
    assert len(requests) == 1
    chat = job(openai(), TO_OLLAMA)
    assert job(openai(), FLAGS, BACKENDS).request == chat.request
    assert job(openai(seed=7), TO_OLLAMA).request != chat.request


# -- what cannot be said -----------------------------------------------------------------------------------------------


def test_a_simple_line_is_translated_for_a_chat_backend() -> None:
    """One file can serve both kinds of backend."""
    line = {"id": "a", "prompt": "Say a word.", "system": "Be brief.", "max_tokens": 9, "stop_sequences": ["\n"]}
    found = job(line, TO_OLLAMA)
    assert found.wire is Wire.CHAT
    messages = [{"role": "system", "content": "Be brief."}, *USER]
    assert found.body == {"model": "llama3.2", "max_tokens": 9, "messages": messages, "stop": ["\n"]}


def test_openai_lines_may_have_a_backend_of_their_own() -> None:
    """Where nobody is named: a line's own word and lines in other forms know nothing of it."""
    flags = RequestFlags(chat_backend="ollama")
    assert job(openai(seed=7), flags).backend == "ollama"
    assert job(openai({"backend": "claude"}), flags).backend == "claude"
    assert job(anthropic(), flags).backend == "claude"


def test_an_openai_line_is_translated_for_claude() -> None:
    """With everything that both sides know."""
    messages = [{"role": "developer", "content": "Be brief."}, *USER]
    found = job(openai(model="claude-sonnet-5", messages=messages, max_completion_tokens=9, stop="\n", n=1, user=None))
    assert found.wire is Wire.MESSAGES
    expected = {"model": "claude-sonnet-5", "max_tokens": 9, "system": "Be brief.", "stop_sequences": ["\n"]}
    assert found.body == expected | {"messages": USER}


def test_what_cannot_be_said_is_told_field_by_field() -> None:
    """All of it at once, each with what to do."""
    told = complaints(anthropic(thinking={"type": "adaptive"}, top_k=3), TO_OLLAMA)
    assert [complaint.what.partition(" ")[0] for complaint in told] == ["params.thinking", "params.top_k"]
    assert "cannot be translated for the backend ollama, which speaks chat completions" in told[0].what
    assert "write the line as an OpenAI batch request, or give --backend claude to send it as it is" in told[0].remedy
    [seed] = complaints(openai(seed=7))
    assert seed.what == "body.seed cannot be translated for the backend claude, which speaks the Messages API"
    assert "write the line as an Anthropic batch request, or give --backend ollama to send it as it is" in seed.remedy
    with pytest.raises(BadJobLine) as bad:
        job(openai(seed=7), FLAGS, {"claude": BackendSpeech("claude")})
    how = 'or write [backends.NAME] with kind = "openai" into batchrun.toml and give --backend NAME to send it as it is'
    assert how in bad.value.complaints[0].remedy
