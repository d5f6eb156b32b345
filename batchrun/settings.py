"""How one option is read, wherever it stands: value readers, and the table of settings. Which place wins is decided in
`config.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from batchrun.errors import ConfigError, UsageError
from batchrun.outcome import Status

SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds in "90", "250ms", "20s", "60m", "1.5h"; ValueError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write for example 30s, 10m or 1h")
    return float(match[1]) * SECONDS[match[2] or ""]


def read_duration(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is no duration")
    seconds = parse_duration(value) if isinstance(value, str) else float(value)
    if not seconds > 0:  # TOML knows nan
        raise ValueError(f"{value!r} is not above 0")
    return seconds


def read_whole(value: object) -> int:
    match = re.fullmatch(r"\s*(\d+)(\.0)?\s*", str(value))
    if match is None or not int(match[1]):
        raise ValueError(f"{value!r} is no whole number above 0")
    return int(match[1])


def read_percent(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number <= 100:
        raise ValueError(f"{value!r} is no number above 0 and up to 100")
    return number


def read_text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no text")
    return value


def read_path(value: object) -> Path:
    if not isinstance(value, Path | str) or not str(value):
        raise ValueError(f"{value!r} is no path")
    try:
        return Path(value).expanduser()
    except RuntimeError as exc:
        raise ValueError(f"{str(value)!r}: nobody is called so; write the path in full") from exc


def read_any_url(value: object) -> str:
    try:
        parts = urlsplit(read_text(value))
        is_usable = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
        # A password in a URL would be printed, and kept in the state.
        is_usable = is_usable and parts.username is None
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(f"{value!r} is no base URL; write https://host")
    return str(value)


def read_yes(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError(f"{value!r} is neither true nor false") from None


def read_kinds(value: object) -> frozenset[Status]:
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
    "state": Setting("run", read_path),
    "base_url": Setting("run", read_any_url),
    "backend": Setting("run", read_text),
    "key_file": Setting("run", read_path),
    "model": Setting("run", read_text),
    "max_tokens": Setting("run", read_whole),
    "simulate": Setting("run", read_yes),
    "scenario": Setting("run", read_text),
    "drain_timeout": Setting("run", read_duration),
    "stream": Setting("run", read_yes),
    "quiet": Setting("run", read_yes),
    "log": Setting("run", read_path),
    "insecure_http": Setting("run", read_yes),
    "accept": Setting("run", read_kinds),
    "target_cpu": Setting("gate", read_percent),
    "min_slots": Setting("gate", read_whole),
    "max_slots": Setting("gate", read_whole),
    "period": Setting("gate", read_duration),
    "prewarm": Setting("gate", read_whole),
    "connect_timeout": Setting("clocks", read_duration),
    "first_byte_timeout": Setting("clocks", read_duration),
    "idle_timeout": Setting("clocks", read_duration),
    "stall_timeout": Setting("clocks", read_duration),
    "total_timeout": Setting("clocks", read_duration),
    "max_attempts": Setting("retry", read_whole),
    "give_up": Setting("retry", read_duration),
}
SECTIONS = frozenset(setting.section for setting in SETTINGS.values())


def read_setting(name: str, value: object, where: str, error: type[UsageError] | type[ConfigError]) -> Any:
    """A setting's value.

    Raises:
        UsageError, ConfigError: whichever `error` is, with the place and what to write.
    """
    return read_value(SETTINGS[name].read, value, where, error)


def read_value(
    read: Callable[[object], Any], value: object, where: str, error: type[UsageError] | type[ConfigError]
) -> Any:
    """The same for a value that is no row of the table."""
    try:
        return read(value)
    except ValueError as exc:
        raise error(f"{where}: {exc}") from exc
