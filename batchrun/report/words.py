"""What the files' words mean: which causes are which flavour of "it stalled", and how a limit is called.

Tables only. A word that is not in them (a newer run wrote it) is shown as it stands.
"""

from __future__ import annotations

from batchrun.errors import MEANING, ExitCode
from batchrun.failure import Cause

# The three flavours that an operator has to tell apart (DESIGN row 5); the first is told by CPU, not by a cause.
STREAM_CAUSES = frozenset(
    {
        Cause.CONNECT,
        Cause.BROKEN,
        Cause.FIRST_BYTE,
        Cause.SILENT,
        Cause.STALLED,
        Cause.TOO_LONG,
        Cause.TRUNCATED,
        Cause.PROTOCOL,
    }
)
NO_CONNECTION = frozenset({Cause.CONNECT})  # those of them in which no stream was ever open
PROVIDER_CAUSES = frozenset({Cause.RATE_LIMITED, Cause.OVERLOADED, Cause.SERVER_ERROR, Cause.QUOTA})

STOPPING = "stopping"
LIMITS = {
    "cpu": "the CPU target",
    "neighbour": "other programs, which use the CPU",
    "allowance": "the container's CPU allowance",
    "loop": "this program's own event loop",
    "pressure": "the wait for a CPU",
    "memory": "free memory",
    "files": "open files",
    "max_slots": "--max-slots",
    "jobs": "too few items left to fill the slots",
    "rate_limit": "the provider's rate limit",
    "outage": "the provider, which did not answer",
    "paused": "`batchrun tune --pause`",
    "ramp": "nothing (still growing)",
    STOPPING: "the stop that was asked for",
}

# What has to be done before the command to go on can help.
FIRST_DO = {
    ExitCode.BAD_JOB_FILE: "mend the job file first",
    ExitCode.CANNOT_CREATE: "make the state directory writable first",
    ExitCode.IO_ERROR: "free the disk or mend it first",
    ExitCode.NO_CREDENTIALS: "set working credentials first",
    ExitCode.BAD_CONFIG: "mend the configuration or the model's name first",
}


def limit_word(limited_by: str) -> str:
    return LIMITS.get(limited_by, limited_by)


def exit_word(code: int) -> str:
    """What an exit code means; for one that this version does not know, the number."""
    try:
        return MEANING[ExitCode(code)]
    except ValueError:
        return f"exit {code}"
