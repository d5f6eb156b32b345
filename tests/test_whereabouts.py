"""Where those who only look find the state of a job file."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.errors import ConfigError
from batchrun.whereabouts import state_of
from tests.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_state_of_a_job_file_is_where_the_run_puts_it(site: Site) -> None:
    """By the environment, else by the file; None where neither says so."""
    assert state_of(site.jobs, site.environment) is None
    site.beside.write_text("[run]\nquiet = true\n")
    assert state_of(site.jobs, site.environment) is None
    site.beside.write_text('[run]\nstate = "s"\n')
    assert state_of(site.jobs, site.environment) == site.resolve().state == site.jobs.parent / "s"
    site.environment["BATCHRUN_STATE"] = "e"
    assert state_of(site.jobs, site.environment) == site.resolve().state == Path("e")


def test_who_looks_is_not_kept_from_it_by_other_mistakes(site: Site) -> None:
    """Only a file that is no TOML, or a state that is no path, leaves the place unknown."""
    site.beside.write_text('[run]\nstate = "s"\nmodl = 5\n[gates]\n')
    site.environment["BATCHRUN_PERIODD"] = "soon"
    assert state_of(site.jobs, site.environment) == site.jobs.parent / "s"
    site.beside.write_text("run = 5\n")
    assert state_of(site.jobs, site.environment) is None
    site.beside.write_text("[run]\nstate = 5\n")
    with pytest.raises(ConfigError, match=r"\[run\] state: 5 is no path"):
        state_of(site.jobs, site.environment)
    site.beside.write_text("[run")
    with pytest.raises(ConfigError, match="is no TOML"):
        state_of(site.jobs, site.environment)


def test_a_state_that_is_named_itself_is_no_job_file(site: Site) -> None:
    """`report jobs.batchrun` means that directory, whatever the file beside it says."""
    site.beside.write_text('[run]\nstate = "s"\n')
    assert state_of(site.jobs.parent, site.environment) is None
    assert state_of(Path("/" + "x" * 300), site.environment) is None  # one that cannot be looked at


def test_the_process_has_an_environment_of_its_own_here_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not handed in is asked of the system."""
    monkeypatch.setenv("BATCHRUN_STATE", "e")
    assert state_of(site.jobs) == Path("e")
