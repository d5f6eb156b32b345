"""The backends of a run: who can be asked, and each one's gate bounds and clocks. From values that `config.py` has
read.

Four places may speak of the same thing: a flag, a variable, the backend's own table, the general section. They win in
this order, but an address, a key, a model and slots are meant for one backend only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args
from urllib.parse import urlsplit

from batchrun.errors import ConfigError, UsageError
from batchrun.gate.law import GateBounds
from batchrun.jobs.job import BackendSpeech, LimitField, way_to
from batchrun.providers.provider import LOOPBACK, BackendConfig, Wire
from batchrun.settings import SETTINGS, Given, nearest, read_given, read_text
from batchrun.stream.clocks import ClockLimits

DEFAULT = "claude"
KINDS = ("anthropic", "openai")
CLOCKS = tuple(f"{clock}_timeout" for clock in ClockLimits.__slots__)
BOUNDS = ("target_cpu", "min_slots", "max_slots")
# What is said of these without the name of a backend holds for all of them.
SHARED = frozenset({"target_cpu", "insecure_http", *CLOCKS})
# An address and a key belong together, and to one backend: another's would be told a secret that is not its own.
WHOSE = frozenset({"base_url", "key_file"})
ANTHROPIC = "https://api.anthropic.com"
# Its reasoning models refuse max_tokens, and its other models take both; other servers may know the old name alone.
OPENAI_HOST = "api.openai.com"
STAND_INS = ("openai", "openai lines")  # names; the second where a backend has the first
LIMIT_FIELDS: tuple[LimitField, ...] = get_args(LimitField)


@dataclass(frozen=True, slots=True)
class Backend:
    """A named provider with a gate and clocks of its own. `max_tokens` None: batchrun's default. `limit_field`: what
    the bound on an answer is called there, where the line does not call it itself."""

    provider: BackendConfig
    bounds: GateBounds
    clocks: ClockLimits
    max_tokens: int | None = None
    limit_field: LimitField = "max_tokens"

    @property
    def speech(self) -> BackendSpeech:
        """What a reader of jobs must know of it."""
        wire = Wire.CHAT if self.provider.kind == "openai" else Wire.MESSAGES
        return BackendSpeech(self.provider.name, wire, self.provider.model, self.max_tokens, self.limit_field)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which backend lines are for that name none. `told` is what holds, `resting` what would without the command line:
    an address and a key in the environment were put there for that one. None: `claude`."""

    told: Given | None = None
    resting: Given | None = None

    @property
    def name(self) -> str:
        return DEFAULT if self.told is None else str(self.told.value)

    @property
    def resting_name(self) -> str:
        return DEFAULT if self.resting is None else str(self.resting.value)


class Key(NamedTuple):
    """One row of the table of what a backend may be told."""

    read: Callable[[object], Any]
    default: str
    meaning: str


def _kind(value: object) -> str:
    if value not in KINDS:
        raise ValueError(f"{value!r} is not among {', '.join(KINDS)}")
    return str(value)


def _limit_field(value: object) -> LimitField:
    for known in LIMIT_FIELDS:
        if value == known:
            return known
    raise ValueError(f"{value!r} is not among {', '.join(LIMIT_FIELDS)}")


def _headers(value: object) -> dict[str, str]:
    # What is wrong is told without the values: a key may be among them.
    if not isinstance(value, dict):
        raise ValueError('not a table; write { name = "text" }')
    for name, content in value.items():
        # A key in the file would be read by whoever reads the file, and is not scrubbed from messages.
        if name.lower().endswith(("authorization", "api-key")):
            raise ValueError(f"{name}: no credentials here; name the variable that holds the key with key_env")
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError(f"{name!r} is no name of a header")
        if not isinstance(content, str) or not content.isascii() or not content.isprintable():
            raise ValueError(f"{name}: the value is no text that a header can hold")
    return dict(value)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"{value!r} is no list of names")
    return tuple(value)


def _variable(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("no name of a variable (the key itself does not belong here)")
    return value


def _as_general(name: str) -> Key:
    _, read, default, meaning = SETTINGS[name]
    return Key(read, default, meaning)


TABLE: dict[str, Key] = {
    "kind": Key(_kind, "anthropic", "What it speaks: anthropic or openai."),
    "base_url": Key(
        SETTINGS["base_url"].read,
        "what the SDK resolves",
        "Who is asked; without /v1 for anthropic, with it for openai, which needs one.",
    ),
    "key_env": Key(_variable, "none", "The variable that holds the key."),
    "key_file": Key(SETTINGS["key_file"].read, "none", "A file that holds the key, mode 0600; for cron."),
    "model": Key(read_text, "claude-haiku-5-5", "For lines that name none."),
    "max_tokens": _as_general("max_tokens"),
    "limit_field": Key(
        _limit_field,
        "max_completion_tokens at api.openai.com, else max_tokens",
        "What max_tokens is called there; openai only.",
    ),
    "headers": Key(_headers, "none", 'Sent with each request, as { name = "text" }; no credentials.'),
    "betas": Key(_names, "none", "A list of names for the anthropic-beta header."),
    "insecure_http": _as_general("insecure_http"),
    **{name: _as_general(name) for name in (*BOUNDS, *CLOCKS)},
}


def read_tables(tables: object, path: Path) -> dict[str, dict[str, Given]]:
    """The `[backends.NAME]` tables of a settings file.

    Raises:
        ConfigError: with file, table and setting.
    """
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigError(f"{path}: [backends] holds tables only; write [backends.NAME]")
    return {str(name): _read_table(f"{path}: [backends.{name}]", table) for name, table in tables.items()}


def _read_table(where: str, table: Mapping[str, object]) -> dict[str, Given]:
    given = {}
    for name, value in table.items():
        if name not in TABLE:
            raise ConfigError(f"{where} {name}: {_unknown(name)}")
        given[name] = read_given(TABLE[name].read, value, f"{where} {name}")
    return given


def _unknown(name: str) -> str:
    if name in SETTINGS:
        return f"is the same for every backend; put it under [{SETTINGS[name].section}]"
    meant = nearest(name, TABLE)
    return f"no setting is called so; {f'did you mean {meant}?' if meant else 'known here: ' + ', '.join(TABLE)}"


def build_backends(
    tables: Mapping[str, Mapping[str, Given]],
    general: Mapping[str, Given],
    variables: Mapping[str, Given],
    flags: Mapping[str, Given],
    choice: Choice,
) -> dict[str, Backend]:
    """Every backend that the run knows, `claude` always among them.

    Args:
        tables: the backends' own settings. general: those of the file's other sections.

    Raises:
        UsageError, ConfigError: a backend that cannot be, or a choice that is none of them.
    """
    known: dict[str, Mapping[str, Given]] = {DEFAULT: {}, **tables}
    for named in (choice.told, choice.resting):
        if named is not None and named.value not in known:
            remedy = f"give it a table [backends.{named.value}], or use one of: {', '.join(sorted(known))}"
            raise named.wrong(f"no backend is called {named.value!r}; {remedy}")
    backends = {}
    for name, own in known.items():
        filed = _only(general, _of_general(name, choice)) | dict(own)
        told = _only(variables, _of_variables(name, choice))
        told |= _only(flags, frozenset(TABLE) if name == choice.name else SHARED)
        given = filed | told
        backends[name] = _backend(name, given, claudes_key=name == DEFAULT and _is_claudes(given, told))
    return backends


def for_chat_lines(backends: Mapping[str, Backend], like: str, model: str | None) -> Backend:
    """Who is asked in a simulated run by lines of chat completions that name no backend: the one that is configured for
    them, or else a stand-in beside the backend `like`, of which it has gate and clocks. A stand-in has no address, for
    the embedded provider has all that it needs."""
    chats = [backend for backend in backends.values() if backend.provider.kind == "openai"]
    if len(chats) == 1:
        return chats[0]
    name = next(name for name in STAND_INS if name not in backends)
    provider = BackendConfig(name=name, kind="openai", model=model)
    return replace(backends[like], provider=provider, limit_field="max_tokens")


def what_if_unknown(backend: str, backends: Mapping[str, Backend]) -> str:
    """What to do about a model that the backend does not know."""
    remedy = "mend the model's name or the base URL"
    if backends[backend].speech.wire is Wire.CHAT:
        return remedy
    elsewhere = way_to(Wire.CHAT, (each.speech for each in backends.values()))
    return f"{remedy}, or if a server of OpenAI's kind has it {elsewhere}"


def limit_field_at(kind: str, base_url: str | None) -> LimitField:
    """What the bound on an answer is called there, unless a table says otherwise."""
    host = (urlsplit(base_url or "").hostname or "") if kind == "openai" else ""
    is_openai = host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")  # of a region, such as eu.api.openai.com
    return "max_completion_tokens" if is_openai else "max_tokens"


def _is_claudes(given: Mapping[str, Given], told: Mapping[str, Given]) -> bool:
    """Whether a key that nobody named, the one that the SDK finds, may go to the address of `claude`.

    A flag or a variable is the user's own word. A settings file may have come with the job file from elsewhere: it can
    send that key to Anthropic or keep it on this machine, and must name a key for any other place.
    """
    kind, base_url = given.get("kind"), given.get("base_url")
    if kind is not None and kind.value != "anthropic":
        return False
    if base_url is None or "base_url" in told:
        return True
    parts = urlsplit(base_url.value)
    return f"{parts.scheme}://{parts.netloc}" == ANTHROPIC or parts.hostname in LOOPBACK


def _of_general(name: str, choice: Choice) -> frozenset[str]:
    """Of which settings the general sections speak for this backend, too."""
    mine = {"model"} if name == choice.name else set()
    return SHARED | {*BOUNDS, "max_tokens"} | mine | (WHOSE if name == DEFAULT else set())


def _of_variables(name: str, choice: Choice) -> frozenset[str]:
    mine = frozenset(TABLE) - WHOSE if name == choice.name else SHARED
    return mine | (WHOSE if name == choice.resting_name else set())


def _only(given: Mapping[str, Given], wanted: frozenset[str]) -> dict[str, Given]:
    return {key: each for key, each in given.items() if key in wanted}


def _backend(name: str, given: Mapping[str, Given], *, claudes_key: bool) -> Backend:
    values = {key: each.value for key, each in given.items() if key in TABLE}
    _check_address(given)
    clocks = {clock: values[f"{clock}_timeout"] for clock in ClockLimits.__slots__ if f"{clock}_timeout" in values}
    provider = BackendConfig(
        name=name,
        kind=values.get("kind", "anthropic"),
        base_url=values.get("base_url"),
        key_env=values.get("key_env"),
        key_file=values.get("key_file"),
        model=values.get("model"),
        headers=values.get("headers", {}),
        betas=values.get("betas", ()),
        insecure_http=values.get("insecure_http", False),
        claudes_key=claudes_key,
    )
    limit_field = values.get("limit_field") or limit_field_at(provider.kind, provider.base_url)
    return Backend(provider, _bounds(given), ClockLimits(**clocks), values.get("max_tokens"), limit_field)


def _check_address(given: Mapping[str, Given]) -> None:
    kind, base_url, limit_field = given.get("kind"), given.get("base_url"), given.get("limit_field")
    if kind is not None and kind.value == "openai":
        if base_url is None:
            raise kind.wrong("openai needs a base_url beside it, for example http://127.0.0.1:11434/v1")
        return
    if limit_field is not None:
        raise limit_field.wrong("the Messages API knows max_tokens alone; leave it out, or set kind to openai")
    if base_url is not None and urlsplit(base_url.value).path.rstrip("/").endswith("/v1"):
        remedy = 'leave that out, or write [backends.NAME] with kind = "openai" for a server of that kind'
        raise base_url.wrong(f"{base_url.value!r} ends with /v1; {remedy}")


def _bounds(given: Mapping[str, Given]) -> GateBounds:
    bounds = replace(GateBounds(), **{key: given[key].value for key in BOUNDS if key in given})
    if bounds.min_slots > bounds.max_slots:
        low, high = (given.get(key) for key in ("min_slots", "max_slots"))
        least = f"{low.place if low else 'the default of min_slots,'} {bounds.min_slots}"
        most = f"{high.place if high else 'the default of max_slots,'} {bounds.max_slots}"
        is_slip = any(each is not None and each.is_flag for each in (low, high))
        raise (UsageError if is_slip else ConfigError)(f"{least} is above {most}; lower the one or raise the other")
    return bounds
