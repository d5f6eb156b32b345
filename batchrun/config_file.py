"""batchrun.toml: what stands in it. Which one counts is known elsewhere.

A path in it is meant from where the file lies, for cron starts in a directory of its own.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from batchrun.backends import read_tables
from batchrun.errors import ConfigError
from batchrun.prices.bill import Rates, read_rates
from batchrun.settings import SECTIONS, SETTINGS, Given, nearest, read_given

BACKENDS = "backends"  # the section that holds a table per backend
PRICES = "prices"  # and the one that holds a table per model


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The general settings by name, those of each backend, and the user's own prices by model."""

    general: dict[str, Given] = field(default_factory=dict)
    backends: dict[str, dict[str, Given]] = field(default_factory=dict)
    prices: dict[str, Rates] = field(default_factory=dict)


def read_file(path: Path | None) -> ConfigFile:
    """All settings of a file.

    Raises:
        ConfigError: it is no TOML, or holds what nobody knows or what cannot be.
    """
    if path is None:
        return ConfigFile()
    sections = _toml(path)
    tables = read_tables(sections.pop(BACKENDS, {}), path)
    prices = _prices(sections.pop(PRICES, {}), path)
    general = {}
    for section, table in sections.items():
        if section not in SECTIONS or not isinstance(table, dict):
            raise ConfigError(f"{path}: {_astray(section, table)}")
        for name, value in table.items():
            if name not in SETTINGS or SETTINGS[name].section != section:
                raise ConfigError(f"{path}: [{section}] {name}: {_unknown(section, name)}")
            general[name] = _from(path, name, read_given(SETTINGS[name].read, value, f"{path}: [{section}] {name}"))
    backends = {
        backend: {name: _from(path, name, given) for name, given in table.items()} for backend, table in tables.items()
    }
    return ConfigFile(general, backends, prices)


def read_state(path: Path | None) -> Path | None:
    """The state that a file names, whatever else stands in it.

    Raises:
        ConfigError: it is no TOML, or the path cannot be one.
    """
    table = {} if path is None else _toml(path).get("run")
    if path is None or not isinstance(table, dict) or "state" not in table:
        return None
    given = read_given(SETTINGS["state"].read, table["state"], f"{path}: [run] state")
    place: Path = _from(path, "state", given).value
    return place


def read_prices(path: Path | None) -> dict[str, Rates]:
    """The prices that a file sets, whatever else stands in it.

    Raises:
        ConfigError: it is no TOML, or one of the prices cannot be.
    """
    return {} if path is None else _prices(_toml(path).get(PRICES, {}), path)


def _prices(tables: object, path: Path) -> dict[str, Rates]:
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigError(f"{path}: [{PRICES}] holds tables only; write [{PRICES}.MODEL]")
    prices = {}
    for model, table in tables.items():
        for name, value in table.items():
            if isinstance(value, dict):
                quoted = f'[{PRICES}."{model}.{name}"]'
                raise ConfigError(f"{path}: [{PRICES}.{model}.{name}]: a name with a dot needs quotes; write {quoted}")
        try:
            prices[model] = read_rates(table)
        except ValueError as exc:
            raise ConfigError(f'{path}: [{PRICES}."{model}"] {exc}') from exc
    return prices


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); make it readable or move it away") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: is no TOML in UTF-8 ({exc}); mend it or move it away") from exc


def _from(path: Path, name: str, given: Given) -> Given:
    """The same with its path, if it is one, taken from where the file lies."""
    if isinstance(given.value, Path):
        return replace(given, value=path.parent / given.value)
    if name == "scenario" and Path(given.value).suffix:
        return replace(given, value=str(path.parent / Path(given.value).expanduser()))
    return given


def _astray(name: str, value: object) -> str:
    """What to say of a section that is none."""
    known = sorted(SECTIONS | {BACKENDS, PRICES})
    named = {BACKENDS: ".NAME", PRICES: ".MODEL"}
    if isinstance(value, dict):
        meant = nearest(name, known)
        remedy = f"did you mean [{meant}{named.get(meant, '')}]?" if meant else f"use {', '.join(known)}"
        return f"no section is called [{name}]; {remedy}"
    if name in SECTIONS:
        return f"{name} is a section; write [{name}] on a line of its own, and its settings below it"
    setting = nearest(name, SETTINGS)
    if setting is None:
        return f"{name} stands outside any section, and no setting is called so; `batchrun run --help` tells them"
    spelt = "it" if setting == name else setting
    return f"{name} stands outside any section; put {spelt} under [{SETTINGS[setting].section}]"


def _unknown(section: str, name: str) -> str:
    """What to say of a setting that does not stand where it belongs, or is none."""
    if name in SETTINGS:
        return f"belongs under [{SETTINGS[name].section}]"
    here = [known for known, setting in SETTINGS.items() if setting.section == section]
    meant = nearest(name, here) or nearest(name, SETTINGS)
    if meant is None:
        return f"no setting is called so; known here: {', '.join(here)}"
    elsewhere = "" if meant in here else f" under [{SETTINGS[meant].section}]"
    return f"no setting is called so; did you mean {meant}{elsewhere}?"
