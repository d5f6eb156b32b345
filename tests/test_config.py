"""Flags, environment and batchrun.toml: which one wins, and what is said of a value that cannot be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.cli.run import run
from batchrun.config import RunConfig, resolve
from batchrun.errors import ConfigError, ExitCode, UsageError
from batchrun.jobs.reader import Selection
from batchrun.outcome import Status
from batchrun.settings import SETTINGS, parse_duration


class House:
    """A directory with a job file, an XDG configuration directory, and nobody's environment."""

    def __init__(self, place: Path) -> None:
        self.jobs = place / "site" / "jobs.jsonl"
        self.beside = place / "site" / "batchrun.toml"
        self.xdg = place / "xdg" / "batchrun" / "batchrun.toml"
        self.environment = {"XDG_CONFIG_HOME": str(place / "xdg")}
        for directory in (self.jobs.parent, self.xdg.parent):
            directory.mkdir(parents=True)

    def resolve(self, **given: Any) -> RunConfig:
        return resolve(self.jobs, given, Selection(), self.environment)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


class Sample(NamedTuple):
    """One setting in three forms, each with another value, and where it ends up. `needs`: what must be given too."""

    seen: Callable[[RunConfig], Any]
    default: Any
    in_file: tuple[str, Any]
    in_environment: tuple[str, Any]
    as_flag: tuple[Any, Any]
    needs: Mapping[str, Any] = MappingProxyType({})


def _seconds(seen: Callable[[RunConfig], Any], default: float) -> Sample:
    return Sample(seen, default, ("7", 7.0), ("8m", 480.0), ("250ms", 0.25))


def _number(seen: Callable[[RunConfig], Any], default: int | None) -> Sample:
    return Sample(seen, default, ("30", 30), ("31", 31), (32, 32))


def _switch(seen: Callable[[RunConfig], Any], default: bool) -> Sample:
    return Sample(
        seen,
        default,
        ("false" if default else "true", not default),
        ("yes" if default else "no", default),
        (not default, not default),
    )


SAMPLES: dict[str, Sample] = {
    "state": Sample(lambda c: c.state, None, ('"f"', Path("f")), ("e", Path("e")), (Path("g"), Path("g"))),
    "base_url": Sample(
        lambda c: c.backends["claude"].provider.base_url,
        None,
        ('"https://file.example"', "https://file.example"),
        ("http://127.0.0.1:8080/proxy", "http://127.0.0.1:8080/proxy"),
        ("https://flag.example", "https://flag.example"),
    ),
    "prewarm": _number(lambda c: c.prewarm, 0),
    "key_file": Sample(
        lambda c: c.backends["claude"].provider.key_file,
        None,
        ('"f"', Path("f")),
        ("e", Path("e")),
        (Path("g"), Path("g")),
    ),
    "insecure_http": _switch(lambda c: c.backends["claude"].provider.insecure_http, default=False),
    "model": Sample(lambda c: c.flags.model, None, ('"f"', "f"), ("e", "e"), ("g", "g")),
    "max_tokens": _number(lambda c: c.flags.max_tokens, None),
    "simulate": _switch(lambda c: c.simulate, default=False),
    "scenario": Sample(lambda c: c.scenario, None, ('"f"', "f"), ("e", "e"), ("g", "g"), {"simulate": True}),
    "stream": _switch(lambda c: c.stream, default=True),
    "quiet": _switch(lambda c: c.quiet, default=False),
    "log": Sample(lambda c: c.log, None, ('"f"', Path("f")), ("e", Path("e")), (Path("g"), Path("g"))),
    "accept": Sample(
        lambda c: c.accept,
        frozenset(),
        ('["failed", "refused"]', {Status.FAILED, Status.REFUSED}),
        ("incomplete, failed", {Status.INCOMPLETE, Status.FAILED}),
        ("refused", {Status.REFUSED}),
    ),
    "target_cpu": Sample(
        lambda c: c.backends["claude"].bounds.target_cpu, 70.0, ("60", 60.0), ("55.5", 55.5), (50.0, 50.0)
    ),
    "min_slots": _number(lambda c: c.backends["claude"].bounds.min_slots, 1),
    "max_slots": _number(lambda c: c.backends["claude"].bounds.max_slots, 256),
    "period": _seconds(lambda c: c.period, 2.0),
    "connect_timeout": _seconds(lambda c: c.backends["claude"].clocks.connect, 10.0),
    "first_byte_timeout": _seconds(lambda c: c.backends["claude"].clocks.first_byte, 120.0),
    "idle_timeout": _seconds(lambda c: c.backends["claude"].clocks.idle, 60.0),
    "stall_timeout": _seconds(lambda c: c.backends["claude"].clocks.stall, 600.0),
    "total_timeout": _seconds(lambda c: c.backends["claude"].clocks.total, 3600.0),
    "max_attempts": _number(lambda c: c.retry.max_attempts, 8),
    "give_up": _seconds(lambda c: c.give_up, 3600.0),
    "drain_timeout": _seconds(lambda c: c.drain_timeout, 20.0),
}


# -- precedence --------------------------------------------------------------------------------------------------------


def test_every_setting_is_tried_here() -> None:
    """A new row of the table needs a new line in these tests."""
    assert set(SAMPLES) == set(SETTINGS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_flag_wins_over_the_environment_the_environment_over_the_file(house: House, name: str) -> None:
    """And the file over the default, which is the contract's."""
    sample = SAMPLES[name]
    assert sample.seen(house.resolve(**sample.needs)) == sample.default
    house.beside.write_text(f"[{SETTINGS[name].section}]\n{name} = {sample.in_file[0]}\n")
    assert sample.seen(house.resolve(**sample.needs)) == sample.in_file[1]
    house.environment[f"BATCHRUN_{name.upper()}"] = sample.in_environment[0]
    assert sample.seen(house.resolve(**sample.needs)) == sample.in_environment[1]
    assert sample.seen(house.resolve(**sample.needs, **{name: sample.as_flag[0]})) == sample.as_flag[1]


def test_every_option_of_run_is_a_setting() -> None:
    """An option whose name no setting has would be taken and forgotten. Those below say what to do, not how."""
    options = set(inspect.signature(run).parameters)
    assert options - set(SETTINGS) == {"jobs", "limit", "only", "json"}
    assert set(SETTINGS) <= options


def test_what_was_not_given_is_left_to_the_others(house: House) -> None:
    """None is no value, and neither is an empty variable; a switch that was set to false is."""
    house.beside.write_text('[run]\nmodel = "f"\nquiet = true\n')
    house.environment["BATCHRUN_MODEL"] = ""
    config = house.resolve(model=None, quiet=False)
    assert (config.flags.model, config.quiet) == ("f", False)


def test_the_file_beside_the_jobs_wins_over_the_users_own(house: House) -> None:
    """The first that is there is the only one that is read."""
    house.xdg.write_text('[run]\nmodel = "mine"\n[gate]\nmax_slots = 5\n')
    assert house.resolve().flags.model == "mine"
    house.beside.write_text('[run]\nmodel = "the site\'s"\n')
    config = house.resolve()
    assert (config.flags.model, config.backends["claude"].bounds.max_slots) == ("the site's", 256)


def test_without_xdg_the_users_own_file_is_in_the_home(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """~/.config/batchrun/batchrun.toml."""
    home = house.jobs.parent / "home"
    own = home / ".config" / "batchrun" / "batchrun.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[run]\nmodel = "homely"\n')
    monkeypatch.setenv("HOME", str(home))
    house.environment.clear()
    assert house.resolve().flags.model == "homely"


def test_a_home_that_may_not_be_looked_into_holds_no_settings(house: House) -> None:
    """cron's user with another one's XDG_CONFIG_HOME: no traceback. (A name too long stands in for a closed door.)"""
    house.environment["XDG_CONFIG_HOME"] = "/" + "x" * 300
    assert house.resolve().flags.model is None


def test_the_process_has_an_environment_of_its_own(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not handed in is asked of the system."""
    monkeypatch.setenv("BATCHRUN_MODEL", "e")
    assert resolve(house.jobs, {}, Selection()).flags.model == "e"


def test_a_config_is_one_frozen_value(house: House) -> None:
    """Resolved once; what the run is asked to do goes through unchanged."""
    selection = Selection(limit=3, only=frozenset({"a"}))
    config = resolve(house.jobs, {"json": True}, selection, house.environment)
    assert (config.jobs, config.selection, config.json) == (house.jobs, selection, True)
    assert set(config.backends) == {"claude"}
    with pytest.raises(FrozenInstanceError):
        config.period = 1.0  # type: ignore[misc]


def test_a_home_directory_is_written_as_a_tilde(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands what stands in a file."""
    monkeypatch.setenv("HOME", "/home of mine")
    house.beside.write_text('[run]\nstate = "~/s"\nkey_file = "~/k"\nlog = "~/l"\n')
    config = house.resolve()
    paths = (config.state, config.backends["claude"].provider.key_file, config.log)
    assert paths == (Path("/home of mine/s"), Path("/home of mine/k"), Path("/home of mine/l"))


def test_a_simulated_backend_gets_no_key(house: House) -> None:
    """A key file of the cron line is left alone."""
    backend = house.resolve(simulate=True, key_file=Path("k")).backend
    assert (backend.simulated, backend.key_file) == (True, None)


# -- durations ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("1.5", 1.5),
        ("250ms", 0.25),
        ("20s", 20.0),
        ("60m", 3600.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        (" 10 s ", 10.0),
    ],
)
def test_a_duration_is_read_with_its_unit(text: str, seconds: float) -> None:
    """Seconds where none is given."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "soon", "-5s", "5 parsecs", "1h30m", "1e3", "5S", "nan", "inf", "1.5.2s"])
def test_anything_else_is_no_duration(text: str) -> None:
    """Told with what was written and what to write."""
    with pytest.raises(ValueError, match="is no duration; write for example 30s"):
        parse_duration(text)


@given(st.integers(1, 10**6), st.sampled_from(["ms", "s", "m", "h", "d", ""]))
def test_units_keep_their_ratio(count: int, unit: str) -> None:
    """A thousand, sixty, sixty, twenty-four."""
    seconds = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
    assert parse_duration(f"{count}{unit}") == pytest.approx(count * seconds[unit])


# -- values that cannot be ---------------------------------------------------------------------------------------------

# What cannot be in a file, for each kind of setting: section, line, and a word of the complaint.
BAD: dict[str, tuple[str, str, str]] = {
    "a duration of none": ("clocks", "idle_timeout = 0", "0 is not above 0"),
    "a duration below none": ("clocks", "idle_timeout = -1.5", "-1.5 is not above 0"),
    "a duration that is no number": ("clocks", "idle_timeout = nan", "nan is not above 0"),
    "a duration in words": ("clocks", 'idle_timeout = "soon"', "'soon' is no duration"),
    "a duration that is true": ("clocks", "idle_timeout = true", "True is no duration"),
    "a duration that is a list": ("clocks", "idle_timeout = [1]", "[1] is no duration"),
    "a number of none": ("gate", "max_slots = 0", "0 is no whole number above 0"),
    "a number below none": ("gate", "max_slots = -3", "-3 is no whole number above 0"),
    "half a number": ("gate", "max_slots = 1.5", "1.5 is no whole number above 0"),
    "a number in words": ("gate", 'max_slots = "many"', "'many' is no whole number above 0"),
    "a number that is true": ("gate", "max_slots = true", "True is no whole number above 0"),
    "a number without end": ("gate", "max_slots = inf", "inf is no whole number above 0"),
    "a number of too many digits": ("gate", f'max_slots = "{"9" * 5000}"', "digits"),
    "no per cent": ("gate", "target_cpu = 0", "0 is no number above 0 and up to 100"),
    "more than all": ("gate", "target_cpu = 101", "101 is no number above 0 and up to 100"),
    "per cent that is no number": ("gate", "target_cpu = nan", "nan is no number above 0 and up to 100"),
    "per cent in words": ("gate", 'target_cpu = "half"', "'half' is no number above 0 and up to 100"),
    "a switch in words": ("run", 'quiet = "perhaps"', "'perhaps' is neither true nor false"),
    "a switch that is a number": ("run", "quiet = 2", "2 is neither true nor false"),
    "a kind that nobody knows": ("run", 'accept = "failed,odd"', "'failed,odd' is not among incomplete, refused"),
    "done, which needs no accepting": ("run", 'accept = ["done"]', "['done'] is not among incomplete, refused"),
    "a model that is a number": ("run", "model = 5", "5 is no text"),
    "an empty model": ("run", 'model = " "', "' ' is no text"),
    "an empty path": ("run", 'state = ""', "'' is no path"),
    "a path that is a number": ("run", "log = 5", "5 is no path"),
    "a home of nobody": ("run", 'key_file = "~nobody-is-called-so/k"', "nobody is called so"),
    "a host without a scheme": ("run", 'base_url = "api.example"', "'api.example' is no base URL"),
    "a file as a URL": ("run", 'base_url = "file:///etc"', "is no base URL; write https://host, without /v1"),
    "a URL without a host": ("run", 'base_url = "https://"', "'https://' is no base URL"),
    "a URL with half an address": ("run", 'base_url = "http://[::1"', "is no base URL"),
    "a URL with a port in words": ("run", 'base_url = "http://host:many"', "is no base URL"),
    "a URL with the version": ("run", 'base_url = "https://api.example/v1/"', "without /v1"),
    "a URL that is a number": ("run", "base_url = 5", "5 is no base URL"),
}


@pytest.mark.parametrize(("section", "line", "told"), BAD.values(), ids=BAD.keys())
def test_a_bad_value_in_the_file_is_told_with_its_place(house: House, section: str, line: str, told: str) -> None:
    """File, section, setting, what was written: exit 78."""
    house.beside.write_text(f"[{section}]\n{line}\n")
    with pytest.raises(ConfigError) as bad:
        house.resolve()
    assert str(bad.value).startswith(f"{house.beside}: [{section}] {line.partition(' =')[0]}: ")
    assert told in str(bad.value)
    assert bad.value.exit_code is ExitCode.BAD_CONFIG


def test_a_bad_value_in_the_environment_is_told_with_its_variable(house: House) -> None:
    """Exit 78: cron's environment is configuration."""
    house.environment["BATCHRUN_PERIOD"] = "soon"
    with pytest.raises(ConfigError, match=r"^BATCHRUN_PERIOD: 'soon' is no duration; write for example 30s"):
        house.resolve()


def test_a_bad_value_on_the_command_line_is_told_with_its_flag(house: House) -> None:
    """Exit 2, as for any slip on the command line."""
    with pytest.raises(UsageError, match=r"^--first-byte-timeout: 'soon' is no duration") as bad:
        house.resolve(first_byte_timeout="soon")
    assert bad.value.exit_code is ExitCode.USAGE


def test_a_bad_value_that_another_one_beats_is_told_all_the_same(house: House) -> None:
    """A file with a mistake in it is mended today, not on the night when the flag is missing."""
    house.beside.write_text("[gate]\nmax_slots = 0\n")
    with pytest.raises(ConfigError):
        house.resolve(max_slots=5)


def test_a_section_that_nobody_knows_is_told_with_those_that_are(house: House) -> None:
    """A misspelt section would else be a setting that silently does nothing."""
    house.beside.write_text("[gates]\nmax_slots = 5\n")
    with pytest.raises(ConfigError, match=r"no section is called \[gates\]; known: clocks, gate, retry, run"):
        house.resolve()


def test_a_setting_outside_any_section_is_told(house: House) -> None:
    """Everything has a section."""
    house.beside.write_text("max_slots = 5\n")
    with pytest.raises(ConfigError, match=r"no section is called \[max_slots\]"):
        house.resolve()


@pytest.mark.parametrize("line", ["[gate]\nmax_slot = 5", "[run]\nmax_slots = 5", "[gate]\nmax-slots = 5"])
def test_a_setting_that_nobody_knows_there_is_told(house: House, line: str) -> None:
    """Misspelt, in another section, or written like the flag."""
    house.beside.write_text(line)
    with pytest.raises(ConfigError, match=r"has no setting 'max.slots?'; see `batchrun run --help`"):
        house.resolve()


@pytest.mark.parametrize("content", [b"[run", b"[run]\nmodel = \xff\n", b"[run]\nmodel = 'a'\nmodel = 'b'\n"])
def test_a_file_that_is_no_toml_is_told_with_its_path(house: House, content: bytes) -> None:
    """Exit 78, with the parser's own words and what to do."""
    house.beside.write_bytes(content)
    with pytest.raises(ConfigError, match=r"batchrun\.toml: cannot be read \(.+\); mend it or move it away"):
        house.resolve()


# -- values that cannot be together ------------------------------------------------------------------------------------


def test_the_least_is_not_above_the_most(house: House) -> None:
    """Both are named, wherever they come from; equal is fine."""
    with pytest.raises(UsageError, match="--min-slots 9 is above --max-slots 8"):
        house.resolve(min_slots=9, max_slots=8)
    house.beside.write_text("[gate]\nmin_slots = 9\n")
    with pytest.raises(UsageError):
        house.resolve(max_slots=8)
    assert house.resolve(max_slots=9).gate.max_slots == 9


def test_a_scenario_needs_the_simulator(house: House) -> None:
    """Faults on demand are nothing that a real provider offers."""
    with pytest.raises(UsageError, match="--scenario needs --simulate"):
        house.resolve(scenario="rough")
    assert house.resolve(scenario="rough", simulate=True).scenario == "rough"
