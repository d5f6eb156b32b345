"""What answers cost: as the price list itself computes it, as the user says, or not known."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import genai_prices
import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from batchrun.jobs.volume import Volume
from batchrun.prices.bill import Rates, month_at_this_rate, read_rates
from batchrun.prices.lookup import Prices, seller_of
from batchrun.providers.provider import Wire
from batchrun.spent import Charge

# No figure of the list stands here: it changes with the package. What is compared is what the package computes.
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
HAIKU = "claude-haiku-5-5"
FLAT = "claude-haiku-4-5"  # its price does not depend on the length of the request
PRICES = Prices()
SMALL = {"input_tokens": 1_000, "output_tokens": 500}
CACHED = SMALL | {
    "cache_read_input_tokens": 40_000,
    "cache_creation_input_tokens": 3_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 2_000, "ephemeral_1h_input_tokens": 1_000},
}


def listed(model: str, seller: str, tokens: dict[str, int], context: dict[str, str] | None = None) -> float:
    """The package's own answer."""
    calculated = genai_prices.calc_price(
        Usage(**tokens), model, provider_id=seller, genai_request_timestamp=NOW, price_context=context
    )
    return float(calculated.total_price)


def charge(
    model: str, usage: dict[str, Any], seller: str | None, *, batch: bool = False, prices: Prices = PRICES
) -> Charge:
    """What an answer costs whose price is known; `batch`: it says that it was given in one."""
    found = prices.charge([model], usage | ({"service_tier": "batch"} if batch else {}), seller, at=NOW)
    assert found is not None
    return found


def cost(model: str, usage: dict[str, Any], seller: str | None, *, batch: bool = False) -> float:
    return charge(model, usage, seller, batch=batch).usd


def models(seller: str) -> list[str]:
    """The names of all models of a seller that are sold by tokens."""
    found = []
    for model in get_snapshot().find_provider(None, seller, None).models:
        price = model.get_prices(NOW)
        if price.input_mtok is not None and model.is_match(model.id):
            found.append(model.id)
    return found


# -- what an answer cost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seller", ["anthropic", "openai"])
@pytest.mark.parametrize("batch", [False, True])
def test_each_model_costs_what_the_list_says(seller: str, batch: bool) -> None:
    """Every one that is sold by tokens, live and in a batch."""
    names = models(seller)
    assert len(names) > 10
    for name in names:
        assert cost(name, SMALL, seller, batch=batch) == pytest.approx(
            listed(name, seller, SMALL, {"processing": "batch"} if batch else None)
        )


def test_what_the_cache_took_and_gave_is_input_too() -> None:
    """Anthropic tells of it beside the input tokens, OpenAI within them."""
    tokens = {"input_tokens": 44_000, "output_tokens": 500, "cache_read_tokens": 40_000}
    written = {"cache_write_tokens": 3_000, "cache_write_5m_tokens": 2_000, "cache_write_1h_tokens": 1_000}
    expected = listed(HAIKU, "anthropic", tokens | written)
    assert cost(HAIKU, CACHED, "anthropic") == pytest.approx(expected)
    chat = {"prompt_tokens": 44_000, "completion_tokens": 500, "prompt_tokens_details": {"cached_tokens": 40_000}}
    expected = listed("gpt-5", "openai", tokens)
    assert cost("gpt-5", chat, "openai") == pytest.approx(expected)


def test_a_long_request_may_cost_more_a_token() -> None:
    """The list's steps are followed: the price of all tokens depends on how long the request was."""
    usage = {"input_tokens": 150_000, "output_tokens": 500}
    assert cost(HAIKU, usage, "anthropic") == pytest.approx(listed(HAIKU, "anthropic", usage))


def test_an_answer_says_itself_that_it_was_given_in_a_batch_or_fast() -> None:
    """What the provider tells of its service decides, whatever was asked for."""
    told = cost(HAIKU, SMALL | {"service_tier": "batch"}, "anthropic")
    assert told == cost(HAIKU, SMALL, "anthropic", batch=True)
    told = cost("claude-opus-5", SMALL | {"speed": "fast", "service_tier": "standard"}, "anthropic")
    assert told == pytest.approx(listed("claude-opus-5", "anthropic", SMALL, {"speed": "fast"}))


def test_searches_are_paid_too() -> None:
    """They cost more than most answers."""
    usage = SMALL | {"server_tool_use": {"web_search_requests": 3}}
    searches = listed(HAIKU, "anthropic", {"web_searches": 3})
    assert cost(HAIKU, usage, "anthropic") == pytest.approx(cost(HAIKU, SMALL, "anthropic") + searches)


UNKNOWN: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "a model that is not listed": ("claude-of-tomorrow", SMALL, "anthropic"),
    "a model at home": ("llama3.2", SMALL, None),
    "a model that others sell, at home": ("mistral-small-latest", SMALL, None),
    "a seller that is not listed": (HAIKU, SMALL, "corner shop"),
    "a model that is sold by the minute": ("whisper-1", SMALL, "openai"),
    "no usage": (HAIKU, {}, "anthropic"),
    "half a usage": (HAIKU, {"input_tokens": 5}, "anthropic"),
    "usage in words": (HAIKU, {"input_tokens": "many", "output_tokens": 5}, "anthropic"),
    "usage below nothing": (HAIKU, {"input_tokens": -5, "output_tokens": 5}, "anthropic"),
    "half a usage in chat": ("gpt-5", {"prompt_tokens": 5}, "openai"),
}


@pytest.mark.parametrize(("model", "usage", "seller"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_known_is_not_nothing(model: str, usage: dict[str, Any], seller: str | None) -> None:
    """None, which is said; 0 would be believed. Asked again it is the same."""
    for _ in range(2):
        assert PRICES.charge([model], usage, seller, at=NOW) is None


numbers = st.none() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=3) | st.dictionaries(st.text(), st.none())
fields = (
    *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"),
    *("prompt_tokens", "completion_tokens", "prompt_tokens_details", "server_tool_use", "service_tier", "speed"),
)


@given(st.dictionaries(st.sampled_from(fields), numbers))
def test_no_usage_is_worse_than_unknown(usage: dict[str, Any]) -> None:
    """A gateway may send anything; an odd count must not cost the answer."""
    for seller in ("anthropic", "openai", "groq"):
        found = PRICES.charge(["claude-haiku-4-5"], usage, seller, at=NOW)
        assert found is None or found.usd >= 0


@pytest.mark.parametrize(
    ("base_url", "wire", "seller"),
    [
        (None, Wire.MESSAGES, "anthropic"),
        (None, Wire.CHAT, "openai"),
        ("https://api.anthropic.com", Wire.MESSAGES, "anthropic"),
        ("https://api.openai.com/v1", Wire.CHAT, "openai"),
        ("https://openrouter.ai/api/v1", Wire.CHAT, "openrouter"),
        ("http://127.0.0.1:11434/v1", Wire.CHAT, None),
        ("http://gpu.lan:8000", Wire.MESSAGES, None),
    ],
)
def test_who_sells_is_told_by_the_address(base_url: str | None, wire: Wire, seller: str | None) -> None:
    """Not by the model's name: what runs at home has the name of what others sell."""
    assert seller_of(base_url, wire) == seller


def test_claude_costs_its_price_behind_any_address() -> None:
    """Nobody has one at home."""
    assert cost(HAIKU, SMALL, None) == cost(HAIKU, SMALL, "anthropic")


# -- what the cache saved ----------------------------------------------------------------------------------------------


def test_what_a_cache_saved_is_against_none_at_all() -> None:
    """The same tokens as plain input; nothing where there was no cache."""
    paid = charge(FLAT, CACHED, "anthropic")
    uncached = listed(FLAT, "anthropic", {"input_tokens": 44_000, "output_tokens": 500})
    assert paid.usd + paid.saved_by_cache == pytest.approx(uncached)
    assert paid.saved_by_cache > 0
    assert charge(FLAT, SMALL, "anthropic").saved_by_cache == 0


def test_a_cache_that_is_only_written_saves_nothing() -> None:
    """It cost more than plain input, and that is said."""
    assert charge(HAIKU, SMALL | {"cache_creation_input_tokens": 5_000}, "anthropic").saved_by_cache < 0


# -- the user's own prices ---------------------------------------------------------------------------------------------


def test_a_price_of_the_users_own_wins() -> None:
    """Over the list, and where there is none: a rebate, a machine at home, a model of tomorrow."""
    own = Prices({HAIKU: Rates(1.0, 2.0, 0.5, 3.0), "llama3.2": Rates(0.0, 0.0)})
    # Input, output, what the cache gave and what it took.
    assert charge(HAIKU, CACHED, "anthropic", prices=own).usd == pytest.approx(0.001 + 0.001 + 0.02 + 0.009)
    assert charge("llama3.2", SMALL, None, prices=own).usd == 0.0
    assert charge("claude-opus-5", SMALL, "anthropic", prices=own) == charge("claude-opus-5", SMALL, "anthropic")


def test_a_price_of_the_users_own_may_leave_the_cache_out() -> None:
    """Then it is input like any other."""
    own = Prices({HAIKU: Rates(1.0, 2.0)})
    assert charge(HAIKU, CACHED, "anthropic", prices=own).usd == pytest.approx((44_000 * 1.0 + 500 * 2.0) / 1e6)


def test_a_price_of_the_users_own_is_halved_in_a_batch() -> None:
    """As both providers that have batches halve theirs."""
    own = Prices({HAIKU: Rates(1.0, 2.0)})
    assert charge(HAIKU, SMALL, "anthropic", batch=True, prices=own).usd == pytest.approx(0.001)


@pytest.mark.parametrize("name", ["gpt-6-2026-10-01", "gpt-6-20261001", "gpt-6@20261001", "gpt-6:latest", "gpt-6"])
def test_a_price_of_the_users_own_holds_for_each_edition(name: str) -> None:
    """The answer names the model with its day; another model with a longer name is another one."""
    own = Prices({"gpt-6": Rates(1.0, 2.0)})
    assert charge(name, SMALL, None, prices=own).usd == pytest.approx(0.002)
    assert own.charge(["gpt-6-mini"], SMALL, None) is None


def test_prices_are_read_from_the_configuration() -> None:
    """USD per million tokens."""
    assert read_rates({"input": 1, "output": 2.5}) == Rates(1.0, 2.5)
    assert read_rates({"input": 0, "output": 0, "cache_read": 0.1, "cache_write": 3}) == Rates(0.0, 0.0, 0.1, 3.0)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"input": 1}, "output is missing"),
        ({"input": 1, "output": 2, "cached": 3}, "'cached' is no price; known: input, output, cache_read, cache_write"),
        ({"input": -1, "output": 2}, "input = -1 is no price"),
        ({"input": 1, "output": "2 USD"}, "output = '2 USD' is no price; write US dollars per million tokens"),
        ({"input": True, "output": 2}, "input = True is no price"),
        ({"input": float("nan"), "output": 2}, "input = nan is no price"),
        ({"input": float("inf"), "output": 2}, "input = inf is no price"),
    ],
)
def test_a_price_that_is_none_is_refused(table: dict[str, object], told: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError, match=told):
        read_rates(table)


# -- before and after --------------------------------------------------------------------------------------------------


def test_a_run_has_a_price_range_before_it_begins() -> None:
    """From one token an answer to all that they may have; what such items really cost lies between."""
    volume = Volume(items=100, input_bytes=100 * 4_000, max_tokens=100 * 500)
    span = PRICES.price_range(HAIKU, volume, "anthropic", at=NOW)
    assert span is not None
    usual = cost(HAIKU, {"input_tokens": 1_100, "output_tokens": 300}, "anthropic")
    assert 0 < span.low < 100 * usual < span.high
    most = cost(HAIKU, {"input_tokens": 2_000, "output_tokens": 500}, "anthropic")
    assert span.high == pytest.approx(100 * most)


@pytest.mark.parametrize(
    ("model", "volume"),
    [
        ("llama3.2", Volume(1, 100, 100)),
        (HAIKU, Volume(2, 100, 100, unbounded=1)),
        (HAIKU, Volume()),
    ],
    ids=["an unknown model", "an item without a bound", "nothing"],
)
def test_a_range_that_is_not_known_is_none(model: str, volume: Volume) -> None:
    """The start line then says nothing of money."""
    assert PRICES.price_range(model, volume, None, at=NOW) is None


def test_a_month_is_as_many_nights_as_it_has() -> None:
    """30.4 days; a stretch of two days is half as many."""
    assert month_at_this_rate(2.0, 24) == pytest.approx(2 * 30.4375)
    assert month_at_this_rate(2.0, 48) == pytest.approx(30.4375)
    with pytest.raises(ValueError, match="above 0"):
        month_at_this_rate(1.0, 0)


def test_what_reads_the_configuration_does_not_load_the_list() -> None:
    """`status` and `--help` pay nothing for prices."""
    probe = "import batchrun.prices.bill, json, sys; print(json.dumps([m for m in sys.modules if 'genai' in m]))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
