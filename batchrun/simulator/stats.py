"""What the simulator counts about itself: for benchmarks, and for tests that look for leaks. No deciding here."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Stats:
    """Counters since the start. `requests` and `in_flight` count every request, the others those of messages: `faults`
    as they were met, `admitted` and `refused` by the limits."""

    requests: int = 0
    in_flight: int = 0
    admitted: int = 0
    refused: int = 0
    connections_open: int = 0
    connections_total: int = 0
    events_sent: int = 0
    disconnects: int = 0
    faults: dict[str, int] = field(default_factory=dict)

    def count_fault(self, fault: str) -> None:
        """One more response that suffers `fault`."""
        self.faults[fault] = self.faults.get(fault, 0) + 1

    def snapshot(self) -> dict[str, Any]:
        """The counters, the CPU seconds of this process (user and system) and its largest size in bytes."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        max_rss = peak if sys.platform == "darwin" else peak * 1024  # bytes there, kilobytes here
        return asdict(self) | {"cpu_seconds": time.process_time(), "max_rss": max_rss}
