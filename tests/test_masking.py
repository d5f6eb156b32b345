"""No secret is kept or shown, and what is none stays legible."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.masking import MAX_MESSAGE, is_secret_name, masked, scrubbed

SECRET = "sk-ant-canary-2718281828459045"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("curl -H 'Authorization: Bearer s3cr3t' x", "curl -H 'Authorization: Bearer ***' x"),
        ('-H "authorization: Basic bWU6cHc="', '-H "authorization: Basic ***"'),
        ("Authorization: s3cr3t", "Authorization: ***"),
        ("curl -H 'x-api-key: s3cr3t'", "curl -H 'x-api-key: ***'"),
        ("post http://h/a?api_key=s3cr3t&b=c", "post http://h/a?api_key=***&b=c"),
        ("PGPASSWORD=hunter22 psql", "PGPASSWORD=*** psql"),
        ("psql postgres://me:hunter22@db/site", "psql postgres://***@db/site"),
        ("key sk-ant-api03-abcdefgh is bad", "key *** is bad"),
        ("ghp_0123456789abcdef", "***"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text: str, told: str) -> None:
    """By its shape, or by what stands before it; the rest of the command stays."""
    assert masked(text, {}) == told
    assert masked(told, {}) == told


@pytest.mark.parametrize(
    "text",
    [
        "curl -H 'Authorization: Bearer $TOKEN' x",
        'curl -H "Authorization: Bearer ${TOKEN}" -H "x-api-key: $KEY"',
        "PGPASSWORD=$(cat key) psql",
        "cat >> notes.txt",
        "jq .usage.output_tokens",
        "max_tokens: 2048 is too large",
        "Unexpected token: <html>",
        "http://127.0.0.1:8080/a@b",
        "a basic question of task-sk-1",
    ],
)
def test_what_is_none_stays_as_it_is(text: str) -> None:
    """A variable that a shell will fill in is a name; a word like those of a secret is a word."""
    assert masked(text, {}) == text


def test_what_the_environment_calls_a_secret_is_struck_out() -> None:
    """By the variable's name; a short value is a setting, and the place of a key is none."""
    environment = {"SITE_TOKEN": "pa$$w0rd!", "MY_KEY": "short", "KEY_FILE": "/etc/batchrun/key"}
    assert masked("send pa$$w0rd! short /etc/batchrun/key", environment) == "send *** short /etc/batchrun/key"


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("DB_PASSWORD", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("api_key_prod", True),
        ("ANTHROPIC_IDENTITY_TOKEN_FILE", False),
        ("KEYBOARD_LAYOUT", False),
        ("MAX_TOKENS", False),
    ],
)
def test_a_variable_is_known_by_its_name(name: str, is_secret: bool) -> None:
    """As people name them."""
    assert is_secret_name(name) is is_secret


def test_a_key_in_a_foreign_text_is_struck_out() -> None:
    """Wherever and however often it stands; even where the cut would go through it."""
    assert scrubbed(f"bad key {SECRET}, {SECRET}!", SECRET) == "bad key ***, ***!"
    for padding in range(MAX_MESSAGE - 40, MAX_MESSAGE + 1):
        assert "canary" not in scrubbed("x" * padding + SECRET, SECRET)


def test_a_page_of_html_is_cut_to_two_kilobytes_on_one_line() -> None:
    """A gateway's page belongs in no log, its beginning does."""
    page = "<html>\r\n\t<body>\n" + "<p>502 Bad gateway</p>\n" * 10_000
    kept = scrubbed(page, None)
    assert len(kept) <= MAX_MESSAGE == 2048
    assert kept.startswith("<html> <body> <p>502 Bad gateway</p> <p>")
    assert "\n" not in kept


def test_a_message_without_a_key_stays_as_it_is() -> None:
    """No secret, or an empty one, strikes nothing out."""
    assert scrubbed("max_tokens: must be above 0", None) == "max_tokens: must be above 0"
    assert scrubbed("max_tokens: must be above 0", "") == "max_tokens: must be above 0"


@given(st.text())
def test_any_message_can_be_kept(text: str) -> None:
    """Half characters, control characters, whole books: short, one line, and JSON can hold it."""
    kept = scrubbed(text + "\ud800", SECRET)
    assert len(kept) <= MAX_MESSAGE
    assert "\n" not in kept
    assert orjson.loads(orjson.dumps(kept)) == kept
