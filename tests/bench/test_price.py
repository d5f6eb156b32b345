"""What a bench reckons with: the user's own price here, else the list's, else nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.bench.price import known_rates
from batchrun.prices.bill import Rates
from batchrun.prices.lookup import Prices

HERE = "http://127.0.0.1:9/v1"


def test_a_price_is_the_users_own_or_the_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the settings file of the directory, as for a run; what nobody knows is not free."""
    monkeypatch.chdir(tmp_path)
    assert known_rates(HERE, "openai", "own-7b") is None
    assert known_rates("https://api.openai.com/v1", "openai", "gpt-5") == Prices().rates("gpt-5", "openai")
    assert known_rates(HERE, "anthropic", "claude-haiku-5-5") == Prices().rates("claude-haiku-5-5", "anthropic")
    tmp_path.joinpath("batchrun.toml").write_text('[prices."own-7b"]\ninput = 1\noutput = 2\n')
    assert known_rates(HERE, "openai", "own-7b") == Rates(1.0, 2.0)
