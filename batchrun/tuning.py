"""Asking a run that is at work for something else: checks that there is one, and adds to what was asked before."""

from __future__ import annotations

from dataclasses import replace

from batchrun.errors import NoRunError, UsageError
from batchrun.journal.control import EVERY_GATE, Control, Tuning, read_control, write_control
from batchrun.journal.lock import is_running, read_holder
from batchrun.journal.snapshot import read_snapshot
from batchrun.journal.state import StateDir


def tune_run(state: StateDir, asked: Tuning, backend: str | None, buffer: int | None) -> Control:
    """Ask the run of this state; gives all that is asked of it now.

    Raises:
        NoRunError: nothing runs there. UsageError: no such backend. StateError: it is somebody else's.
    """
    holder = read_holder(state)
    if holder is None or not is_running(holder):
        raise NoRunError(f"{state.path}: no run is at work here; give the options to `batchrun run` instead")
    gates = (read_snapshot(state) or {}).get("gates", {})
    if backend is not None and backend not in gates:
        raise UsageError(f"this run has no backend {backend!r}; it has: {', '.join(sorted(gates)) or 'none yet'}")
    name = EVERY_GATE if backend is None else backend
    before = read_control(state) or Control()
    told = {**before.gates, name: asked.over(before.gates.get(name, Tuning()))}
    if backend is None:
        # What is asked of all is asked of those, too, that were tuned alone before.
        told = {key: asked.over(tuning) for key, tuning in told.items()}
    after = replace(before, gates=told, buffer=before.buffer if buffer is None else buffer)
    write_control(state, after)
    return after
