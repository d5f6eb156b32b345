"""The kind of night that the simulator plays: its pace, the rates of its faults and its limits. What a fault does, and
how a limit is kept, is elsewhere."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from batchrun.errors import ConfigError
from batchrun.simulator.faults import fault_named

_SHARES = ("rate_429", "rate_529", "rate_500", "rate_drop", "rate_silence", "rate_slow", "jitter")
_SWITCHES = ("data_space", "stream_options", "quota_headers")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Pace and faults. Times are in seconds; a rate is the share of requests, 0 to 1, that suffer the fault.

    `tokens_per_second` 0 means no pace: all events at once. `jitter` is the share by which a gap between two tokens
    may be shorter or longer. A slow answer takes `slow_factor` times as long. The default pace is that of a small
    current model. `rates` has the faults without a field of their own, by the names of `faults.py`, a status among
    them. An impossible value raises ConfigError.

    The limits are per minute, 0 being none; a bucket holds what `burst_seconds` of a minute bring. `quota_headers`
    False: a client that asks too often is refused without a word about limits or waits.

    The last two are the ways of other servers, for chat completions alone: `data_space` False puts nothing between
    `data:` and the data; `stream_options` False refuses that field of a request.
    """

    seed: int = 0
    rate_429: float = 0.0
    rate_529: float = 0.0
    rate_500: float = 0.0
    rate_drop: float = 0.0
    rate_silence: float = 0.0
    rate_slow: float = 0.0
    ttft: float = 0.3
    tokens_per_second: float = 80.0
    retry_after: float = 1.0
    slow_factor: float = 10.0
    jitter: float = 0.0
    rates: Mapping[str, float] = field(default_factory=dict)
    requests_per_minute: float = 0.0
    input_tokens_per_minute: float = 0.0
    output_tokens_per_minute: float = 0.0
    burst_seconds: float = 60.0
    quota_headers: bool = True
    data_space: bool = True
    stream_options: bool = True

    def __post_init__(self) -> None:
        for setting in fields(self):
            if trouble := _trouble(setting.name, getattr(self, setting.name)):
                raise ConfigError(f"scenario: {trouble}")
        total = sum(getattr(self, name) for name in _SHARES if name.startswith("rate_")) + sum(self.rates.values())
        if total > 1 + 1e-9:
            raise ConfigError(
                f"scenario: the rates add up to {total:g}: lower some so that they are at most 1 together"
            )

    @property
    def gap_seconds(self) -> float:
        """The time from one token to the next."""
        return 1 / self.tokens_per_second if self.tokens_per_second else 0.0

    @classmethod
    def load(cls, name_or_path: str | Path) -> Scenario:
        """A scenario by its name, else from a TOML or JSON file. ConfigError says what is wrong with it."""
        named = NAMED.get(str(name_or_path))
        if named is not None:
            return named
        path = Path(name_or_path)
        if path.suffix not in (".toml", ".json"):
            raise ConfigError(
                f"scenario {str(name_or_path)!r} is unknown: "
                f"use one of {', '.join(NAMED)}, or the path of a .toml or .json file"
            )
        try:
            return cls(**_known(_read(path)))
        except ConfigError as exc:
            raise ConfigError(f"{path}: {exc}") from exc


def _trouble(name: str, value: object) -> str | None:
    if name in _SWITCHES:
        return None if isinstance(value, bool) else f"{name} is {value!r}: give true or false"
    if name == "rates":
        return _rates_trouble(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"{name} is {value!r}: give a number"
    if name == "seed":
        return None if isinstance(value, int) else f"seed is {value!r}: give a whole number"
    if name in _SHARES:
        return None if 0 <= value <= 1 else f"{name} is {value!r}: give a share from 0 to 1"
    if name == "slow_factor":
        return None if value >= 1 else f"slow_factor is {value!r}: give 1 or more"
    if name == "burst_seconds":
        return None if value > 0 else f"burst_seconds is {value!r}: give more than 0"
    return None if value >= 0 else f"{name} is {value!r}: give 0 or more"


def _rates_trouble(rates: object) -> str | None:
    if not isinstance(rates, Mapping):
        return f"rates is {rates!r}: give a table of faults and their shares"
    for name, share in rates.items():
        if not isinstance(name, str) or fault_named(name) is None:
            return f"rates: there is no fault {name!r}; batchrun simulate --help names them"
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            return f"rates: {name} is {share!r}: give a share from 0 to 1"
    return None


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    names = [setting.name for setting in fields(Scenario)]
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise ConfigError(f"scenario: there is no {unknown[0]!r}: the names are {', '.join(names)}")
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        settings = orjson.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as exc:
        raise ConfigError(f"cannot be read ({exc.strerror}): check the path of the scenario") from exc
    except ValueError as exc:
        raise ConfigError(f"is not {path.suffix[1:].upper()} in UTF-8 ({exc}): mend it there") from exc
    if not isinstance(settings, dict):
        raise ConfigError("is not a JSON object: give an object of scenario settings")
    return settings


NAMED: dict[str, Scenario] = {
    "calm": Scenario(),
    "instant": Scenario(ttft=0.0, tokens_per_second=0.0),
    "rough": Scenario(rate_429=0.10, rate_529=0.05, rate_drop=0.05, rate_silence=0.03),
    "storm": Scenario(
        rate_429=0.25, rate_529=0.15, rate_500=0.05, rate_drop=0.10, rate_silence=0.05, rate_slow=0.05, jitter=0.5
    ),
}
