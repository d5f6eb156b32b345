"""Scenarios: the named ones, files, and what is said about a bad one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batchrun.errors import ConfigError
from batchrun.simulator.scenario import NAMED, Scenario


def test_calm_is_the_default_and_has_no_faults() -> None:
    """The name and the bare class are the same."""
    assert Scenario.load("calm") == Scenario()
    assert (Scenario().ttft, Scenario().tokens_per_second, Scenario().gap_seconds) == (0.3, 80.0, 1 / 80)


def test_instant_has_no_pace() -> None:
    """No time to the first token, none between two."""
    assert (Scenario.load("instant").ttft, Scenario.load("instant").gap_seconds) == (0, 0)


def test_rough_is_the_night_of_the_acceptance_test() -> None:
    """10 % 429, 5 % 529, 5 % drops, 3 % silences."""
    rough = Scenario.load("rough")
    assert (rough.rate_429, rough.rate_529, rough.rate_drop, rough.rate_silence) == (0.10, 0.05, 0.05, 0.03)
    assert "storm" in NAMED


@pytest.mark.parametrize(
    ("name", "text"),
    [("night.toml", "rate_429 = 0.5\nseed = 7\n"), ("night.json", '{"rate_429": 0.5, "seed": 7}')],
)
def test_a_file_sets_what_it_names(tmp_path: Path, name: str, text: str) -> None:
    """TOML and JSON; the rest is as in calm."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert Scenario.load(path) == Scenario.load(str(path)) == Scenario(rate_429=0.5, seed=7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate_429 = 1.5", "rate_429 is 1.5: give a share from 0 to 1"),
        ("rate_drop = true", "rate_drop is True: give a number"),
        ("ttft = -1", "ttft is -1: give 0 or more"),
        ("ttft = inf", "ttft is inf: give a number"),
        ("seed = 0.5", "seed is 0.5: give a whole number"),
        ("slow_factor = 0", "slow_factor is 0: give 1 or more"),
        ("rate_429 = 0.6\nrate_529 = 0.6", "the rates add up to 1.2"),
        ("rate_419 = 0.1", "there is no 'rate_419': the names are seed, rate_429"),
        ("rate_429 = ", "is not TOML in UTF-8"),
    ],
)
def test_a_bad_file_says_what_where_and_what_to_do(tmp_path: Path, text: str, words: str) -> None:
    """The path comes first, then the setting, then the remedy."""
    path = tmp_path / "night.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Scenario.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    """A typo names the choices."""
    with pytest.raises(ConfigError, match=r"'ruff' is unknown: use one of calm, instant, rough, storm, or the path"):
        Scenario.load("ruff")


def test_a_missing_or_odd_file_is_named(tmp_path: Path) -> None:
    """A path that is not there; JSON that is no object; bytes that are no UTF-8."""
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read \(No such file"):
        Scenario.load(tmp_path / "gone.toml")
    for name, data in (("list.json", b"[]"), ("latin.toml", b"# caf\xe9")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ConfigError, match=name):
            Scenario.load(tmp_path / name)


def test_a_scenario_made_in_code_is_checked_too() -> None:
    """Options of the command line pass through `replace`."""
    with pytest.raises(ConfigError, match="tokens_per_second is -1"):
        replace(Scenario(), tokens_per_second=-1)
