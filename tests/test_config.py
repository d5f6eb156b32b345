"""Flags, environment and batchrun.toml: which one wins, and what is said of a value that cannot be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from datetime import time
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from batchrun.backends import Backend
from batchrun.cli.run import run
from batchrun.config import RunConfig, resolve
from batchrun.curfew import MaxFailures
from batchrun.errors import ConfigError, ExitCode, UsageError
from batchrun.jobs.job import DEFAULT_MAX_TOKENS, DEFAULT_MODEL
from batchrun.jobs.reader import Selection
from batchrun.outcome import Status
from batchrun.providers.provider import Wire
from batchrun.settings import SETTINGS, variable_of
from tests.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class Sample(NamedTuple):
    """One setting in three forms, each with another value, and where it ends up. `needs`: what must be given too."""

    seen: Callable[[RunConfig], Any]
    default: Any
    in_file: tuple[str, Any]
    in_environment: tuple[str, Any]
    as_flag: tuple[Any, Any]
    needs: Mapping[str, Any] = MappingProxyType({})


def _seconds(seen: Callable[[RunConfig], Any], default: float | None) -> Sample:
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


def _path(seen: Callable[[RunConfig], Any]) -> Sample:
    return Sample(seen, None, ('"/f"', Path("/f")), ("e", Path("e")), (Path("g"), Path("g")))


def claude(config: RunConfig) -> Backend:
    return config.backends["claude"]


SAMPLES: dict[str, Sample] = {
    "state": _path(lambda c: c.state),
    "limit": _number(lambda c: c.selection.limit, None),
    "only": Sample(
        lambda c: c.selection.only,
        frozenset(),
        ('["a", "b,c"]', {"a", "b,c"}),
        ("d,e", {"d,e"}),
        (["f", "g"], {"f", "g"}),
    ),
    "backend": Sample(lambda c: c.flags.backend, "claude", ('"one"', "one"), ("two", "two"), ("claude", "claude")),
    "base_url": Sample(
        lambda c: claude(c).provider.base_url,
        None,
        ('"https://file.example"', "https://file.example"),
        ("http://127.0.0.1:8080/proxy", "http://127.0.0.1:8080/proxy"),
        ("https://flag.example", "https://flag.example"),
    ),
    "stop_when": Sample(
        lambda c: c.stop_when,
        None,
        ("{max_chars = 5}", {"max_chars": 5}),
        ('{"regex": "x"}', {"regex": "x"}),
        ('{"json_closed": true}', {"json_closed": True}),
    ),
    "sink": Sample(
        lambda c: c.sinks.functions, (), ('"a:f"', ("a:f",)), ("b:g", ("b:g",)), (["c:h", "d"], ("c:h", "d"))
    ),
    "each": Sample(lambda c: c.sinks.commands, (), ('["a", "b"]', ("a", "b")), ("c", ("c",)), (["d"], ("d",))),
    "out_dir": _path(lambda c: c.sinks.out_dir),
    "webhook": Sample(
        lambda c: c.sinks.webhooks,
        (),
        ('["https://a", "https://b"]', ("https://a", "https://b")),
        ("https://c", ("https://c",)),
        (["https://d"], ("https://d",)),
    ),
    "buffer": _number(lambda c: c.buffer, 16),
    "each_parallel": _number(lambda c: c.sinks.parallel, None),
    "sink_timeout": _seconds(lambda c: c.sinks.time_limit, 600.0),
    "deadline": Sample(
        lambda c: c.deadline, None, ('"06:30"', time(6, 30)), ("7:00", time(7)), ("23:59", time(23, 59))
    ),
    "max_time": _seconds(lambda c: c.max_time, None),
    "max_failures": Sample(
        lambda c: c.max_failures,
        None,
        ("5", MaxFailures(count=5)),
        ("2.5%", MaxFailures(share=0.025)),
        ("10 %", MaxFailures(share=0.1)),
    ),
    "retry": Sample(
        lambda c: c.again,
        frozenset(),
        ('["failed", "refused"]', {"failed", "refused"}),
        ("all", {"all"}),
        ("silent, incomplete", {"silent", "incomplete"}),
    ),
    "changed": Sample(lambda c: c.changed, "keep", ('"ask"', "ask"), ("fail", "fail"), ("keep", "keep")),
    "prewarm": _number(lambda c: c.prewarm, 0),
    "key_file": _path(lambda c: claude(c).provider.key_file),
    "insecure_http": _switch(lambda c: claude(c).provider.insecure_http, default=False),
    "model": Sample(lambda c: claude(c).provider.model, None, ('"f"', "f"), ("e", "e"), ("g", "g")),
    "max_tokens": _number(lambda c: claude(c).max_tokens, None),
    "simulate": _switch(lambda c: c.simulate, default=False),
    "scenario": Sample(
        lambda c: c.scenario, None, ('"rough"', "rough"), ("storm", "storm"), ("calm", "calm"), {"simulate": True}
    ),
    "stream": _switch(lambda c: c.stream, default=True),
    "quiet": _switch(lambda c: c.quiet, default=False),
    "json": _switch(lambda c: c.json, default=False),
    "log": _path(lambda c: c.log),
    "accept": Sample(
        lambda c: c.accept,
        frozenset(),
        ('["failed", "refused"]', {Status.FAILED, Status.REFUSED}),
        ("incomplete, failed", {Status.INCOMPLETE, Status.FAILED}),
        ("refused", {Status.REFUSED}),
    ),
    "target_cpu": Sample(lambda c: claude(c).bounds.target_cpu, 70.0, ("60", 60.0), ("55.5", 55.5), (50.0, 50.0)),
    "min_slots": _number(lambda c: claude(c).bounds.min_slots, 1),
    "max_slots": _number(lambda c: claude(c).bounds.max_slots, 256),
    "period": _seconds(lambda c: c.period, 2.0),
    "law": Sample(lambda c: c.law, "adaptive", ('"steady"', "steady"), ("adaptive", "adaptive"), ("steady", "steady")),
    "connect_timeout": _seconds(lambda c: claude(c).clocks.connect, 10.0),
    "first_byte_timeout": _seconds(lambda c: claude(c).clocks.first_byte, 120.0),
    "idle_timeout": _seconds(lambda c: claude(c).clocks.idle, 60.0),
    "stall_timeout": _seconds(lambda c: claude(c).clocks.stall, 600.0),
    "total_timeout": _seconds(lambda c: claude(c).clocks.total, 3600.0),
    "max_attempts": _number(lambda c: c.retry.max_attempts, 8),
    "give_up": _seconds(lambda c: c.give_up, 3600.0),
    "drain_timeout": _seconds(lambda c: c.drain_timeout, 20.0),
    "max_cost": Sample(lambda c: c.max_cost, None, ("2.5", 2.5), ("0.07", 0.07), ("5", 5.0)),
    "max_tokens_total": _number(lambda c: c.max_tokens_total, None),
}


# -- precedence --------------------------------------------------------------------------------------------------------


def test_every_setting_is_tried_here() -> None:
    """A new row of the table needs a new line in these tests."""
    assert set(SAMPLES) == set(SETTINGS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_flag_wins_over_the_environment_the_environment_over_the_file(site: Site, name: str) -> None:
    """And the file over the default, which is the contract's."""
    sample = SAMPLES[name]
    assert sample.seen(site.resolve(**sample.needs)) == sample.default
    others = "[backends.one]\n[backends.two]\n"
    site.beside.write_text(f"[{SETTINGS[name].section}]\n{name} = {sample.in_file[0]}\n{others}")
    assert sample.seen(site.resolve(**sample.needs)) == sample.in_file[1]
    site.environment[variable_of(name)] = sample.in_environment[0]
    assert sample.seen(site.resolve(**sample.needs)) == sample.in_environment[1]
    assert sample.seen(site.resolve(**sample.needs, **{name: sample.as_flag[0]})) == sample.as_flag[1]


def test_every_option_of_run_is_a_setting() -> None:
    """An option whose name no setting has would be taken and forgotten."""
    assert set(inspect.signature(run).parameters) == {"jobs", *SETTINGS}


# What a default is in the config where the table tells it in words.
IN_WORDS: dict[str, Any] = {
    "beside JOBS, ending .batchrun": None,
    "what the SDK resolves": None,
    "all": None,
    "none": None,
    "one a core": None,
    "calm": None,
    DEFAULT_MODEL: None,
    str(DEFAULT_MAX_TOKENS): None,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_table_tells_the_default_that_holds(name: str) -> None:
    """What `--help` and the docs say is what happens."""
    told, holds = SETTINGS[name].default, SAMPLES[name].default
    if holds in (None, (), frozenset()):
        assert told in IN_WORDS
    else:
        assert holds == (0 if told == "0" else SETTINGS[name].read(told))


def test_what_was_not_given_is_left_to_the_others(site: Site) -> None:
    """None is no value, and neither is an empty variable; a switch that was set to false is."""
    site.beside.write_text('[run]\nmodel = "f"\nquiet = true\n')
    site.environment["BATCHRUN_MODEL"] = ""
    config = site.resolve(model=None, quiet=False)
    assert (claude(config).provider.model, config.quiet) == ("f", False)


def test_the_process_has_an_environment_of_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not handed in is asked of the system."""
    monkeypatch.setenv("BATCHRUN_MODEL", "e")
    assert resolve(site.jobs, {}).flags.model == "e"


def test_a_config_is_one_frozen_value(site: Site) -> None:
    """Resolved once; what the run is asked to do goes through unchanged."""
    config = site.resolve(json=True, limit="3", only=["a"])
    assert (config.jobs, config.selection, config.json) == (site.jobs, Selection(3, frozenset({"a"})), True)
    assert set(config.backends) == {"claude"}
    with pytest.raises(FrozenInstanceError):
        config.period = 1.0  # type: ignore[misc]


def test_a_rule_of_the_file_is_a_default_and_no_part_of_the_request(site: Site) -> None:
    """Changing it makes no finished item another request; a flag or a variable does."""
    site.beside.write_text("[run]\nstop_when = {max_chars = 5}\n")
    of_file = site.resolve()
    assert (of_file.stop_when, of_file.flags.stop_when) == ({"max_chars": 5}, None)
    flagged = site.resolve(stop_when='{"max_chars": 9}')
    assert flagged.stop_when == flagged.flags.stop_when == {"max_chars": 9}
    site.environment["BATCHRUN_STOP_WHEN"] = '{"max_chars": 7}'
    assert site.resolve().flags.stop_when == {"max_chars": 7}


def test_a_rule_for_answers_that_come_in_one_piece_is_refused(site: Site) -> None:
    """Nothing could be saved by it; of a file it may be a default for other runs."""
    with pytest.raises(UsageError, match=r"--stop-when: .* in one piece cannot be stopped"):
        site.resolve(stop_when='{"max_chars": 9}', stream=False)
    site.beside.write_text("[run]\nstop_when = {max_chars = 5}\n")
    assert site.resolve(stream=False).stop_when == {"max_chars": 5}


def test_functions_are_looked_for_beside_the_job_file(site: Site) -> None:
    """Wherever cron stands."""
    assert site.resolve(sink=["publish:save"]).sinks.directory == site.jobs.parent


# -- values that cannot be ---------------------------------------------------------------------------------------------


def test_a_bad_value_in_the_environment_is_told_with_its_variable(site: Site) -> None:
    """Exit 78: cron's environment is configuration."""
    site.environment["BATCHRUN_PERIOD"] = "soon"
    with pytest.raises(ConfigError, match=r"^BATCHRUN_PERIOD: 'soon' is no duration; write for example 30s"):
        site.resolve()


def test_a_bad_value_on_the_command_line_is_told_with_its_flag(site: Site) -> None:
    """Exit 2, as for any slip on the command line."""
    with pytest.raises(UsageError, match=r"^--first-byte-timeout: 'soon' is no duration") as bad:
        site.resolve(first_byte_timeout="soon")
    assert bad.value.exit_code is ExitCode.USAGE


def test_a_bad_value_that_another_one_beats_is_told_all_the_same(site: Site) -> None:
    """A file with a mistake in it is mended today, not on the night when the flag is missing."""
    site.beside.write_text("[gate]\nmax_slots = 0\n")
    with pytest.raises(ConfigError):
        site.resolve(max_slots=5)


@pytest.mark.parametrize(
    ("variable", "remedy"),
    [
        ("BATCHRUN_MAXSLOTS", r"did you mean BATCHRUN_MAX_SLOTS\?"),
        ("BATCHRUN_IDLE_TIMEOUTS", r"did you mean BATCHRUN_IDLE_TIMEOUT\?"),
        ("BATCHRUN_ZZZ", "unset it"),
    ],
)
def test_a_variable_that_nobody_knows_is_told(site: Site, variable: str, remedy: str) -> None:
    """With what was probably meant; one that is empty says nothing."""
    site.environment[variable] = ""
    site.resolve()
    site.environment[variable] = "1"
    with pytest.raises(ConfigError, match=rf"^{variable}: no setting is called so; {remedy}"):
        site.resolve()


@pytest.mark.parametrize("variable", ["BATCHRUN_ID", "BATCHRUN_STATUS", "BATCHRUN_SOAK_SEED", "MY_BATCHRUN_X"])
def test_what_a_run_tells_its_children_is_no_setting(site: Site, variable: str) -> None:
    """A command that a run starts may start batchrun in its turn."""
    site.environment[variable] = "something"
    site.resolve()


# -- values that cannot be together ------------------------------------------------------------------------------------


def test_a_scenario_needs_the_simulator(site: Site) -> None:
    """Faults on demand are nothing that a real provider offers; in the file it waits for its day."""
    with pytest.raises(UsageError, match=r"^--scenario: nothing that a real provider can play; add --simulate"):
        site.resolve(scenario="rough")
    site.beside.write_text('[run]\nscenario = "rough"\n')
    site.resolve()
    assert site.resolve(simulate=True).scenario == "rough"


def test_a_scenario_that_nobody_knows_is_told_where_it_stands(site: Site) -> None:
    """Exit 2 on the command line, 78 in the file."""
    with pytest.raises(UsageError, match=r"^--scenario: scenario 'ruff' is unknown: use one of calm"):
        site.resolve(scenario="ruff", simulate=True)
    site.beside.write_text('[run]\nscenario = "ruff"\n')
    with pytest.raises(ConfigError, match=r"\[run\] scenario: scenario 'ruff' is unknown"):
        site.resolve(simulate=True)


def test_openai_lines_simply_work_in_a_simulated_run(site: Site) -> None:
    """They go to the one backend that is configured for them, or to a stand-in with the gate of the run's backend; but
    whoever names a backend means it, and a real run does as the contract says."""
    stand_in = site.resolve(simulate=True, max_slots="3")
    assert stand_in.flags.chat_backend == "openai"
    taker = stand_in.backends["openai"]
    assert (taker.speech.wire, taker.provider.model, taker.bounds.max_slots) == (Wire.CHAT, DEFAULT_MODEL, 3)
    assert site.resolve(simulate=True, model="m").backends["openai"].provider.model is None

    local = '[backends.{}]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
    site.beside.write_text(local.format("local"))
    assert site.resolve(simulate=True).flags.chat_backend == "local"
    for told in ({}, {"simulate": True, "backend": "claude"}):
        config = site.resolve(**told)
        assert (config.flags.chat_backend, list(config.backends)) == (None, ["claude", "local"])
    site.beside.write_text(local.format("openai") + local.format("other"))
    assert site.resolve(simulate=True).flags.chat_backend == "openai lines"


def test_nobody_else_is_asked_in_a_simulated_run(site: Site) -> None:
    """An address beside --simulate is a slip; in the environment or the file it is for other nights."""
    with pytest.raises(UsageError, match=r"^--base-url: a simulated run asks the embedded provider and nobody else"):
        site.resolve(simulate=True, base_url="http://127.0.0.1:9")
    site.environment["BATCHRUN_BASE_URL"] = "http://127.0.0.1:9"
    assert site.resolve(simulate=True, key_file=Path("k")).simulate


def test_a_drain_may_take_no_time_at_all(site: Site) -> None:
    """Items in flight are cut off at the first signal; a pause below none is nothing."""
    site.beside.write_text("[run]\ndrain_timeout = 0\n")
    assert site.resolve().drain_timeout == 0
    assert site.resolve(drain_timeout="0s").drain_timeout == 0
    with pytest.raises(UsageError, match="'-1' is no duration"):
        site.resolve(drain_timeout="-1")
