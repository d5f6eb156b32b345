"""Which sinks are wanted, as a frozen value. Nothing is imported or opened for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TIME_LIMIT = 600.0  # seconds; as long as a stream may stall: what hangs must not hold a slot for ever


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """The sinks as the user wrote them; `directory` is that of the job file, where functions are looked for first.

    `insecure_http`: a webhook may be reached unencrypted, not only on loopback.
    `parallel` commands run at once (None: one for each core); a command, or a call of a function, may take
    `time_limit` seconds (None: for ever), and so may all tries of a webhook.
    """

    directory: Path
    functions: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    out_dir: Path | None = None
    webhooks: tuple[str, ...] = ()
    insecure_http: bool = False
    parallel: int | None = None
    time_limit: float | None = TIME_LIMIT
