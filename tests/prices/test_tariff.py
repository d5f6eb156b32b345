"""The prices of a backend: whose they are, by which name of the model, and what a run may come to."""

from __future__ import annotations

import pytest

from batchrun.errors import ConfigError, ExitCode
from batchrun.jobs.volume import Volume
from batchrun.prices.bill import Outlook, PriceRange, Rates
from batchrun.prices.lookup import Prices
from batchrun.prices.tariff import BackendTariff, open_tariffs, outlook, require_prices
from batchrun.providers.provider import Wire
from tests.fakes import ScriptedProvider

HAIKU = "claude-haiku-4-5"
OWN = {"llama3.2": Rates(1.0, 10.0, cache_read=0.1)}
USAGE = {"input_tokens": 100, "output_tokens": 50}
AT_HOME = BackendTariff(Prices(OWN), None)
VOLUME = Volume(items=2, input_bytes=600, max_tokens=200)


class ProviderAt(ScriptedProvider):
    """Somebody at an address, whom nobody asks."""

    def __init__(self, base_url: str, wire: Wire) -> None:
        super().__init__(lambda prompt, seen: [])
        self.base_url = base_url
        self.wire = wire


def test_an_answer_is_charged_by_the_name_of_who_answered_or_of_who_was_asked() -> None:
    """An alias may be answered by a model of another name; some gateways name none."""
    for answered, asked in (("llama3.2", "fast"), ("llama-q4", "llama3.2"), ("", "llama3.2")):
        charge = AT_HOME.charge(answered, asked, USAGE)
        assert charge is not None
        assert charge.usd == pytest.approx(0.0006)
    assert AT_HOME.charge("llama-q4", "fast", USAGE) is None


def test_a_price_of_the_users_own_wins_under_either_name() -> None:
    """Even where the list knows the model that answered."""
    rebate = BackendTariff(Prices({"cheap": Rates(0.0, 1.0)}), "anthropic")
    charge = rebate.charge(HAIKU, "cheap", USAGE)
    assert charge is not None
    assert charge.usd == pytest.approx(0.00005)


def test_what_the_cache_saved_is_told_with_the_charge() -> None:
    """Against paying all of it as plain input; nothing where there was no cache."""
    charge = AT_HOME.charge("llama3.2", "llama3.2", USAGE | {"cache_read_input_tokens": 1000})
    assert charge is not None
    assert charge.saved_by_cache == pytest.approx(0.0009)
    plain = AT_HOME.charge("llama3.2", "llama3.2", USAGE)
    assert plain is not None
    assert plain.saved_by_cache == 0.0


@pytest.mark.parametrize("usage", [{}, {"output_tokens": 5}, {"input_tokens": "many", "output_tokens": []}])
def test_no_odd_usage_costs_the_answer(usage: dict[str, object]) -> None:
    """The charge is unknown then, and nothing is raised."""
    assert AT_HOME.charge("llama3.2", "llama3.2", usage) is None


def test_output_alone_is_reckoned_for_waste() -> None:
    """Unknown where the model is."""
    assert AT_HOME.output("llama3.2", 50) == pytest.approx(0.0005)
    assert AT_HOME.output("mystery", 50) is None
    assert AT_HOME.knows("llama3.2")
    assert not AT_HOME.knows("mystery")


def test_each_backend_has_the_prices_of_who_sells_there() -> None:
    """Told by the address that is asked; the same name at home has no price."""
    providers = {
        "claude": ProviderAt("https://api.anthropic.com", Wire.MESSAGES),
        "openai": ProviderAt("https://api.openai.com/v1", Wire.CHAT),
        "home": ProviderAt("http://127.0.0.1:11434/v1", Wire.CHAT),
    }
    tariffs = open_tariffs(OWN, providers)
    assert {name: tariff.knows("gpt-5") for name, tariff in tariffs.items()} == {
        "claude": False,
        "openai": True,
        "home": False,
    }
    assert all(tariff.knows("llama3.2") for tariff in tariffs.values())


def test_an_outlook_adds_up_what_is_known_and_names_the_rest() -> None:
    """By backend and model; a model without a bound is no model without a price."""
    tariffs = {"home": AT_HOME}
    span = AT_HOME.price_range("llama3.2", VOLUME)
    assert span is not None
    assert outlook({("home", "llama3.2"): VOLUME}, tariffs) == Outlook(span)
    pictures = Volume(items=3, unbounded=3)
    told = outlook({("home", "llama3.2"): VOLUME, ("home", "mystery"): VOLUME}, tariffs)
    assert told == Outlook(span, unknown=("mystery",))
    assert outlook({("home", "llama3.2"): pictures}, tariffs) == Outlook(None, unbounded=("llama3.2",))
    twice = outlook({("home", "llama3.2"): VOLUME, ("away", "llama3.2"): VOLUME}, tariffs | {"away": AT_HOME})
    assert twice.span == PriceRange(2 * span.low, 2 * span.high)


def test_a_limit_in_dollars_needs_the_price_of_each_model() -> None:
    """Exit 78, with the model, its backend, and the table to write."""
    require_prices({("home", "llama3.2"): VOLUME}, {"home": AT_HOME})
    with pytest.raises(ConfigError) as refused:
        require_prices({("home", "llama3.2"): VOLUME, ("home", "mystery"): VOLUME}, {"home": AT_HOME})
    assert "'mystery' on backend home" in str(refused.value)
    assert '[prices."mystery"]' in str(refused.value)
    assert refused.value.exit_code is ExitCode.BAD_CONFIG
