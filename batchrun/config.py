"""Flags, environment and batchrun.toml resolved once into one frozen `RunConfig`. Nothing else reads options.

A flag wins over the environment (`BATCHRUN_*`), the environment over the file, the file over the default. What stands
in the file is read in `config_file.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

from batchrun.backends import Backend, Choice, build_backends, for_chat_lines
from batchrun.config_file import read_file
from batchrun.curfew import MaxFailures
from batchrun.errors import ConfigError
from batchrun.gate import laws
from batchrun.jobs.job import DEFAULT_MODEL, RequestFlags
from batchrun.jobs.reader import Selection
from batchrun.outcome import Status
from batchrun.prices.bill import Rates
from batchrun.retry import RetryPolicy
from batchrun.settings import SETTINGS, Given, flag_of, nearest, read_given, variable_of
from batchrun.simulator.scenario import Scenario
from batchrun.sinks.config import TIME_LIMIT, SinkConfig
from batchrun.sorter import Changed
from batchrun.stream.pipe import DEFAULT_SIZE
from batchrun.whereabouts import find_file

PREFIX = "BATCHRUN_"
# What a run tells those whom it starts (with BATCHRUN_MODEL, a setting as well), and the seeds of the long tests: both
# may start batchrun in their turn.
NOT_SETTINGS = frozenset({"BATCHRUN_ID", "BATCHRUN_STATUS", "BATCHRUN_WEBHOOK_SECRET"})
NOT_OURS = "BATCHRUN_SOAK_"


@dataclass(frozen=True, slots=True)
class RunConfig:
    """All that a run needs to know. Times are seconds. `state` None: beside the job file; `prices` are the user's own,
    by model; `max_cost` is in US dollars."""

    jobs: Path
    state: Path | None
    flags: RequestFlags
    backends: Mapping[str, Backend]
    retry: RetryPolicy
    prewarm: int
    sinks: SinkConfig
    buffer: int
    stop_when: Mapping[str, Any] | None
    selection: Selection
    law: str
    period: float
    drain_timeout: float
    give_up: float
    stream: bool
    simulate: bool
    scenario: str | None
    quiet: bool
    json: bool
    log: Path | None
    accept: frozenset[Status]
    deadline: time | None
    max_time: float | None
    max_failures: MaxFailures | None
    changed: Changed
    again: frozenset[str]
    prices: Mapping[str, Rates]
    max_cost: float | None
    max_tokens_total: int | None


def resolve(jobs: Path, given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> RunConfig:
    """Resolve all options of a run.

    Args:
        given: what stood on the command line, by setting name; None or missing where nothing was given.

    Raises:
        UsageError, ConfigError: a value that cannot be, with where it stands and what to write.
    """
    environment = os.environ if environment is None else environment
    file = read_file(find_file(jobs, environment))
    variables, flags = _variables(environment), _flags(given)
    found = file.general | variables | flags
    _check(found)
    values = {name: each.value for name, each in found.items()}
    choice = Choice(found.get("backend"), (file.general | variables).get("backend"))
    known = build_backends(file.backends, file.general, variables, flags, choice)
    requests, backends = _routed(_of_this_run(variables | flags, choice.name), known, values)
    retry = _retry(values)
    return RunConfig(
        jobs=jobs,
        state=values.get("state"),
        flags=requests,
        sinks=_sinks(jobs, values),
        buffer=values.get("buffer", DEFAULT_SIZE),
        stop_when=values.get("stop_when"),
        backends=backends,
        retry=retry,
        prewarm=values.get("prewarm", 0),
        selection=Selection(values.get("limit"), values.get("only", frozenset())),
        law=values.get("law", laws.DEFAULT),
        period=values.get("period", 2.0),
        drain_timeout=values.get("drain_timeout", 20.0),  # systemd kills at 90
        give_up=retry.longest_wait,
        stream=values.get("stream", True),
        simulate=values.get("simulate", False),
        scenario=values.get("scenario"),
        quiet=values.get("quiet", False),
        json=values.get("json", False),
        log=values.get("log"),
        accept=values.get("accept", frozenset()),
        deadline=values.get("deadline"),
        max_time=values.get("max_time"),
        max_failures=values.get("max_failures"),
        changed=values.get("changed", Changed.KEEP),
        again=values.get("retry", frozenset()),
        prices=MappingProxyType(file.prices),
        max_cost=values.get("max_cost"),
        max_tokens_total=values.get("max_tokens_total"),
    )


def _flags(given: Mapping[str, Any]) -> dict[str, Given]:
    return {
        name: read_given(SETTINGS[name].read, value, flag_of(name), is_flag=True)
        for name, value in given.items()
        if name in SETTINGS and value is not None and value != []
    }


def _variables(environment: Mapping[str, str]) -> dict[str, Given]:
    """Those that are set to something. One that is misspelt would be a setting that silently does nothing."""
    known = {variable_of(name): name for name in SETTINGS}
    found = {}
    for variable, text in environment.items():
        if not text or not variable.startswith(PREFIX) or variable.startswith(NOT_OURS):
            continue
        name = known.get(variable)
        if name is not None:
            found[name] = read_given(SETTINGS[name].read, text, variable)
        elif variable not in NOT_SETTINGS:
            meant = nearest(variable.removeprefix(PREFIX), SETTINGS)
            remedy = f"did you mean {variable_of(meant)}?" if meant else "unset it; `batchrun run --help` tells them"
            raise ConfigError(f"{variable}: no setting is called so; {remedy}")
    return found


def _retry(values: Mapping[str, Any]) -> RetryPolicy:
    """Nobody waits for longer than the run would go on without a finished item."""
    policy = RetryPolicy()
    return replace(
        policy,
        max_attempts=values.get("max_attempts", policy.max_attempts),
        longest_wait=values.get("give_up", policy.longest_wait),
    )


def _sinks(jobs: Path, values: Mapping[str, Any]) -> SinkConfig:
    return SinkConfig(
        directory=jobs.parent,
        functions=values.get("sink", ()),
        commands=values.get("each", ()),
        out_dir=values.get("out_dir"),
        webhooks=values.get("webhook", ()),
        insecure_http=values.get("insecure_http", False),
        parallel=values.get("each_parallel"),
        time_limit=values.get("sink_timeout", TIME_LIMIT),
    )


def _of_this_run(given: Mapping[str, Given], backend: str) -> RequestFlags:
    """What the command line or the environment asks. What a file says is a default: it yields to the backend's own
    table, and changing it makes no finished item another request."""
    values = {name: given[name].value for name in ("model", "max_tokens", "stop_when") if name in given}
    return RequestFlags(backend=backend, **values)


def _check(found: Mapping[str, Given]) -> None:
    """Whether options go together."""
    _check_simulation(found)
    _check_stop_when(found)


def _routed(
    requests: RequestFlags, backends: dict[str, Backend], values: Mapping[str, Any]
) -> tuple[RequestFlags, dict[str, Backend]]:
    """In a simulated run in which nobody was named, lines of chat completions go to somebody who speaks that."""
    if not values.get("simulate") or "backend" in values:
        return requests, backends
    model = None if requests.model else values.get("model", DEFAULT_MODEL)
    taker = for_chat_lines(backends, requests.backend, model)
    name = taker.provider.name
    return replace(requests, chat_backend=name), {**backends, name: taker}


def _check_stop_when(found: Mapping[str, Given]) -> None:
    stop_when, stream = found.get("stop_when"), found.get("stream")
    if stop_when is not None and stop_when.is_flag and stream is not None and not stream.value:
        raise stop_when.wrong("an answer that comes in one piece cannot be stopped; leave it out, or stream")


def _check_simulation(found: Mapping[str, Given]) -> None:
    """What contradicts itself on the command line is a slip; in a file or a variable it waits for its day."""
    is_simulated = "simulate" in found and found["simulate"].value
    base_url, scenario = found.get("base_url"), found.get("scenario")
    if is_simulated and base_url is not None and base_url.is_flag:
        raise base_url.wrong("a simulated run asks the embedded provider and nobody else; leave it or --simulate out")
    if scenario is None:
        return
    if not is_simulated:
        if scenario.is_flag:
            raise scenario.wrong("nothing that a real provider can play; add --simulate, or leave it out")
        return
    try:
        Scenario.load(scenario.value)
    except ConfigError as exc:
        raise scenario.wrong(str(exc)) from exc
