"""What a bench may spend, and has spent. Pure: tokens in, a yes or a no out.

A request is let through only if its dearest end still fits: what it may cost is set aside before it is sent, and what
it did cost is booked when its usage is known. So the budget is never passed, and may not be used to the last cent.
"""

from __future__ import annotations

TOKENS_OF_THE_PRICE = 1_000_000


class Budget:
    """`usd` None: nothing costs anything, as on the embedded provider. One price holds for input and output."""

    def __init__(self, usd: float | None, usd_per_mtok: float) -> None:
        self._usd = usd
        self._price = usd_per_mtok / TOKENS_OF_THE_PRICE
        self._set_aside = 0
        self._booked = 0
        self.is_used_up = False

    def __repr__(self) -> str:
        return f"<Budget {self.spent:.4f} of {self._usd} USD>"

    @property
    def spent(self) -> float:
        """USD, by the tokens that were billed."""
        return self._booked * self._price

    def set_aside(self, tokens: int) -> bool:
        """Whether a request that may come to so many tokens fits; once one did not, none does any more."""
        if self._usd is not None and (self._booked + self._set_aside + tokens) * self._price > self._usd:
            self.is_used_up = True
        if self.is_used_up:
            return False
        self._set_aside += tokens
        return True

    def book(self, set_aside: int, used: int) -> None:
        """The request that `set_aside` was for has come to `used` tokens."""
        self._set_aside -= set_aside
        self._booked += used
