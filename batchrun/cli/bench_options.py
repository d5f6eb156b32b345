"""Options that several benches share, and whom they ask by them: who costs money is asked only within a budget."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from batchrun.settings import flag_of

if TYPE_CHECKING:
    from batchrun.bench.endpoint import Endpoint
    from batchrun.prices.bill import Rates

PAID = "On a real endpoint"


def _paid(help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=PAID, show_default=False, **more)


Backend = Annotated[
    str | None, _paid("Ask this backend of batchrun.toml, as a run here would; needs --budget.", metavar="NAME")
]
BaseUrl = Annotated[str | None, _paid("Ask it instead of the embedded provider; needs --budget.", metavar="URL")]
Kind = Annotated[Literal["anthropic", "openai"] | None, _paid("How the URL is asked. (default: anthropic)")]
Model = Annotated[str | None, _paid("Which model. (default: that of the backend, else claude-haiku-5-5)", metavar="ID")]
KeyFile = Annotated[Path | None, _paid("A file that holds the key for the URL, mode 0600.", metavar="FILE")]
KeyEnv = Annotated[str | None, _paid("The variable that holds the key for the URL.", metavar="NAME")]
Budget = Annotated[float | None, _paid("Spend no more than this.", metavar="USD", min=0)]
Price = Annotated[
    float | None,
    _paid(
        "USD a million tokens, input and output alike. (default: the model's known price)",
        "--usd-per-mtok",
        metavar="USD",
        min=0,
    ),
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object.")]
Scenario = Annotated[
    str, typer.Option(help="What the embedded provider plays: calm, rough, storm, instant, or a file.")
]


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Whom a bench asks, as its options have it."""

    backend: Backend = None
    base_url: BaseUrl = None
    kind: Kind = None
    model: Model = None
    key_file: KeyFile = None
    key_env: KeyEnv = None
    budget: Budget = None
    usd_per_mtok: Price = None

    def first(self, *names: str) -> str | None:
        """The first of these options that was given, as it is written."""
        return next((flag_of(name) for name in names if getattr(self, name) is not None), None)


EMBEDDED = EndpointOptions()


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """A bench with the options that make up its parameter `asked` in the place of it. Typer reads options off the
    signature alone, and three benches would have to spell these eight."""
    own, shared = (
        inspect.signature(command, eval_str=True),
        inspect.signature(EndpointOptions, eval_str=True).parameters,
    )
    place = [*own.parameters].index("asked")
    parameters = [*own.parameters.values()]
    parameters[place : place + 1] = shared.values()

    @wraps(command)
    def expanded(**given: Any) -> None:
        asked = EndpointOptions(**{name: given.pop(name) for name in shared})
        command(asked=asked, **given)

    expanded.__annotations__ = {each.name: each.annotation for each in parameters}
    expanded.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # what `inspect` looks for
    return expanded


def endpoint_by(asked: EndpointOptions) -> Endpoint:
    """Whom to ask.

    Raises:
        UsageError: a real endpoint without a budget or a known price, or options that mean nothing together.
        ConfigError: no such backend, or a settings file that cannot be used.
    """
    from batchrun.bench.endpoint import Endpoint
    from batchrun.errors import UsageError

    if asked.base_url is None and asked.backend is None:
        if alone := asked.first("budget", "usd_per_mtok", "kind", "key_file", "key_env"):
            raise UsageError(f"{alone} needs --base-url; without one the embedded provider is asked, which is free")
        return Endpoint() if asked.model is None else Endpoint(model=asked.model)
    who = asked.base_url or f"the backend {asked.backend}"
    if asked.budget is None:
        raise UsageError(f"asking {who} may cost money; add --budget USD. Nothing was sent")
    endpoint = _at_url(asked, asked.base_url) if asked.backend is None else _by_name(asked, asked.backend)
    return replace(endpoint, budget_usd=asked.budget, rates=_rates(endpoint, asked.usd_per_mtok))


def _at_url(asked: EndpointOptions, base_url: str | None) -> Endpoint:
    from batchrun.backends import DEFAULT, limit_field_at
    from batchrun.bench.endpoint import Endpoint
    from batchrun.errors import UsageError
    from batchrun.jobs.job import DEFAULT_MODEL
    from batchrun.providers.provider import BackendConfig

    kind = asked.kind or "anthropic"
    if kind == "openai" and asked.model is None:
        raise UsageError("a chat completions endpoint has no default model; add --model ID")
    # As with `run --base-url`: a URL of the Messages API is where Claude is asked, and the key goes along.
    is_claude = kind == "anthropic"
    backend = BackendConfig(
        name=DEFAULT if is_claude else "bench",
        kind=kind,
        base_url=base_url,
        key_file=None if asked.key_file is None else asked.key_file.expanduser().absolute(),
        key_env=asked.key_env,
        claudes_key=is_claude,
    )
    return Endpoint(backend, asked.model or DEFAULT_MODEL, limit_field_at(kind, base_url))


def _by_name(asked: EndpointOptions, name: str) -> Endpoint:
    """As a run in this directory would ask it."""
    from batchrun.bench.endpoint import Endpoint
    from batchrun.config import resolve
    from batchrun.errors import UsageError
    from batchrun.jobs.job import DEFAULT_MODEL

    if beside := asked.first("base_url", "kind", "key_file", "key_env"):
        raise UsageError(f"{beside} and --backend contradict each other: a backend says in its table how it is asked")
    found = resolve(Path("jobs.jsonl"), {"backend": name, "model": asked.model}).backends[name]
    model = found.provider.model or (DEFAULT_MODEL if found.provider.kind == "anthropic" else None)
    if model is None:
        raise UsageError(f"the backend {name} names no model; add --model ID")
    return Endpoint(found.provider, model, found.limit_field)


def _rates(endpoint: Endpoint, price: float | None) -> Rates:
    from batchrun.backends import ANTHROPIC
    from batchrun.bench.price import known_rates
    from batchrun.errors import UsageError
    from batchrun.prices.bill import Rates

    if price is not None:
        return Rates(price, price)
    where = endpoint.base_url or ANTHROPIC
    rates = known_rates(where, endpoint.backend.kind, endpoint.model)
    if rates is None:
        remedy = f'add --usd-per-mtok USD, or write [prices."{endpoint.model}"] into batchrun.toml'
        raise UsageError(f"no price is known for {endpoint.model!r} at {where}; {remedy}. Nothing was sent")
    return rates
