"""The backends of a run: who can be asked, and each one's gate bounds and clocks. From values that `config.py` has read.

Three places may speak of the same thing: a flag or variable, the backend's own table, the general section. They win in
this order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from batchrun.errors import ConfigError, UsageError
from batchrun.gate.law import GateBounds
from batchrun.providers.provider import BackendConfig
from batchrun.settings import SETTINGS, read_any_url, read_path, read_text, read_value, read_whole, read_yes
from batchrun.stream.clocks import ClockLimits

DEFAULT = "claude"
KINDS = ("anthropic", "openai")
CLOCKS = tuple(f"{clock}_timeout" for clock in ClockLimits.__slots__)
BOUNDS = ("target_cpu", "min_slots", "max_slots")


@dataclass(frozen=True, slots=True)
class Backend:
    """A named provider with a gate and clocks of its own. `max_tokens` None: batchrun's default."""

    provider: BackendConfig
    bounds: GateBounds
    clocks: ClockLimits
    max_tokens: int | None = None


def _kind(value: object) -> str:
    if value not in KINDS:
        raise ValueError(f"{value!r} is not among {', '.join(KINDS)}")
    return str(value)


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(content, str) for content in value.values()):
        raise ValueError(f"{value!r} is no table of texts")
    # A key in the file would be read by whoever reads the file, and is not scrubbed from messages.
    if any(name.lower() in ("authorization", "x-api-key") for name in value):
        raise ValueError("no credentials here; name the variable that holds the key with key_env")
    return dict(value)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"{value!r} is no list of names")
    return tuple(value)


def _variable(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(value)):
        raise ValueError(f"{value!r} is no name of a variable (the key itself does not belong here)")
    return str(value)


TABLE: dict[str, Callable[[object], Any]] = {
    "kind": _kind,
    "base_url": read_any_url,
    "key_env": _variable,
    "key_file": read_path,
    "model": read_text,
    "max_tokens": read_whole,
    "headers": _headers,
    "betas": _names,
    "insecure_http": read_yes,
    **{name: SETTINGS[name].read for name in (*BOUNDS, *CLOCKS)},
}


def read_tables(tables: object, path: Path) -> dict[str, dict[str, Any]]:
    """The `[backends.NAME]` tables of a settings file.

    Raises:
        ConfigError: with file, table and setting.
    """
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigError(f"{path}: [backends] holds tables only; write [backends.NAME]")
    return {str(name): _read_table(f"{path}: [backends.{name}]", table) for name, table in tables.items()}


def _read_table(where: str, table: Mapping[str, object]) -> dict[str, Any]:
    values = {}
    for name, value in table.items():
        if name not in TABLE:
            raise ConfigError(f"{where} has no setting {name!r}; known: {', '.join(TABLE)}")
        values[name] = read_value(TABLE[name], value, f"{where} {name}", ConfigError)
    return values


def build_backends(
    tables: Mapping[str, Mapping[str, Any]], general: Mapping[str, Any], given: Mapping[str, Any], chosen: str
) -> dict[str, Backend]:
    """Every backend that the run knows, `claude` always among them.

    Args:
        tables: the backends' own settings. general: those of the file's other sections.
        given: flags and environment; base URL, key file and slots among them are meant for `chosen`.
    """
    known: dict[str, Mapping[str, Any]] = {DEFAULT: {}, **tables}
    if chosen not in known:
        raise ConfigError(f"no backend is called {chosen!r}; known: {', '.join(sorted(known))}")
    return {name: _backend(name, known[name], general, _meant_for(name, chosen, given)) for name in known}


def _meant_for(name: str, chosen: str, given: Mapping[str, Any]) -> dict[str, Any]:
    everybodys = {"target_cpu", "insecure_http", *CLOCKS}
    return {key: value for key, value in given.items() if name == chosen or key in everybodys}


def _backend(name: str, own: Mapping[str, Any], general: Mapping[str, Any], given: Mapping[str, Any]) -> Backend:
    values = {**general, **own, **given}
    # The general section's address and key are the default backend's, never another's.
    if name != DEFAULT:
        shared = {key: general[key] for key in (*BOUNDS, *CLOCKS, "insecure_http") if key in general}
        values = {**shared, **own, **given}
    provider = replace(_provider(name, values), model=own.get("model"))
    return Backend(provider, _bounds(name, values), _clocks(values), own.get("max_tokens"))


def _provider(name: str, values: Mapping[str, Any]) -> BackendConfig:
    kind, base_url = values.get("kind", "anthropic"), values.get("base_url")
    if kind == "openai" and base_url is None:
        raise ConfigError(f"backend {name}: kind openai needs a base_url, for example http://127.0.0.1:11434/v1")
    if kind == "anthropic" and base_url is not None and urlsplit(base_url).path.rstrip("/").endswith("/v1"):
        raise ConfigError(f'backend {name}: base URL {base_url}: leave out /v1, or set kind = "openai"')
    return BackendConfig(
        name=name,
        kind=kind,
        base_url=base_url,
        key_env=values.get("key_env"),
        key_file=values.get("key_file"),
        headers=values.get("headers", {}),
        betas=values.get("betas", ()),
        insecure_http=bool(values.get("insecure_http")),
    )


def _clocks(values: Mapping[str, Any]) -> ClockLimits:
    given = {clock: values[f"{clock}_timeout"] for clock in ClockLimits.__slots__ if f"{clock}_timeout" in values}
    return ClockLimits(**given)


def _bounds(name: str, values: Mapping[str, Any]) -> GateBounds:
    bounds = replace(GateBounds(), **{key: values[key] for key in BOUNDS if key in values})
    if bounds.min_slots > bounds.max_slots:
        raise UsageError(f"backend {name}: min_slots {bounds.min_slots} is above max_slots {bounds.max_slots}")
    return bounds
