"""What a bench may spend, and has spent. Pure: US dollars in, a yes or a no out.

A request is let through only if its dearest end still fits: what it may cost is set aside before it is sent, and what
it did cost is booked when its usage is known. So the budget is never passed, and may not be used to the last cent.
"""

from __future__ import annotations

from batchrun.prices.bill import Rates

TOKENS_OF_A_RATE = 1_000_000


def reckon(rates: Rates, input_tokens: int, output_tokens: int) -> float:
    """What so many tokens cost; what a cache took or gave counts as other input."""
    return (rates.input * input_tokens + rates.output * output_tokens) / TOKENS_OF_A_RATE


class Budget:
    """`usd` None: nothing costs anything, as on the embedded provider."""

    def __init__(self, usd: float | None) -> None:
        self._usd = usd
        self._set_aside = 0.0
        self.spent = 0.0  # by the tokens that were billed
        self.is_used_up = False

    def __repr__(self) -> str:
        return f"<Budget {self.spent:.4f} of {self._usd} USD>"

    def set_aside(self, usd: float) -> bool:
        """Whether a request that may cost so much fits; once one did not, none does any more."""
        if self._usd is not None and self.spent + self._set_aside + usd > self._usd:
            self.is_used_up = True
        if self.is_used_up:
            return False
        self._set_aside += usd
        return True

    def book(self, set_aside: float, used: float) -> None:
        """The request that `set_aside` was for has cost `used`."""
        self._set_aside -= set_aside
        self.spent += used
