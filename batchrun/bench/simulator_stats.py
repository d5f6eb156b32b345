"""What the embedded provider has counted about itself, asked over HTTP as any client would."""

from __future__ import annotations

import http.client
import json
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_PATH = "/_simulator/stats"
# A connection that was just closed here is noticed there in the next turn of its loop.
_SETTLES_WITHIN = 2.0
_LOOK_AGAIN = 0.02


class SimulatorStats:
    """A `with` around what is measured; blocks the event loop for a millisecond a reading.

    Keeps one connection, made before the first reading, so that it is in no difference between two readings.
    """

    def __init__(self, base_url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=10)

    def __enter__(self) -> Self:
        self._connection.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def read(self) -> dict[str, Any]:
        """The counters, once nothing is in flight but this question itself, or after two seconds as they are."""
        deadline = time.monotonic() + _SETTLES_WITHIN
        while True:
            counters = self._ask()
            if counters["in_flight"] <= 1 or time.monotonic() > deadline:
                return counters
            time.sleep(_LOOK_AGAIN)

    def _ask(self) -> dict[str, Any]:
        self._connection.request("GET", _PATH)
        counters: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return counters
