"""The table of settings: how each text is read, what is said of one that cannot be, and that `--help` and the docs tell
the table as it is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.backends import TABLE
from batchrun.config import resolve
from batchrun.errors import ConfigError, ExitCode, UsageError
from batchrun.prices.bill import RATE_TABLE, Rates
from batchrun.settings import SETTINGS, Given, flag_of, nearest, parse_duration, read_given, read_whole, variable_of
from tests.cli.program import batchrun
from tests.house.tree import ROOT

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
    "a duration below none": ("clocks", "idle_timeout = -1.5", "-1.5 is no duration"),
    "a duration that is no number": ("clocks", "idle_timeout = nan", "nan is no duration"),
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
    "an amount of none": ("run", "max_cost = 0", "0 is no amount above 0; write US dollars, such as 5 or 0.50"),
    "an amount in words": ("run", 'max_cost = "5 USD"', "'5 USD' is no amount above 0"),
    "an amount without end": ("run", "max_cost = inf", "inf is no amount above 0"),
    "an amount that is true": ("run", "max_cost = true", "True is no amount above 0"),
    "an id that is a number": ("run", "only = [5]", "5 is no text"),
    "a switch in words": ("run", 'quiet = "perhaps"', "'perhaps' is neither true nor false"),
    "a switch that is a number": ("run", "quiet = 2", "2 is neither true nor false"),
    "a kind that nobody knows": ("run", 'accept = "failed,odd"', "'failed,odd' is not among incomplete, refused"),
    "done, which needs no accepting": ("run", 'accept = ["done"]', "['done'] is not among incomplete, refused"),
    "an end that is no JSON": ("run", "stop_when = '{'", "'{' is no JSON"),
    "an end that nothing brings about": ("run", "stop_when = {min_tokens = 5}", "no rule that could stop anything"),
    "an end that nobody knows": ("run", "stop_when = {pattern = 'x'}", "unknown field 'pattern'"),
    "a sink that is a number": ("run", "sink = [5]", "5 is no text"),
    "a time of day that is none": ("run", 'deadline = "24:00"', "'24:00' is no time of day; write HH:MM"),
    "a time of day as a number": ("run", "deadline = 6", "6 is no time of day"),
    "a share of failures that is none": ("run", 'max_failures = "0%"', "'0' is no number above 0"),
    "failures in words": ("run", 'max_failures = "some"', "'some' is no whole number above 0"),
    "a retry that nobody knows": ("retry", 'retry = "refusd"', "'refusd' is nothing to retry; did you mean refused?"),
    "a change that nobody knows": ("run", 'changed = "drop"', "'drop' is not among keep, ask, fail"),
    "a model that is a number": ("run", "model = 5", "5 is no text"),
    "an empty model": ("run", 'model = " "', "' ' is no text"),
    "an empty path": ("run", 'state = ""', "'' is no path"),
    "a path that is a number": ("run", "log = 5", "5 is no path"),
    "a home of nobody": ("run", 'key_file = "~nobody-is-called-so/k"', "nobody is called so"),
    "a host without a scheme": ("run", 'base_url = "api.example"', "'api.example' is no base URL"),
    "a file as a URL": ("run", 'base_url = "file:///etc"', "is no base URL; write https://host"),
    "a URL without a host": ("run", 'base_url = "https://"', "'https://' is no base URL"),
    "a URL with half an address": ("run", 'base_url = "http://[::1"', "is no base URL"),
    "a URL with a port in words": ("run", 'base_url = "http://host:many"', "is no base URL"),
    "a URL with the version": ("run", 'base_url = "https://api.example/v1/"', "ends with /v1; leave that out"),
    "a URL with a password": ("run", 'base_url = "https://me:secret@api.example"', "no place for a key"),
    "a URL with a query": ("run", 'base_url = "http://h/?api_key=s3cr3t"', "'api_key' in the query of a URL would be"),
    "a URL that is a number": ("run", "base_url = 5", "5 is no base URL"),
}


@pytest.mark.parametrize(("section", "line", "told"), BAD.values(), ids=BAD.keys())
def test_a_bad_value_in_the_file_is_told_with_its_place(tmp_path: Path, section: str, line: str, told: str) -> None:
    """File, section, setting, what was written: exit 78. A password is not written again."""
    file = tmp_path / "batchrun.toml"
    file.write_text(f"[{section}]\n{line}\n")
    with pytest.raises(ConfigError) as bad:
        resolve(tmp_path / "jobs.jsonl", {}, environment={})
    assert str(bad.value).startswith(f"{file}: [{section}] {line.partition(' =')[0]}: ")
    assert told in str(bad.value)
    assert "secret" not in str(bad.value)
    assert bad.value.exit_code is ExitCode.BAD_CONFIG


def test_a_value_knows_where_it_stands(tmp_path: Path) -> None:
    """And whose fault it is: a flag is a slip on the command line, all else is configuration."""
    assert read_given(read_whole, "5", "--n", is_flag=True) == Given(5, "--n", is_flag=True)
    assert isinstance(Given(5, "--n", is_flag=True).wrong("too many"), UsageError)
    wrong = Given(5, "BATCHRUN_N").wrong("too many")
    assert (type(wrong), str(wrong)) == (ConfigError, "BATCHRUN_N: too many")


def test_a_misspelt_name_is_recognised() -> None:
    """Written like the flag, in capitals, or with a letter too many; something else is not guessed at."""
    assert {nearest(word, SETTINGS) for word in ("max-slots", "MAX_SLOTS", "maxslotss")} == {"max_slots"}
    assert nearest("zzz", SETTINGS) is None


# -- what is told of the table -----------------------------------------------------------------------------------------


def told_to_all() -> str:
    """The table of docs/settings.md."""
    rows = [
        f"| `{name}` | `[{section}]` | `{flag_of(name)}` | `{variable_of(name)}` | {default} | {meaning} |"
        for name, (section, _, default, meaning) in SETTINGS.items()
    ]
    return "\n".join(
        ["| name | section | flag | variable | default | meaning |", "|---|---|---|---|---|---|", *rows, ""]
    )


def told_to_backends() -> str:
    """The table of what stands in [backends.NAME]."""
    rows = [f"| `{name}` | {default} | {meaning} |" for name, (_, default, meaning) in TABLE.items()]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows, ""])


def told_of_prices() -> str:
    """The table of what stands in [prices.MODEL]."""
    rows = [f"| `{name}` | {default} | {meaning} |" for name, (default, meaning) in RATE_TABLE.items()]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows, ""])


def test_the_table_of_prices_tells_what_is_read() -> None:
    """A row for each part of a price, in their order."""
    assert list(RATE_TABLE) == [part.name for part in fields(Rates)]


@pytest.mark.parametrize(
    "table", [told_to_all(), told_to_backends(), told_of_prices()], ids=["settings", "backends", "prices"]
)
def test_the_docs_tell_the_table_as_it_is(table: str) -> None:
    """docs/settings.md holds it word by word; what is printed here is what belongs there."""
    page = ROOT.joinpath("docs", "settings.md").read_text(encoding="utf-8")
    assert f"\n\n{table}\n" in page, table


def test_help_tells_each_option_with_its_meaning_and_default(tmp_path: Path) -> None:
    """`batchrun run --help` is read by people at 80 columns: nothing is cut off, and a switch takes no value."""
    done = batchrun("run", "--help", cwd=tmp_path, env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert done.returncode == 0
    # The columns of a panel, put together again: name, what it takes, help.
    text = re.sub(r"\s+", " ", " ".join(re.sub(r"[│╭╰─╮╯]", " ", line) for line in done.stdout.splitlines()))
    missing = [
        name
        for name, setting in SETTINGS.items()
        if not re.search(rf"{flag_of(name)} (?:--no-\w+ )?(?:[A-Z:]+ )?{re.escape(_help(name))}", text)
    ]
    assert missing == [], text
    assert max(map(len, done.stdout.splitlines())) <= 80


def _help(name: str) -> str:
    return f"{SETTINGS[name].meaning} (default: {SETTINGS[name].default})"
