"""What a run said of itself in status.json, read into a value. Pure; what cannot be read is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batchrun.outcome import GivenUp
from batchrun.spent import Spent, spent_of


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate as it stood. `reason` says in words why `limited_by` limits."""

    slots: int
    in_flight: int
    waiting: int
    limited_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class LastError:
    """The last failure that the run met; `stamp` is when."""

    id: str
    cause: str
    message: str
    stamp: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`stamp` is when it was written. Counts are of the whole job file, `retries` and `spent` of this run. `again` are
    those of the failed that the next run takes up again, and `kept` those of them that it only delivers; `again` and
    `given_up` are None where the run did not say. `with_sinks` are those in flight that have their answer and wait for
    the sinks."""

    run: str
    stamp: str
    model: str
    total: int
    done: int
    incomplete: int
    refused: int
    failed: int
    pending: int
    in_flight: int
    backing_off: int
    retries: int
    gates: dict[str, GateView]
    cpu: float | None
    tok_s: float | None
    eta_s: float | None
    spent: Spent | None
    last_error: LastError | None
    stopping: str | None
    again: int | None = None
    kept: int = 0
    given_up: GivenUp | None = None
    with_sinks: int = 0


def snapshot_of(fields: dict[str, Any]) -> Snapshot | None:
    """None for what is no snapshot of ours."""
    try:
        gates = {
            str(name): GateView(
                slots=int(gate["slots"]),
                in_flight=int(gate["in_flight"]),
                waiting=int(gate["waiting"]),
                limited_by=str(gate["limited_by"]),
                reason=str(gate.get("reason") or ""),
            )
            for name, gate in fields["gates"].items()
        }
        return Snapshot(
            run=str(fields["run"]),
            stamp=str(fields["t"]),
            model=str(fields.get("model") or ""),
            total=int(fields["total"]),
            done=int(fields["done"]),
            incomplete=int(fields["incomplete"]),
            refused=int(fields["refused"]),
            failed=int(fields["failed"]),
            pending=int(fields["pending"]),
            in_flight=int(fields["in_flight"]),
            backing_off=int(fields["backing_off"]),
            retries=int(fields["retries"]),
            gates=gates,
            cpu=_number(fields.get("cpu")),
            tok_s=_number(fields.get("tok_s")),
            eta_s=_number(fields.get("eta_s")),
            spent=spent_of(fields.get("spent")),
            last_error=_last_error(fields.get("last_error")),
            stopping=None if fields.get("ended") else fields.get("reason"),
            again=None if fields.get("again") is None else int(fields["again"]),
            kept=int(fields.get("kept") or 0),
            given_up=None if fields.get("given_up") is None else GivenUp(**fields["given_up"]),
            with_sinks=int(fields.get("with_sinks") or 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _last_error(error: dict[str, Any] | None) -> LastError | None:
    if error is None:
        return None
    message = str(error.get("message") or "")
    return LastError(str(error["id"]), str(error.get("cause") or "unknown"), message, error.get("t"))
