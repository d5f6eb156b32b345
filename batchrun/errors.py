"""Errors that end a command, in one tree by whose fault they are; each class knows its exit code.

What one attempt of one item can die of is no error of the program but a value: see `failure.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees. `MEANING` below feeds the docs and `--help`; a test compares them."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    BAD_JOB_FILE = 65
    NO_INPUT = 66
    CANNOT_CREATE = 73
    IO_ERROR = 74
    STOPPED_EARLY = 75
    NO_CREDENTIALS = 77
    BAD_CONFIG = 78
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


MEANING: dict[ExitCode, str] = {
    ExitCode.OK: (
        "every item (with --limit or --only: every item that was asked for) is finished and answered, "
        "or of a kind that --accept names"
    ),
    ExitCode.SOME_FAILED: "the run finished; some items failed, were refused or are incomplete",
    ExitCode.USAGE: "usage: an unknown option or a value of the wrong kind",
    ExitCode.BAD_JOB_FILE: "the job file is bad (duplicate or missing ids, not JSON, ...); nothing was sent",
    ExitCode.NO_INPUT: "the job file cannot be read; status, report, show: there is no run, or no such item",
    ExitCode.CANNOT_CREATE: "the state directory cannot be created",
    ExitCode.IO_ERROR: "an I/O error while writing the state, or what was asked for (disk full, failed fsync)",
    ExitCode.STOPPED_EARLY: (
        "stopped early and resumable: lock held by another run, --deadline or --max-time, budget (--max-cost, "
        "--max-tokens-total), --max-failures, failing sinks, spend limit or quota, --give-up, first signal (drained)"
    ),
    ExitCode.NO_CREDENTIALS: "credentials are missing or were refused",
    ExitCode.BAD_CONFIG: "bad configuration, or an unknown model (its items stay pending)",
    ExitCode.HANGUP: "a second signal was SIGHUP: stopped at once, resumable",
    ExitCode.INTERRUPTED: "a second signal was SIGINT: stopped at once, resumable",
    ExitCode.TERMINATED: "a second signal was SIGTERM: stopped at once, resumable",
}

# Where several hold, the first of these is the exit code: what keeps the next night from working comes first.
PRECEDENCE = (
    ExitCode.IO_ERROR,
    ExitCode.NO_CREDENTIALS,
    ExitCode.BAD_CONFIG,
    ExitCode.NO_INPUT,
    ExitCode.STOPPED_EARLY,
    ExitCode.SOME_FAILED,
    ExitCode.OK,
)


def weightiest(codes: set[ExitCode]) -> ExitCode:
    """The exit code of a run for which all of `codes` hold; OK for none."""
    return next((code for code in PRECEDENCE if code in codes), ExitCode.OK)


class BatchrunError(Exception):
    """A command cannot go on. The message says what, where, and what to do next."""

    exit_code = ExitCode.SOME_FAILED


class UsageError(BatchrunError):
    """The command line contradicts itself; the caller's to mend."""

    exit_code = ExitCode.USAGE


class ConfigError(BatchrunError):
    """A setting is impossible, or names something that does not exist."""

    exit_code = ExitCode.BAD_CONFIG


class CredentialsError(BatchrunError):
    """No credential was found, or the provider refused the one that was sent."""

    exit_code = ExitCode.NO_CREDENTIALS


class NoCredentialsError(CredentialsError):
    """None was found, wherever one is looked for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a job file: `file:line: what: what to do`. `line` counts from 1."""

    file: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}; {self.remedy}"


class JobFileError(BatchrunError):
    """The job file is at fault; nothing was sent.

    `faults` holds the first faults in the order of the file, `total` how many there are.
    """

    exit_code = ExitCode.BAD_JOB_FILE

    def __init__(self, faults: list[Fault], total: int) -> None:
        self.faults = faults
        self.total = total
        lines = [str(fault) for fault in faults]
        if total > len(faults):
            lines.append(f"... and {total - len(faults)} more")
        super().__init__("\n".join(lines))


class ChangedJobsError(BatchrunError):
    """Finished items ask something else now, which the user has forbidden; nothing was sent."""

    exit_code = ExitCode.BAD_JOB_FILE


class JobFileUnreadable(BatchrunError):
    """The job file is missing, a directory, not permitted, or on a disk that fails, which may come in mid-run."""

    exit_code = ExitCode.NO_INPUT


class NoRunError(BatchrunError):
    """There is no run (or no such item) to tell of."""

    exit_code = ExitCode.NO_INPUT


class StateError(BatchrunError):
    """The state directory cannot be created or is not ours to write."""

    exit_code = ExitCode.CANNOT_CREATE


class JournalError(BatchrunError):
    """The disk refused a write or an fsync; what was acknowledged before is safe, the run is resumable."""

    exit_code = ExitCode.IO_ERROR


class LockHeldError(BatchrunError):
    """Another run owns the state directory."""

    exit_code = ExitCode.STOPPED_EARLY
