"""What an error in OpenAI's shape says, and the cause behind it. Its shapes inside a stream are tried with the fold."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.failure import Cause
from batchrun.providers.chat_errors import BY_TYPE, BY_WORD, ChatError, error_in
from batchrun.providers.failures import BY_ERROR_TYPE, BY_STATUS, cause_of_status


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529])
def test_the_status_decides(status: int) -> None:
    """OpenAI says invalid_request_error of a wrong key and of an unknown model as well."""
    assert ChatError("no", "invalid_request_error", "of_tomorrow").cause(status) is cause_of_status(status)


@pytest.mark.parametrize(
    ("status", "word", "cause"),
    [
        (429, "insufficient_quota", Cause.QUOTA),
        (429, "billing_not_active", Cause.QUOTA),
        (400, "billing_hard_limit_reached", Cause.QUOTA),
        (403, "model_not_found", Cause.UNKNOWN_MODEL),
        (404, "model_not_found", Cause.UNKNOWN_MODEL),
        (400, "context_length_exceeded", Cause.TOO_LARGE),
        (400, "exceed_context_size_error", Cause.TOO_LARGE),
        (503, "rate_limit_exceeded", Cause.RATE_LIMITED),
        (400, "invalid_api_key", Cause.CREDENTIALS),
    ],
)
def test_a_word_that_says_more_than_the_status_wins(status: int, word: str, cause: Cause) -> None:
    """As a code or as a type: servers put it in either place."""
    assert word in BY_WORD
    assert ChatError("no", code=word).cause(status) is cause
    assert ChatError("no", type=word).cause(status) is cause


@pytest.mark.parametrize("status", [400, 404, 429, 500, 529])
def test_without_a_status_a_code_may_be_one(status: int) -> None:
    """As a number and as a text; no other number is taken for one."""
    for code in (status, str(status)):
        error = error_in({"error": {"message": "no", "code": code}})
        assert error is not None
        assert error.cause() is cause_of_status(status)
    assert ChatError("no", code="42").cause() is Cause.SERVER_ERROR
    assert ChatError("no", code=str(status)).cause(422) is Cause.BAD_REQUEST


def test_no_type_stands_in_two_tables() -> None:
    """Each word has one meaning."""
    assert not BY_TYPE.keys() & BY_ERROR_TYPE.keys()
    assert not BY_WORD.keys() & (BY_TYPE.keys() | BY_ERROR_TYPE.keys())
    assert BY_STATUS[429] is BY_TYPE["requests"]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"error": {"message": "no", "type": "t", "param": None, "code": "c"}}, ChatError("no", "t", "c")),
        ({"error": {"message": "no", "type": None, "code": 400}}, ChatError("no", "", "400")),
        ({"error": "no"}, ChatError("no")),
        ({"error": {}, "object": "error", "message": "no", "type": "t"}, ChatError("no", "t")),
        ({"object": "error", "message": {"detail": ["x"]}, "code": None}, ChatError('{"detail":["x"]}')),
        ({"error": True, "message": "no"}, ChatError("true")),
        ({"error": {"type": ["t"]}, "message": "outside"}, ChatError("outside")),
        ({"error": None, "choices": []}, None),
        ({}, None),
    ],
    ids=str,
)
def test_an_error_is_found_in_each_of_its_shapes(document: dict[str, Any], error: ChatError | None) -> None:
    """With an envelope and without, as an object and as a text."""
    assert error_in(document) == error


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["message", "type", "code"]), inner),
    max_leaves=6,
)


@given(document=st.dictionaries(st.sampled_from(["error", "object", "message", "type", "code"]), JSON_VALUES))
def test_any_document_has_a_cause_or_no_error(document: dict[str, Any]) -> None:
    """Whatever a gateway writes there."""
    error = error_in(orjson.loads(orjson.dumps(document)))
    assert error is None or (isinstance(error.cause(), Cause) and isinstance(error.message, str))
