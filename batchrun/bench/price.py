"""What an endpoint takes for its tokens, as a bench reckons with it. Nothing is asked here."""

from __future__ import annotations

import os
from pathlib import Path

from batchrun.config_file import read_prices
from batchrun.prices.bill import Rates
from batchrun.prices.lookup import Prices, seller_of
from batchrun.providers.provider import Wire
from batchrun.whereabouts import FILE_NAME, find_file


def known_rates(base_url: str, kind: str, model: str) -> Rates | None:
    """The user's own price in batchrun.toml (here, else in the XDG configuration), else the list's; None: not known.

    Raises:
        ConfigError: that file cannot be used.
    """
    own = read_prices(find_file(Path(FILE_NAME), os.environ))
    return Prices(own).rates(model, seller_of(base_url, Wire.CHAT if kind == "openai" else Wire.MESSAGES))
