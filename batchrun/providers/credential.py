"""Which key a backend is asked with, and over what it may travel. The key is handed on and kept nowhere else."""

from __future__ import annotations

import os

import httpx2

from batchrun.errors import ConfigError, CredentialsError
from batchrun.providers.key_file import read_key
from batchrun.providers.provider import LOOPBACK, BackendConfig

# Whatever a configuration says, these go to no other backend.
OF_CLAUDE = frozenset({"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"})


def given_key(backend: BackendConfig) -> str | None:
    """The key in the backend's own file or variable; None where it names neither, or a variable that is not set.

    Raises:
        CredentialsError: what stands there is no key. ConfigError: the variable is Claude's, and this is another.
    """
    if backend.key_env in OF_CLAUDE and not backend.is_claude:
        remedy = "put the key that is meant into another variable, and name that one"
        raise ConfigError(f"[backends.{backend.name}] key_env: {backend.key_env} goes to claude alone; {remedy}")
    if backend.key_file is not None:
        return read_key(backend.key_file)
    named = backend.key_env or ""
    return sendable(os.environ.get(named), f"key in {named}") or None


def unanswered_without_key(message: str, backend: BackendConfig) -> str:
    """What a server says that wanted a key where none was sent, with what to do about it."""
    return f"{message} (no key was sent; name the variable that holds it with key_env in [backends.{backend.name}])"


def sendable(secret: str | None, kind: str) -> str | None:
    """Without the line end that most ways of storing it leave. Anything odder would fail every request of the night, in
    a message that quotes it.

    Raises:
        CredentialsError: no header can carry it.
    """
    secret = None if secret is None else secret.strip()
    if secret and not (secret.isascii() and secret.isprintable() and " " not in secret):
        remedy = "copy it again, in one line without spaces"
        raise CredentialsError(f"the {kind} holds a character that no header can carry; {remedy}")
    return secret


def require_safe(url: httpx2.URL, backend: BackendConfig) -> None:
    """The URL may also come from the environment or a profile, so it is looked at once it is resolved.

    Raises:
        ConfigError: a key would travel unencrypted, or stands in the URL itself.
    """
    if url.userinfo:
        raise ConfigError(f"base URL of {backend.name}: a password stands in it; take it out and set key_env")
    if url.scheme != "https" and url.host not in LOOPBACK and not backend.insecure_http:
        remedy = "use https, or add --insecure-http if you know that nobody listens"
        raise ConfigError(f"base URL {url}: the key would travel unencrypted; {remedy}")
