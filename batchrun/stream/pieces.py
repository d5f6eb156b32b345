"""A text that grows by small pieces, joined in time: a short string takes ten times the place of its letters."""

from __future__ import annotations

from collections.abc import Sequence

JOINED = 64  # pieces at a time; a megabyte in pieces of four letters would otherwise take sixteen

LONG = 100  # letters; a piece of so many is not worth joining


class Pieces:
    """Add to it; `text` is all of it."""

    __slots__ = ("_joined", "_loose")

    def __init__(self, begun: str = "") -> None:
        self._joined = [begun] if begun else []
        self._loose: list[str] = []

    def __repr__(self) -> str:
        return f"<Pieces {len(self._joined)} joined, {len(self._loose)} loose>"

    def add(self, piece: str) -> None:
        self._loose.append(piece)
        self._join()

    def extend(self, pieces: Sequence[str]) -> None:
        self._loose.extend(pieces)
        self._join()

    def text(self) -> str:
        return "".join((*self._joined, *self._loose))

    def _join(self) -> None:
        if len(self._loose) < JOINED:
            return
        if sum(map(len, self._loose)) < JOINED * LONG:
            self._joined.append("".join(self._loose))
        else:
            # Joined they would be no smaller, and there twice for as long as a slow sink holds them.
            self._joined.extend(self._loose)
        self._loose.clear()
