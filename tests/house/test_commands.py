"""Commands are plain functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.main import get_command

from batchrun.cli.app import COMMANDS, app_for


def callbacks(application: typer.Typer) -> Iterator[Callable[..., Any]]:
    """Whatever Typer will call: commands, those of groups, and what runs before a command."""
    registered = [*application.registered_commands, application.registered_callback]
    yield from (info.callback for info in registered if info and info.callback)
    for group in application.registered_groups:
        if group.typer_instance:
            yield from callbacks(group.typer_instance)


def below(command: Any) -> Iterator[Any]:
    """The commands of a group, and theirs."""
    for each in getattr(command, "commands", {}).values():
        yield each
        yield from below(each)


def test_no_command_is_a_coroutine() -> None:
    """Typer accepts an `async def` command, never awaits it, and exits 0."""
    found = list(callbacks(app_for(())))
    assert {"report", "run", "status"} <= {command.__name__ for command in found}
    assert [command.__name__ for command in found if inspect.iscoroutinefunction(command)] == []


def test_each_command_says_what_it_is_for() -> None:
    """The docstring of a command is its help."""
    assert [command.__name__ for command in callbacks(app_for(())) if not command.__doc__] == []


def test_a_switch_looks_like_one() -> None:
    """What takes no value shows no place for one; `--help` too."""
    root = get_command(app_for(()))
    showing = [
        f"{command.name} {option.opts[0]}"
        for command in (root, *below(root))
        for option in command.get_params(typer.Context(command))
        if getattr(option, "is_flag", False) and option.metavar != ""
    ]
    assert showing == []


def test_who_names_a_command_gets_that_one_alone() -> None:
    """Typer and the modules of all the others would cost `status` a tenth of a second; a misspelt name meets all."""
    for name in COMMANDS:
        app = app_for((name, "jobs.jsonl"))
        assert len(app.registered_commands) + len(app.registered_groups) == 1
    assert len(list(callbacks(app_for(("statsu",))))) == len(list(callbacks(app_for(())))) > len(COMMANDS)
