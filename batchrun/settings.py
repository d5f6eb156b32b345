"""The table of settings: where each stands, how its text is read, what it is unless said otherwise, what it is for.

One option is read here, wherever it stands; which place wins is decided in `config.py`. `--help` and docs/settings.md
tell this table.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from batchrun.curfew import MaxFailures
from batchrun.errors import ConfigError, UsageError
from batchrun.gate.laws import LAWS
from batchrun.outcome import Status
from batchrun.sorter import RETRIABLE, Changed
from batchrun.stream.stop_rule import parse_stop_when

SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MOST_DIGITS = 15  # what a double holds to the last one, and far below what Python refuses to read


def parse_duration(text: str) -> float:
    """Seconds in "90", "250ms", "20s", "60m", "1.5h"; ValueError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write for example 30s, 10m or 1h")
    return float(match[1]) * SECONDS[match[2] or ""]


def read_wait(value: object) -> float:
    """A duration that may be none at all."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is no duration")
    seconds = parse_duration(value) if isinstance(value, str) else float(value)
    if not seconds >= 0:  # TOML knows nan
        raise ValueError(f"{value!r} is no duration; write for example 30s, 10m or 1h")
    return seconds


def read_duration(value: object) -> float:
    seconds = read_wait(value)
    if not seconds:
        raise ValueError(f"{value!r} is not above 0")
    return seconds


def read_whole(value: object) -> int:
    match = re.fullmatch(r"\s*(\d+)(\.0)?\s*", str(value))
    if match is not None and len(match[1]) > MOST_DIGITS:
        raise ValueError(f"a number of {len(match[1])} digits is none that this program can use")
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


def read_dollars(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise ValueError(f"{value!r} is no amount above 0; write US dollars, such as 5 or 0.50")
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


def read_url(value: object) -> str:
    try:
        parts = urlsplit(read_text(value))
        is_usable = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(f"{value!r} is no base URL; write https://host")
    if parts.username is not None:  # it would be printed, and kept in the state
        raise ValueError("a URL with a user or a password is no place for a key; name a file with key_file")
    # The same. A version is what some servers want to be told in each request, and no secret.
    if others := [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if "version" not in name.lower()]:
        remedy = "leave it out, and name a key's file with key_file or its variable with key_env"
        raise ValueError(f"{others[0]!r} in the query of a URL would be printed and kept; {remedy}")
    return str(value)


def read_urls(value: object) -> tuple[str, ...]:
    return tuple(read_url(each) for each in read_texts(value))


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


def read_clock(value: object) -> time:
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*", str(value))
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"{value!r} is no time of day; write HH:MM, such as 06:30")
    return time(int(match[1]), int(match[2]))


def read_failures(value: object) -> MaxFailures:
    """A number of items, or a share of them."""
    match = re.fullmatch(r"\s*(\d{1,3}(?:\.\d+)?)\s*%\s*", str(value))
    if match is None:
        return MaxFailures(count=read_whole(value))
    return MaxFailures(share=read_percent(match[1]) / 100)


def read_changed(value: object) -> Changed:
    try:
        return Changed(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not among {', '.join(Changed)}") from None


def read_retry(value: object) -> frozenset[str]:
    """One or more of what may be retried."""
    words = frozenset(str(word).strip() for word in (value if isinstance(value, list) else str(value).split(",")))
    for word in sorted(words - RETRIABLE):
        meant = nearest(word, RETRIABLE)
        remedy = f"did you mean {meant}?" if meant else f"write {', '.join(sorted(RETRIABLE))}"
        raise ValueError(f"{word!r} is nothing to retry; {remedy}")
    return words


def read_ids(value: object) -> frozenset[str]:
    """One id, or a list of them: an id may hold a comma."""
    return frozenset(read_text(id) for id in (value if isinstance(value, list) else [value]))


def read_law(value: object) -> str:
    if value not in LAWS:
        raise ValueError(f"{value!r} is not among {', '.join(LAWS)}")
    return str(value)


def read_texts(value: object) -> tuple[str, ...]:
    """One text, or a list of them."""
    return tuple(read_text(text) for text in (value if isinstance(value, list) else [value]))


def read_stop_when(value: object) -> Mapping[str, Any]:
    """A table, or an object in JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise ValueError(f'{value!r} is no JSON ({exc}); write for example {{"max_chars": 500}}') from exc
    parse_stop_when(value)
    assert isinstance(value, Mapping)
    return value


class Setting(NamedTuple):
    """One row of the table. The flag is `--name`, the variable `BATCHRUN_NAME`; `default` is told, not read."""

    section: str
    read: Callable[[object], Any]
    default: str
    meaning: str


SETTINGS: dict[str, Setting] = {
    "state": Setting("run", read_path, "beside JOBS, ending .batchrun", "Where the state goes."),
    "limit": Setting("run", read_whole, "all", "Ask only the first N pending items."),
    "only": Setting("run", read_ids, "all", "Ask only this item; may be given again."),
    "model": Setting("run", read_text, "claude-haiku-5-5", "For lines that name none."),
    "max_tokens": Setting("run", read_whole, "2048", "For lines that say nothing."),
    "stream": Setting("run", read_yes, "yes", "Whether answers are streamed."),
    "stop_when": Setting("run", read_stop_when, "none", "When an answer is enough (JSON), for lines that do not say."),
    "sink": Setting("run", read_texts, "none", "Give each answer to this module:function; may be given again."),
    "each": Setting("run", read_texts, "none", "Run this command on each answer; may be given again."),
    "out_dir": Setting("run", read_path, "none", "Write each answer to a file in this directory."),
    "webhook": Setting("run", read_urls, "none", "POST each answer to this URL as JSON; may be given again."),
    "buffer": Setting("run", read_whole, "16", "Pieces between the stream and a --sink that takes them as they come."),
    "each_parallel": Setting("run", read_whole, "one a core", "How many --each commands run at once."),
    "sink_timeout": Setting("run", read_duration, "600s", "For one --each command, or one call of a --sink."),
    "backend": Setting("run", read_text, "claude", "For lines that name none."),
    "base_url": Setting("run", read_url, "what the SDK resolves", "Who is asked, without /v1."),
    "key_file": Setting("run", read_path, "what the SDK resolves", "A file that holds the key, mode 0600; for cron."),
    "insecure_http": Setting("run", read_yes, "no", "Allow http beyond this machine."),
    "simulate": Setting("run", read_yes, "no", "Ask the embedded provider; costs nothing."),
    "scenario": Setting("run", read_text, "calm", "With --simulate: calm, rough, storm, instant, or a file."),
    "target_cpu": Setting("gate", read_percent, "70", "Per cent of the host."),
    "min_slots": Setting("gate", read_whole, "1", "Never fewer at once."),
    "max_slots": Setting("gate", read_whole, "256", "Never more at once."),
    "prewarm": Setting("gate", read_whole, "0", "Connections to open beforehand."),
    "law": Setting("gate", read_law, "adaptive", "What moves the slots: adaptive, or steady (one at a time)."),
    "period": Setting("gate", read_duration, "2s", "Between two looks at the load."),
    "connect_timeout": Setting("clocks", read_duration, "10s", "To a connection."),
    "first_byte_timeout": Setting("clocks", read_duration, "120s", "To the first byte."),
    "idle_timeout": Setting("clocks", read_duration, "60s", "Without a single byte."),
    "stall_timeout": Setting("clocks", read_duration, "600s", "With nothing but pings."),
    "total_timeout": Setting("clocks", read_duration, "3600s", "For the whole attempt."),
    "max_attempts": Setting("retry", read_whole, "8", "Per item and run."),
    "give_up": Setting("retry", read_duration, "60m", "Stop when nothing finishes for so long."),
    "retry": Setting("retry", read_retry, "none", "Ask those again: failed, refused, incomplete, all, or a cause."),
    "changed": Setting("run", read_changed, "keep", "Finished items that ask something else now: keep, ask or fail."),
    "drain_timeout": Setting("run", read_wait, "20s", "For items in flight, once stopping."),
    "deadline": Setting(
        "run", read_clock, "none", "Ask no more from the next time that the clock shows this (HH:MM, local)."
    ),
    "max_time": Setting("run", read_duration, "none", "Ask no more once the run has lasted so long, sleep included."),
    "max_failures": Setting("run", read_failures, "none", "Ask no more once N items, or N% of them, have failed."),
    "max_cost": Setting("run", read_dollars, "none", "Ask no more once this run has spent so many US dollars."),
    "max_tokens_total": Setting("run", read_whole, "none", "Ask no more once it has used so many tokens, in and out."),
    "accept": Setting("run", read_kinds, "none", "Those of failed,refused,incomplete that are no reason for exit 1."),
    "quiet": Setting("run", read_yes, "no", "Say nothing when all goes well; for cron."),
    "json": Setting("run", read_yes, "no", "Print the end as one JSON object."),
    "log": Setting("run", read_path, "none", "Write every decision to this file."),
}
SECTIONS = frozenset(setting.section for setting in SETTINGS.values())


@dataclass(frozen=True, slots=True)
class Given:
    """A value that has been read, and where it stands: a flag, a variable, or a file with section and name."""

    value: Any
    place: str
    is_flag: bool = False

    def wrong(self, what: str) -> UsageError | ConfigError:
        """The error that says what is wrong with it, by whose fault: a slip on the command line, or configuration."""
        return _error(f"{self.place}: {what}", is_flag=self.is_flag)


def read_given(read: Callable[[object], Any], value: object, place: str, *, is_flag: bool = False) -> Given:
    """What stands in that place, read.

    Raises:
        UsageError, ConfigError: a value that cannot be, with the place and what to write.
    """
    try:
        return Given(read(value), place, is_flag)
    except ValueError as exc:
        raise _error(f"{place}: {exc}", is_flag=is_flag) from exc


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    return f"BATCHRUN_{name.upper()}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None where nothing is alike."""
    found = get_close_matches(name.lower().replace("-", "_"), list(known), n=1)
    return found[0] if found else None


def _error(text: str, *, is_flag: bool) -> UsageError | ConfigError:
    return UsageError(text) if is_flag else ConfigError(text)
