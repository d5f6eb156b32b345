"""The arguments with which a run was called: read back, and put together for the next one. Pure.

Only what a command to copy needs is known of them: which take no value, which are paths, which held for one run alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

import orjson

from batchrun.jobs.job import RequestFlags

# Those of `run` that stand alone; every other takes a value.
FLAGS = frozenset({"--stream", "--no-stream", "--insecure-http", "--simulate", "--quiet", "--json"})
PATHS = frozenset({"--state", "--key-file", "--log", "--scenario", "--out-dir"})
# What held for one run only, or would keep a person from seeing anything. The state is told by who found it.
_NOT_CARRIED_ON = frozenset({"--limit", "--only", "--quiet", "--json", "--state"})
_SCENARIO_FILES = (".toml", ".json")  # any other word is the name of a scenario


class Option(NamedTuple):
    """An option as it was given; `value` is None where it takes none."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reader stands, what is looked at, and what a command is called there. Paths are absolute; `state` is
    None where it lies beside the job file; `is_absolute` is whether the reader named the job file so."""

    here: str
    jobs: str
    state: str | None
    is_absolute: bool
    program: str


def options_of(args: Sequence[str], cwd: str, jobs: str) -> Iterator[Option]:
    """The options of a run in their order, without the job file.

    Args:
        args: as they were given, the word `run` included. cwd: where they were given, "" where nobody knows.
        jobs: the job file of that run, absolute.
    """
    rest = list(args[1:] if args[:1] == ["run"] else args)
    while rest:
        word = rest.pop(0)
        name, sign, value = word.partition("=")
        if not word.startswith("-"):
            continue
        if sign or name in FLAGS:
            yield Option(name, value if sign else None)
        elif rest and not (name not in PATHS and _is_jobs(rest[0], cwd, jobs)):
            yield Option(name, rest.pop(0))
        else:
            yield Option(name, None)  # of a later version, before the job file


def discreet(args: Sequence[str], mask: Callable[[str], str]) -> list[str]:
    """The arguments as they may be kept and shown: what is no path passes `mask`, which strikes out secrets. A path is
    needed as it is, or nothing is found by it."""
    kept: list[str] = []
    for word in args:
        name, sign, value = word.partition("=")
        if kept and kept[-1] in PATHS:
            kept.append(word)
        elif word.startswith("--") and sign:
            kept.append(word if name in PATHS else f"{name}={mask(value)}")
        else:
            kept.append(mask(word))
    return kept


def request_flags(args: Sequence[str]) -> RequestFlags:
    """What a run's arguments gave to lines that say nothing themselves; not what its settings file gave."""
    given = {option.name: option.value for option in options_of(args, "", "")}
    limit = given.get("--max-tokens") or ""
    backend = given.get("--backend") or RequestFlags().backend
    stop_when = _object(given.get("--stop-when"))
    return RequestFlags(given.get("--model"), int(limit) if limit.isdecimal() else None, backend, stop_when)


def resume_command(args: Sequence[str], cwd: str, ran: str, place: Place, *, is_over: bool = False) -> str:
    """What to type to go on, quoted for a shell, right from where the reader stands: its paths are relative together
    or absolute together. `ran` is the job file as the run knew it, absolute; `is_over` tells that the run came to the
    end of its items: what it asked again on purpose is not asked once more."""
    left_out = _NOT_CARRIED_ON | ({"--retry"} if is_over else set())
    kept = [option for option in options_of(args, cwd, ran) if option.name not in left_out]
    if place.state is not None:
        kept.insert(0, Option("--state", place.state))
    paths = {option: reached(cwd, option.value or "") for option in kept if _is_path(option)}
    # An absolute path that was typed as one stays so in either case.
    free = [path for option, path in paths.items() if option.name == "--state" or not _is_absolute(option.value)]
    is_absolute = place.is_absolute or not all(_is_below(path, place.here) for path in [place.jobs, *free])
    words = [_seen(place.jobs, place.here, is_absolute)]
    for option in kept:
        value = option.value
        if option in paths and cwd:
            typed_so = option.name != "--state" and _is_absolute(value)
            value = _seen(paths[option], place.here, is_absolute or typed_so)
        words += [option.name] if value is None else [option.name, value]
    return f"{place.program} run {shlex.join(words)}"


def reached(cwd: str, path: str) -> str:
    """A path as it was meant in `cwd`. A leading `..` is resolved, for `cwd` has no links in it; no other is."""
    place, parts = PurePath(cwd), list(PurePath(path).parts)
    while cwd and parts[:1] == [".."]:
        place, parts = place.parent, parts[1:]
    return str(place.joinpath(*parts))


def _object(text: str | None) -> dict[str, Any] | None:
    try:
        value = None if text is None else orjson.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_jobs(word: str, cwd: str, jobs: str) -> bool:
    return str(PurePath(cwd, word)) == jobs or (not cwd and PurePath(word).name == PurePath(jobs).name)


def _is_path(option: Option) -> bool:
    if option.value is None or option.name not in PATHS:
        return False
    return option.name != "--scenario" or option.value.endswith(_SCENARIO_FILES)


def _is_absolute(path: str | None) -> bool:
    return path is not None and PurePath(path).is_absolute()


def _is_below(path: str, here: str) -> bool:
    # From the root every path would be relative, and none would look like one.
    return PurePath(here) != PurePath("/") and PurePath(path).is_relative_to(here)


def _seen(path: str, here: str, is_absolute: bool) -> str:
    return path if is_absolute or not PurePath(path).is_relative_to(here) else str(PurePath(path).relative_to(here))
