"""Flags, environment and batchrun.toml resolved once into one frozen `RunConfig`. Nothing else reads options.

A flag wins over the environment (`BATCHRUN_*`), the environment over the file, the file over the default. The file is
looked for beside the job file, then in the XDG configuration directory.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchrun.backends import DEFAULT, Backend, build_backends, read_tables
from batchrun.errors import ConfigError, UsageError
from batchrun.jobs.job import RequestFlags
from batchrun.jobs.reader import Selection
from batchrun.outcome import Status
from batchrun.retry import RetryPolicy
from batchrun.settings import SECTIONS, SETTINGS, read_setting

FILE_NAME = "batchrun.toml"
BACKENDS = "backends"  # the section that holds a table per backend


@dataclass(frozen=True, slots=True)
class RunConfig:
    """All that a run needs to know. Times are seconds. `state` None: beside the job file."""

    jobs: Path
    state: Path | None
    flags: RequestFlags
    backends: Mapping[str, Backend]
    retry: RetryPolicy
    prewarm: int
    selection: Selection
    period: float
    drain_timeout: float
    give_up: float
    stream: bool
    simulate: bool
    scenario: str | None
    quiet: bool
    json: bool
    log: Path | None
    accept: frozenset[Status]


def resolve(
    jobs: Path,
    given: Mapping[str, Any],
    selection: Selection,
    environment: Mapping[str, str] | None = None,
) -> RunConfig:
    """Resolve all options of a run.

    Args:
        given: what stood on the command line, by setting name; None or missing where nothing was given. `json` too.

    Raises:
        UsageError, ConfigError: a value that cannot be, with where it stands and what to write.
    """
    environment = os.environ if environment is None else environment
    general, tables = _file_values(jobs, environment)
    above = _environment_values(environment) | _flag_values(given)
    values = general | above
    scenario = values.get("scenario")
    simulate = bool(values.get("simulate", False))
    if scenario is not None and not simulate:
        raise UsageError("--scenario needs --simulate; add it, or leave the scenario out")
    chosen = values.get("backend", DEFAULT)
    return RunConfig(
        jobs=jobs,
        state=values.get("state"),
        flags=RequestFlags(values.get("model"), values.get("max_tokens"), chosen),
        backends=build_backends(tables, general, above, chosen),
        retry=_retry(values),
        prewarm=values.get("prewarm", 0),
        selection=selection,
        period=values.get("period", 2.0),
        drain_timeout=values.get("drain_timeout", 20.0),  # systemd kills at 90
        give_up=values.get("give_up", RetryPolicy().longest_wait),
        stream=values.get("stream", True),
        simulate=simulate,
        scenario=scenario,
        quiet=values.get("quiet", False),
        json=bool(given.get("json")),
        log=values.get("log"),
        accept=values.get("accept", frozenset()),
    )


def _flag_values(given: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, value in given.items():
        if value is not None and name in SETTINGS:
            values[name] = read_setting(name, value, f"--{name.replace('_', '-')}", UsageError)
    return values


def _environment_values(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for name in SETTINGS:
        variable = f"BATCHRUN_{name.upper()}"
        if environment.get(variable):
            values[name] = read_setting(name, environment[variable], variable, ConfigError)
    return values


def _file_values(jobs: Path, environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for path in (jobs.parent / FILE_NAME, home / "batchrun" / FILE_NAME):
        if _is_file(path):
            return _read_file(path)
    return {}, {}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory that we may not look into holds no settings of ours
        return False


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The general settings, and those of the backends."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read ({exc}); mend it or move it away") from exc
    backends = read_tables(tables.pop(BACKENDS, {}), path)
    values = {}
    for section, table in tables.items():
        if section not in SECTIONS or not isinstance(table, dict):
            raise ConfigError(
                f"{path}: no section is called [{section}]; known: {', '.join(sorted(SECTIONS | {BACKENDS}))}"
            )
        for name, value in table.items():
            if name not in SETTINGS or SETTINGS[name].section != section:
                raise ConfigError(f"{path}: [{section}] has no setting {name!r}; see `batchrun run --help`")
            values[name] = read_setting(name, value, f"{path}: [{section}] {name}", ConfigError)
    return values, backends


def _retry(values: Mapping[str, Any]) -> RetryPolicy:
    policy = RetryPolicy(**{name: values[name] for name in ("max_attempts",) if name in values})
    return replace(policy, longest_wait=values.get("give_up", policy.longest_wait))
