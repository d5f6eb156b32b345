"""batchrun.toml: which one counts, what is said of what nobody knows in it, and where its paths lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.errors import ConfigError
from batchrun.prices.bill import Rates
from tests.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_file_beside_the_jobs_wins_over_the_users_own(site: Site) -> None:
    """The first that is there is the only one that is read."""
    site.xdg.write_text('[run]\nmodel = "mine"\n[gate]\nmax_slots = 5\n')
    assert site.resolve().backends["claude"].provider.model == "mine"
    site.beside.write_text('[run]\nmodel = "the site\'s"\n')
    config = site.resolve()
    assert (config.backends["claude"].provider.model, config.backends["claude"].bounds.max_slots) == ("the site's", 256)


def test_without_xdg_the_users_own_file_is_in_the_home(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """~/.config/batchrun/batchrun.toml."""
    home = site.jobs.parent / "home"
    own = home / ".config" / "batchrun" / "batchrun.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[run]\nmodel = "homely"\n')
    monkeypatch.setenv("HOME", str(home))
    site.environment.clear()
    assert site.resolve().backends["claude"].provider.model == "homely"


def test_a_home_that_may_not_be_looked_into_holds_no_settings(site: Site) -> None:
    """cron's user with another one's XDG_CONFIG_HOME: no traceback. (A name too long stands in for a closed door.)"""
    site.environment["XDG_CONFIG_HOME"] = "/" + "x" * 300
    assert site.resolve().backends["claude"].provider.model is None


def test_a_user_without_a_home_has_no_settings_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user of whom the system knows nothing: no traceback."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    site.environment.clear()
    assert site.resolve().backends["claude"].provider.model is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[gates]\nmax_slots = 5", r"no section is called \[gates\]; did you mean \[gate\]\?"),
        ("[backend.local]\nkind = 'openai'", r"no section is called \[backend\]; did you mean \[backends.NAME\]\?"),
        ("[qqq]\nmax_slots = 5", r"no section is called \[qqq\]; use backends, clocks, gate, prices, retry, run"),
        ("target_cpu = 60", r"target_cpu stands outside any section; put it under \[gate\]"),
        ("target-cpu = 60", r"target-cpu stands outside any section; put target_cpu under \[gate\]"),
        ("zzz = 60", "zzz stands outside any section, and no setting is called so"),
        ("gate = 60", r"gate is a section; write \[gate\] on a line of its own"),
        ("[gate]\nmax_slot = 5", r"\[gate\] max_slot: no setting is called so; did you mean max_slots\?"),
        ("[gate]\nmax-slots = 5", r"\[gate\] max-slots: no setting is called so; did you mean max_slots\?"),
        ("[run]\nmax_slots = 5", r"\[run\] max_slots: belongs under \[gate\]"),
        (
            "[retry]\nidle_timeouts = 5",
            r"\[retry\] idle_timeouts: no setting is called so; did you mean idle_timeout under \[clocks\]\?",
        ),
        ("[retry]\nzzz = 5", r"\[retry\] zzz: no setting is called so; known here: max_attempts, give_up"),
    ],
)
def test_what_nobody_knows_in_the_file_is_told(site: Site, text: str, told: str) -> None:
    """Misspelt, in another section or in none, or written like the flag: it would silently do nothing."""
    site.beside.write_text(text)
    with pytest.raises(ConfigError, match=rf"/site/batchrun\.toml: {told}"):
        site.resolve()


def test_prices_of_the_users_own_are_read_by_model(site: Site) -> None:
    """A table a model; the run gets them as they stand, and cannot change them."""
    site.beside.write_text('[prices.mini]\ninput = 1\noutput = 2.5\n[prices."llama3.2"]\ninput = 0\noutput = 0\n')
    prices = site.resolve().prices
    assert dict(prices) == {"mini": Rates(1.0, 2.5), "llama3.2": Rates(0.0, 0.0)}
    with pytest.raises(TypeError):
        prices["mini"] = Rates(0.0, 0.0)  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[prices.mini]\ninput = 1", r'\[prices\."mini"\] output is missing; write both input and output'),
        ("[prices.mini]\ninput = 1\noutput = 'cheap'", "output = 'cheap' is no price; write US dollars per million"),
        ("[prices.mini]\ninput = 1\noutputs = 1", "'outputs' is no price; known: input, output, cache_read"),
        (
            "[prices.llama3.2]\ninput = 1\noutput = 1",
            r'\[prices\.llama3\.2\]: a name with a dot needs quotes; write \[prices\."llama3\.2"\]',
        ),
        ("[prices]\nmini = 1", r"\[prices\] holds tables only; write \[prices\.MODEL\]"),
        ("prices = 1", r"\[prices\] holds tables only; write \[prices\.MODEL\]"),
        ("[price.mini]\ninput = 1", r"no section is called \[price\]; did you mean \[prices\.MODEL\]\?"),
    ],
)
def test_a_price_that_cannot_be_is_told_with_its_place(site: Site, text: str, told: str) -> None:
    """File, table, and what to write."""
    site.beside.write_text(text)
    with pytest.raises(ConfigError, match=rf"/site/batchrun\.toml: .*{told}"):
        site.resolve()


@pytest.mark.parametrize("content", [b"[run", b"[run]\nmodel = \xff\n", b"[run]\nmodel = 'a'\nmodel = 'b'\n"])
def test_a_file_that_is_no_toml_is_told_with_its_path(site: Site, content: bytes) -> None:
    """Exit 78, with the parser's own words and what to do."""
    site.beside.write_bytes(content)
    with pytest.raises(ConfigError, match=r"batchrun\.toml: is no TOML in UTF-8 \(.+\); mend it or move it away"):
        site.resolve()


def test_a_file_that_cannot_be_read_is_told_in_words(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the system's number. (Tests may be root's, who may read everything.)"""

    def refuse(path: Path, **_: object) -> str:
        raise PermissionError(13, "Permission denied")

    site.beside.touch()
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigError, match=r"batchrun\.toml: cannot be read \(Permission denied\); make it readable"):
        site.resolve()


def test_a_home_directory_is_written_as_a_tilde(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands what stands in a file."""
    monkeypatch.setenv("HOME", "/home of mine")
    site.beside.write_text('[run]\nstate = "~/s"\nkey_file = "~/k"\nlog = "~/l"\n')
    config = site.resolve()
    paths = (config.state, config.backends["claude"].provider.key_file, config.log)
    assert paths == (Path("/home of mine/s"), Path("/home of mine/k"), Path("/home of mine/l"))


@pytest.mark.parametrize("where", ["beside", "xdg"])
def test_a_path_in_the_file_is_meant_from_where_the_file_lies(site: Site, where: str) -> None:
    """cron starts in a directory of its own, and a state in another place is a night paid twice."""
    file: Path = getattr(site, where)
    file.write_text(
        '[run]\nstate = "s"\nkey_file = "../k"\nlog = "/l"\nscenario = "night.toml"\nsimulate = true\n'
        '[backends.other]\nkey_file = "o"\n'
    )
    file.with_name("night.toml").write_text("seed = 1\n")
    config, here = site.resolve(), file.parent
    assert (config.state, config.log, config.scenario) == (here / "s", Path("/l"), str(here / "night.toml"))
    assert config.backends["claude"].provider.key_file == here / "../k"
    assert config.backends["other"].provider.key_file == here / "o"


def test_a_path_of_the_command_line_or_the_environment_is_meant_from_here(site: Site) -> None:
    """As any shell means it."""
    site.environment["BATCHRUN_LOG"] = "l"
    config = site.resolve(state=Path("s"))
    assert (config.state, config.log) == (Path("s"), Path("l"))
