"""Whether the machine slept, or this process was stopped, between two looks (F32). Pure: clocks come in as arguments.

The clock that runs the deadlines stands while a machine sleeps, so that no deadline notices; the wall clock goes on.
Where both go on, a look comes far too late. In either case nobody knows which connections still have another end.
"""

from __future__ import annotations

LONG_SECONDS = 30.0  # far above what a busy loop or a clock that is set right makes


class Slumber:
    """Looked at once a period, with the wall clock and the clock of the deadlines, both in seconds."""

    __slots__ = ("_steady", "_wall")

    def __init__(self, wall: float, steady: float) -> None:
        self._wall = wall
        self._steady = steady

    def __repr__(self) -> str:
        return f"<Slumber looked at {self._wall:.0f}>"

    def look(self, wall: float, steady: float, due: float) -> float:
        """How many seconds were slept away since the last look, 0 for less than `LONG_SECONDS`; `due` is the moment of
        the steady clock at which this look was to come. A wall clock that is set back is no sleep."""
        stood = (wall - self._wall) - (steady - self._steady)
        self._wall, self._steady = wall, steady
        slept = max(stood, steady - due)
        return slept if slept > LONG_SECONDS else 0.0
