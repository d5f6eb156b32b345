"""What the documents tell to type, to open and to follow is there: commands with their flags, files, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from batchrun.cli.app import app_for
from batchrun.gate.law import LimitedBy
from tests.house.tree import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
OUTPUT = re.compile(r"^```text$.*?^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```.*?^```$|(?:^ {4}[^\n]*\n?)+", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACE = re.compile(r"(?:batchrun|tests|docs|tools)/[\w/.-]*\w\.(?:py|md|toml)")


def commands() -> dict[tuple[str, ...], set[str]]:
    """By the words that name it: the flags of each command and group."""
    found: dict[tuple[str, ...], set[str]] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        params = command.get_params(typer.Context(command))
        found[words] = {flag for param in params for flag in (*param.opts, *param.secondary_opts)}
        for name, each in getattr(command, "commands", {}).items():
            walk(each, (*words, name))

    walk(get_command(app_for(())), ())
    return found


COMMANDS = commands()
FLAGS = {flag for flags in COMMANDS.values() for flag in flags}


def code_of(document: Path) -> Iterator[str]:
    """Blocks, but for what a program prints, and spans."""
    text = OUTPUT.sub("", document.read_text(encoding="utf-8"))
    yield from (block.replace("\\\n", " ") for block in BLOCK.findall(text))
    yield from (span.replace("\n", " ") for span in SPAN.findall(BLOCK.sub("", text)))


def typed(code: str) -> Iterator[list[str]]:
    """The words behind `batchrun`, where it stands as a command."""
    for line in code.splitlines():
        words = _words(line)
        for place, word in enumerate(words):
            if word.rpartition("/")[2] == "batchrun":
                yield words[place + 1 :]
                break


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # prose with an apostrophe
        return line.split()


def command_in(words: Sequence[str]) -> tuple[str, ...]:
    name = tuple(words[:2])
    while name not in COMMANDS:
        name = name[:-1]
    return name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_line_is_one_that_the_program_takes(document: Path) -> None:
    """Its command is there, and so is each of its flags."""
    wrong = [
        f"batchrun {' '.join(words)}"
        for code in code_of(document)
        for words in typed(code)
        if words and (not is_known(words) or not flags_in(words) <= COMMANDS[command_in(words)] | {"--help"})
    ]
    assert wrong == []


def is_known(words: Sequence[str]) -> bool:
    return words[0].startswith("-") or not words[0].isalpha() or words[0].isupper() or command_in(words) != ()


def flags_in(words: Sequence[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if FLAG.match(word)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_flag_that_is_named_is_one_of_the_program(document: Path) -> None:
    """Of whichever command."""
    named = {flag for code in code_of(document) for flag in FLAG.findall(code)}
    assert named - FLAGS == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(document: Path) -> None:
    """Links lead somewhere, to a heading too; modules and tests go by their path."""
    text = document.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link]
    gone = [link for link in links if not _leads_somewhere(document, link)]
    gone += [place for place in PLACE.findall(text) if not (ROOT / place).exists()]
    assert gone == []


def test_the_guide_says_of_each_limit_what_can_be_done() -> None:
    """They are the words of status, report and telemetry."""
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    table = guide[guide.index("| `limited_by` |") :].partition("\n\n")[0]
    named = [word for row in table.splitlines()[2:] for word in SPAN.findall(row.split("|")[1])]
    assert sorted(named) == sorted(LimitedBy)


def _leads_somewhere(document: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = document.parent / path if path else document
    return target.exists() and (not heading or heading in _headings(target))


def _headings(document: Path) -> set[str]:
    lines = document.read_text(encoding="utf-8").splitlines()
    titles = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}
