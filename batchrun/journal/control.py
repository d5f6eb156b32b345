"""control.json: what `tune` asks of a run that is at work. Written whole, read by the run each period.

It holds for that run only: a run begins by removing what was asked of the last one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from batchrun.errors import StateError
from batchrun.journal.disk import DISK, Disk, replace_whole
from batchrun.journal.state import StateDir
from batchrun.plural import counted

SCHEMA = "batchrun.control/1"
EVERY_GATE = "*"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is asked of one gate; None leaves a bound as the run was started with."""

    target_cpu: float | None = None
    min_slots: int | None = None
    max_slots: int | None = None
    paused: bool | None = None
    law: str | None = None

    def over(self, other: Tuning) -> Tuning:
        """This on top of what was asked before."""
        return replace(other, **self.asked)

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked, without what was not."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def in_words(self) -> str:
        """For people."""
        words = []
        if self.target_cpu is not None:
            words.append(f"target CPU {self.target_cpu:g} %")
        for bound, count in (("at least", self.min_slots), ("at most", self.max_slots)):
            if count is not None:
                words.append(f"{bound} {counted(count, 'slot')}")
        if self.law is not None:
            words.append(f"law {self.law}")
        if self.paused is not None:
            words.append("paused" if self.paused else "not paused")
        return ", ".join(words) or "nothing"


@dataclass(frozen=True, slots=True)
class Control:
    """`gates` by backend, or `EVERY_GATE`; `buffer` is the size of the pipe between reader and consumer; `reloads` is
    how often the settings were to be read again."""

    gates: Mapping[str, Tuning] = field(default_factory=dict)
    buffer: int | None = None
    reloads: int = 0


def require_owner(state: StateDir) -> None:
    """Raises StateError where the state belongs to somebody else."""
    try:
        owner = state.path.stat().st_uid
    except OSError as exc:
        raise StateError(f"{state.path}: cannot be looked at ({exc.strerror}); check the path") from exc
    if os.geteuid() != owner:
        raise StateError(f"{state.path}: only its owner (user id {owner}) may tune this run; become that user")


def write_control(state: StateDir, control: Control, disk: Disk = DISK) -> None:
    """Replace control.json.

    Raises:
        StateError: it is somebody else's, or cannot be written.
    """
    require_owner(state)
    fields: dict[str, Any] = {"schema": SCHEMA, "gates": {name: asdict(told) for name, told in control.gates.items()}}
    fields |= {"buffer": control.buffer, "reloads": control.reloads}
    draft = state.control.with_name(f"{state.control.name}.{os.getpid()}")
    try:
        replace_whole(disk, draft, state.control, orjson.dumps(fields) + b"\n")
    except OSError as exc:
        raise StateError(f"{state.control}: cannot be written ({exc.strerror}); check the disk") from exc


def read_control(state: StateDir) -> Control | None:
    """What was asked; None where nothing was, or what stands there is not what `tune` writes."""
    try:
        fields = orjson.loads(state.control.read_bytes())
        gates = {str(name): _tuning(**told) for name, told in fields["gates"].items()}
        return Control(gates, _whole(fields["buffer"]), _whole(fields["reloads"] or None) or 0)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _tuning(*, target_cpu: object, min_slots: object, max_slots: object, paused: object, law: object) -> Tuning:
    """Raises ValueError for what no gate can obey: it would end the run that reads it."""
    if isinstance(target_cpu, bool) or not isinstance(target_cpu, float | int | None):
        raise ValueError(target_cpu)
    if target_cpu is not None and not 0 < target_cpu <= 100:
        raise ValueError(target_cpu)
    if not isinstance(paused, bool | None):
        raise ValueError(paused)
    if not isinstance(law, str | None):
        raise ValueError(law)
    return Tuning(target_cpu, _whole(min_slots), _whole(max_slots), paused, law)


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | None) or (value is not None and value < 1):
        raise ValueError(value)
    return value


def forget_control(state: StateDir) -> None:
    """A new run begins with what it was started with."""
    with suppress(OSError):
        state.control.unlink(missing_ok=True)
