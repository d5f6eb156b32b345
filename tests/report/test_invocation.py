"""What is typed next does what the reader expects, copied as it stands, from wherever the reader stands."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from batchrun.jobs.job import RequestFlags
from batchrun.report.invocation import Place, discreet, reached, request_flags, resume_command

RAN = "/home/me/data/jobs.jsonl"
BESIDE = Place("/home/me/data", RAN, None, is_absolute=False, program="batchrun")


@pytest.mark.parametrize(
    ("args", "command"),
    [
        (["run", "jobs.jsonl"], "batchrun run jobs.jsonl"),
        (["run", "--model", "m", "jobs.jsonl"], "batchrun run jobs.jsonl --model m"),
        (["run", "jobs.jsonl", "--limit", "3", "--key-file", "k"], "batchrun run jobs.jsonl --key-file k"),
        (["run", "jobs.jsonl", "--limit=3", "--only=a", "--quiet", "--json"], "batchrun run jobs.jsonl"),
        (["run", "jobs.jsonl", "--only", "--quiet", "--simulate"], "batchrun run jobs.jsonl --simulate"),
        (["run", "--from-a-later-version", "jobs.jsonl"], "batchrun run jobs.jsonl --from-a-later-version"),
        (["run", "jobs.jsonl", "--model=a b"], "batchrun run jobs.jsonl --model 'a b'"),
        ([], "batchrun run jobs.jsonl"),
    ],
)
def test_the_command_carries_on_what_holds_for_the_whole_job(args: list[str], command: str) -> None:
    """Options are kept; what was for one run only, or silences it, is not."""
    assert resume_command(args, "/home/me/data", RAN, BESIDE) == command


def test_the_command_survives_the_shell() -> None:
    """Paths with blanks and quotes come back from the shell as they were."""
    ran = "/x/it's my jobs.jsonl"
    command = resume_command(["run", "it's my jobs.jsonl"], "/x", ran, replace(BESIDE, here="/x", jobs=ran))
    assert shlex.split(command) == ["batchrun", "run", "it's my jobs.jsonl"]


WITH_PATHS = ["run", "data/jobs.jsonl", "--state", "s", "--key-file", "keys/k", "--log", "/var/log/b", "--model", "a/b"]


@pytest.mark.parametrize(
    ("here", "is_absolute", "command"),
    [
        ("/home/me", False, "data/jobs.jsonl --state s --key-file keys/k --log /var/log/b --model a/b"),
        ("/home", False, "me/data/jobs.jsonl --state me/s --key-file me/keys/k --log /var/log/b --model a/b"),
        ("/home/me/data", False, f"{RAN} --state /home/me/s --key-file /home/me/keys/k --log /var/log/b --model a/b"),
        ("/home/me", True, f"{RAN} --state /home/me/s --key-file /home/me/keys/k --log /var/log/b --model a/b"),
        ("/", False, f"{RAN} --state /home/me/s --key-file /home/me/keys/k --log /var/log/b --model a/b"),
    ],
)
def test_all_paths_are_right_from_where_the_reader_stands(here: str, is_absolute: bool, command: str) -> None:
    """Relative together where all lie below, else absolute together; what was typed from the root stays so."""
    place = Place(here, RAN, "/home/me/s", is_absolute, "batchrun")
    assert resume_command(WITH_PATHS, "/home/me", RAN, place) == f"batchrun run {command}"


def test_a_scenario_is_a_path_or_a_name() -> None:
    """As `run` itself tells them apart."""
    place = replace(BESIDE, is_absolute=True)
    for given, shown in (("rough", "rough"), ("bad.toml", "/home/me/data/bad.toml")):
        args = ["run", "jobs.jsonl", "--simulate", "--scenario", given]
        command = resume_command(args, "/home/me/data", RAN, place)
        assert command == f"batchrun run {RAN} --simulate --scenario {shown}"


def test_a_run_that_told_no_directory_keeps_its_paths_as_they_were_typed() -> None:
    """An older version's; whoever stands where it stood has no trouble with it."""
    args = ["run", "jobs.jsonl", "--key-file", "k"]
    assert resume_command(args, "", RAN, BESIDE) == f"batchrun run {RAN} --key-file k"


@pytest.mark.parametrize(
    ("cwd", "path", "meant"),
    [("/a/b", "../c", "/a/c"), ("/a/b", "/c/../d", "/c/../d"), ("/a/b", "c/../d", "/a/b/c/../d"), ("/a", "x", "/a/x")],
)
def test_a_way_up_is_taken_only_where_no_link_can_be(cwd: str, path: str, meant: str) -> None:
    """The directory of a process has no links in its name; what a user typed may have."""
    assert reached(cwd, path) == meant


def test_the_flags_of_a_request_are_read_back() -> None:
    """What a line that says nothing was given."""
    args = ["run", "j", "--model", "m", "--max-tokens=9", "--backend", "ollama"]
    assert request_flags(args) == RequestFlags("m", 9, "ollama")
    assert request_flags([]) == RequestFlags()


def test_paths_are_kept_as_they_are_and_all_else_is_masked() -> None:
    """A path with a piece struck out would lead nowhere; a command without its key is still legible."""
    args = ["run", "jobs.jsonl", "--key-file", "/site/key", "--state=/site/x", "--each", "echo site", "--model=site"]
    kept = discreet(args, lambda text: text.replace("site", "***"))
    assert kept == [
        "run",
        "jobs.jsonl",
        "--key-file",
        "/site/key",
        "--state=/site/x",
        "--each",
        "echo ***",
        "--model=***",
    ]
