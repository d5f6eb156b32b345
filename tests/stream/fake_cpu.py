"""A CPU clock for tests, turned by hand."""

from __future__ import annotations


class FakeCpu:
    """A CPU clock that runs only when somebody burns."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def burn(self, seconds: float) -> None:
        self.now += seconds
