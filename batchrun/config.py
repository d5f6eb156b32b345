"""Flags, environment and batchrun.toml resolved once into one frozen `RunConfig`. Nothing else reads options.

A flag wins over the environment (`BATCHRUN_*`), the environment over the file, the file over the default. The file is
looked for beside the job file, then in the XDG configuration directory.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from batchrun.errors import ConfigError, UsageError
from batchrun.gate.law import GateBounds
from batchrun.jobs.job import RequestFlags
from batchrun.jobs.reader import Selection
from batchrun.outcome import Status
from batchrun.providers.provider import BackendConfig
from batchrun.retry import RetryPolicy
from batchrun.stream.clocks import ClockLimits

FILE_NAME = "batchrun.toml"
SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class RunConfig:
    """All that a run needs to know. Times are seconds. `state` None: beside the job file."""

    jobs: Path
    state: Path | None
    flags: RequestFlags
    backend: BackendConfig
    clocks: ClockLimits
    retry: RetryPolicy
    gate: GateBounds
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

    @property
    def backends(self) -> frozenset[str]:
        return frozenset({self.backend.name})


def parse_duration(text: str) -> float:
    """Seconds in "90", "250ms", "20s", "60m", "1.5h"; ValueError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write for example 30s, 10m or 1h")
    return float(match[1]) * SECONDS[match[2] or ""]


def _duration(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is no duration")
    seconds = parse_duration(value) if isinstance(value, str) else float(value)
    if not seconds > 0:  # TOML knows nan
        raise ValueError(f"{value!r} is not above 0")
    return seconds


def _whole(value: object) -> int:
    match = re.fullmatch(r"\s*(\d+)(\.0)?\s*", str(value))
    if match is None or not int(match[1]):
        raise ValueError(f"{value!r} is no whole number above 0")
    return int(match[1])


def _percent(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number <= 100:
        raise ValueError(f"{value!r} is no number above 0 and up to 100")
    return number


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no text")
    return value


def _path(value: object) -> Path:
    if not isinstance(value, Path | str) or not str(value):
        raise ValueError(f"{value!r} is no path")
    try:
        return Path(value).expanduser()
    except RuntimeError as exc:
        raise ValueError(f"{str(value)!r}: nobody is called so; write the path in full") from exc


def _url(value: object) -> str:
    try:
        parts = urlsplit(_text(value))
        is_usable = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
        # A password in a URL would be printed, and kept in the state.
        is_usable = is_usable and parts.username is None
    except ValueError:
        is_usable = False
    if not is_usable or parts.path.rstrip("/").endswith("/v1"):
        raise ValueError(f"{value!r} is no base URL; write https://host, without /v1")
    return str(value)


def _yes(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError(f"{value!r} is neither true nor false") from None


def _kinds(value: object) -> frozenset[Status]:
    words = value if isinstance(value, list) else str(value).split(",")
    allowed = {str(status): status for status in Status if status is not Status.DONE}
    try:
        return frozenset(allowed[str(word).strip()] for word in words)
    except KeyError:
        raise ValueError(f"{value!r} is not among {', '.join(allowed)}") from None


class Setting(NamedTuple):
    """One row of the table: where it stands in the file, and how its text is read. The flag is `--name`, the variable
    `BATCHRUN_NAME`."""

    section: str
    read: Callable[[object], Any]


SETTINGS: dict[str, Setting] = {
    "state": Setting("run", _path),
    "base_url": Setting("run", _url),
    "key_file": Setting("run", _path),
    "model": Setting("run", _text),
    "max_tokens": Setting("run", _whole),
    "simulate": Setting("run", _yes),
    "scenario": Setting("run", _text),
    "drain_timeout": Setting("run", _duration),
    "stream": Setting("run", _yes),
    "quiet": Setting("run", _yes),
    "log": Setting("run", _path),
    "insecure_http": Setting("run", _yes),
    "accept": Setting("run", _kinds),
    "target_cpu": Setting("gate", _percent),
    "min_slots": Setting("gate", _whole),
    "max_slots": Setting("gate", _whole),
    "period": Setting("gate", _duration),
    "connect_timeout": Setting("clocks", _duration),
    "first_byte_timeout": Setting("clocks", _duration),
    "idle_timeout": Setting("clocks", _duration),
    "stall_timeout": Setting("clocks", _duration),
    "total_timeout": Setting("clocks", _duration),
    "max_attempts": Setting("retry", _whole),
    "give_up": Setting("retry", _duration),
}
SECTIONS = frozenset(setting.section for setting in SETTINGS.values())


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
    values = _file_values(jobs, environment) | _environment_values(environment) | _flag_values(given)
    scenario = values.get("scenario")
    simulate = bool(values.get("simulate", False))
    if scenario is not None and not simulate:
        raise UsageError("--scenario needs --simulate; add it, or leave the scenario out")
    backend = _backend(values, simulate)
    return RunConfig(
        jobs=jobs,
        state=values.get("state"),
        flags=RequestFlags(values.get("model"), values.get("max_tokens"), backend.name),
        backend=backend,
        clocks=_clocks(values),
        retry=_retry(values),
        gate=_gate(values),
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
            values[name] = _read(name, value, f"--{name.replace('_', '-')}", UsageError)
    return values


def _environment_values(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for name in SETTINGS:
        variable = f"BATCHRUN_{name.upper()}"
        if environment.get(variable):
            values[name] = _read(name, environment[variable], variable, ConfigError)
    return values


def _file_values(jobs: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for path in (jobs.parent / FILE_NAME, home / "batchrun" / FILE_NAME):
        if _is_file(path):
            return _read_file(path)
    return {}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory that we may not look into holds no settings of ours
        return False


def _read_file(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read ({exc}); mend it or move it away") from exc
    values = {}
    for section, table in tables.items():
        if section not in SECTIONS or not isinstance(table, dict):
            raise ConfigError(f"{path}: no section is called [{section}]; known: {', '.join(sorted(SECTIONS))}")
        for name, value in table.items():
            if name not in SETTINGS or SETTINGS[name].section != section:
                raise ConfigError(f"{path}: [{section}] has no setting {name!r}; see `batchrun run --help`")
            values[name] = _read(name, value, f"{path}: [{section}] {name}", ConfigError)
    return values


def _read(name: str, value: object, where: str, error: type[UsageError] | type[ConfigError]) -> Any:
    try:
        return SETTINGS[name].read(value)
    except ValueError as exc:
        raise error(f"{where}: {exc}") from exc


def _backend(values: Mapping[str, Any], simulate: bool) -> BackendConfig:
    base_url = values.get("base_url")
    if simulate:
        return BackendConfig(base_url=base_url, simulated=True)
    insecure = bool(values.get("insecure_http"))
    return BackendConfig(base_url=base_url, key_file=values.get("key_file"), insecure_http=insecure)


def _clocks(values: Mapping[str, Any]) -> ClockLimits:
    given = {name: values[f"{name}_timeout"] for name in ClockLimits.__slots__ if f"{name}_timeout" in values}
    return ClockLimits(**given)


def _retry(values: Mapping[str, Any]) -> RetryPolicy:
    policy = RetryPolicy(**{name: values[name] for name in ("max_attempts",) if name in values})
    return replace(policy, longest_wait=values.get("give_up", policy.longest_wait))


def _gate(values: Mapping[str, Any]) -> GateBounds:
    given = {name: values[name] for name in ("target_cpu", "min_slots", "max_slots") if name in values}
    bounds = GateBounds(**given)
    if bounds.min_slots > bounds.max_slots:
        raise UsageError(f"--min-slots {bounds.min_slots} is above --max-slots {bounds.max_slots}")
    return bounds
