"""Asking a run that is at work for something else: checks that there is one, and adds to what was asked before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchrun.errors import NoRunError, UsageError
from batchrun.journal.control import EVERY_GATE, Control, Tuning, read_control, write_control
from batchrun.journal.lock import is_running, read_holder
from batchrun.journal.snapshot import read_snapshot
from batchrun.journal.state import StateDir
from batchrun.settings import SETTINGS, flag_of, read_given, read_whole

READERS = {name: SETTINGS[name].read for name in ("target_cpu", "min_slots", "max_slots", "law")} | {
    "buffer": read_whole
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of gates, and of the pipes; `buffer` None leaves them as they are. `reload`: the settings are to be
    read again."""

    of_gates: Tuning
    buffer: int | None = None
    reload: bool = False


def read_asked(given: Mapping[str, Any]) -> Asked:
    """What stood on the command line, by name; None where nothing was given.

    Raises:
        UsageError: nothing was given, a value cannot be, or two cannot be together.
    """
    values = {name: value for name, value in given.items() if value is not None}
    for name, read in READERS.items():
        if name in values:
            values[name] = read_given(read, values[name], flag_of(name), is_flag=True).value
    if not values:
        raise UsageError("nothing to change; give for example --max-slots 4")
    buffer, reload = values.pop("buffer", None), values.pop("reload", False)
    asked = Tuning(**values)
    if asked.min_slots is not None and asked.max_slots is not None and asked.min_slots > asked.max_slots:
        raise UsageError(f"--min-slots {asked.min_slots} is above --max-slots {asked.max_slots}; lower the one")
    return Asked(asked, buffer, reload)


def tune_run(state: StateDir, asked: Asked, backend: str | None) -> Control:
    """Ask the run of this state, or one gate of it; gives all that is asked of it now.

    Raises:
        NoRunError: nothing runs there. UsageError: no such backend. StateError: it is somebody else's.
    """
    holder = read_holder(state)
    if holder is None or not is_running(holder):
        raise NoRunError(f"{state.path}: no run is at work here; give the options to `batchrun run` instead")
    gates = (read_snapshot(state) or {}).get("gates", {})
    if backend is not None and backend not in gates:
        known = f"it has: {', '.join(sorted(gates))}" if gates else "it has only begun; try again in a moment"
        raise UsageError(f"--backend: this run has no backend {backend!r}; {known}")
    before = read_control(state) or Control()
    told = _on_top(before.gates, asked.of_gates, EVERY_GATE if backend is None else backend)
    buffer = before.buffer if asked.buffer is None else asked.buffer
    after = Control(told, buffer, before.reloads + asked.reload)
    write_control(state, after)
    return after


def _on_top(before: Mapping[str, Tuning], asked: Tuning, name: str) -> dict[str, Tuning]:
    if asked == Tuning():
        return dict(before)
    told = {**before, name: asked.over(before.get(name, Tuning()))}
    # What is asked of all is asked of those, too, that were tuned alone before.
    return {key: asked.over(tuning) for key, tuning in told.items()} if name == EVERY_GATE else told
