"""What of a foreign text may be kept or shown: no secret, and of a message no more than fits on one line.

Text in, text out. Which texts are foreign is known by whoever has them; the environment's secrets come as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "***"
MAX_MESSAGE = 2048  # characters of a foreign message that are kept

_SHORTEST_SECRET = 8  # characters; a shorter value is a setting, and would black out ordinary words
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(_\w+)?$")
_PLACE_NAME = re.compile(r"_(FILE|PATH|DIR|SOCK|URL|NAME|CONTROL)$")  # where a secret lies is none
# As their issuers shape them: Anthropic, OpenAI, AWS, GitHub, GitLab, Slack, Hugging Face, Google; signed tokens.
_SHAPES = (
    r"\bsk-[\w-]{8,}",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\b(?:gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|hf_)[\w-]{8,}",
    r"\bAIza[\w-]{30,}",
    r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?",
    r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",  # user and password in a URL
)
# What follows one of these is a secret whatever its shape, unless it is a `$VARIABLE` that a shell has yet to fill in.
_VALUE = r"(?![$*])[^\s\"'&|;<>`$]{4,}"
_SCHEMES = r"(?:bearer|basic|digest|token)\b"
_LED_BY = (
    r"(?i:\bbearer\s+)",
    rf"(?i:\bauthorization:\s*{_SCHEMES}\s+)",
    rf"(?i:\bauthorization:\s*(?!{_SCHEMES}))",
    r"(?i:api[_-]?key[\"']?\s*[=:]\s*[\"']?)",
    r"(?i:(?:token|secret|password|passwd)=[\"']?)",
)
_SECRETS = re.compile("|".join((*_SHAPES, *(f"(?:{lead}){_VALUE}" for lead in _LED_BY))))
_LEADS = re.compile("|".join(_LED_BY))


def masked(text: str, environment: Mapping[str, str]) -> str:
    """The text without what looks like a key or a password, and without what the environment calls one."""
    for name, value in environment.items():
        if len(value) >= _SHORTEST_SECRET and is_secret_name(name):
            text = text.replace(value, MASK)
    return _SECRETS.sub(_mask, text)


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a key, a token or a password."""
    name = name.upper()
    return _SECRET_NAME.search(name) is not None and _PLACE_NAME.search(name) is None


def scrubbed(text: str, secret: str | None) -> str:
    """The part of a foreign text that may be kept: short, on one line, without the credential."""
    if secret:
        text = text.replace(secret, MASK)
    # Half a character, which JSON lets through as an escape, could not be written anywhere.
    text = text.encode(errors="replace").decode()
    return " ".join(text[: MAX_MESSAGE * 2].split())[:MAX_MESSAGE]


def _mask(found: re.Match[str]) -> str:
    lead = _LEADS.match(found[0])
    return f"{lead[0] if lead else ''}{MASK}"
