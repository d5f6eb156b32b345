"""Options that several benches share, and whom they ask by them: an endpoint that costs money only within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from batchrun.bench.endpoint import Endpoint
    from batchrun.prices.bill import Rates

PAID = "On a real endpoint"


def _paid(help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=PAID, show_default=False, **more)


BaseUrl = Annotated[str | None, _paid("Ask it instead of the embedded provider; needs --budget.", metavar="URL")]
Kind = Annotated[Literal["anthropic", "openai"], _paid("How it is asked. (default: anthropic)")]
Model = Annotated[str | None, _paid("Which model. (default: claude-haiku-5-5)", metavar="ID")]
KeyFile = Annotated[Path | None, _paid("A file that holds the key, mode 0600.", metavar="FILE")]
KeyEnv = Annotated[str | None, _paid("The variable that holds the key.", metavar="NAME")]
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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Scenario = Annotated[
    str, typer.Option(help="What the embedded provider plays: calm, rough, storm, instant, or a file.")
]


def endpoint_by(
    base_url: str | None,
    kind: str,
    model: str | None,
    key: tuple[Path | None, str | None],
    budget: float | None,
    price: float | None,
) -> Endpoint:
    """Whom to ask; `key` is its file and its variable.

    Raises:
        UsageError: a real endpoint without a budget or a known price, or a budget with nothing to spend it on.
    """
    from batchrun.bench.endpoint import EMBEDDED, Endpoint
    from batchrun.errors import UsageError
    from batchrun.jobs.job import DEFAULT_MODEL

    key_file, key_env = key
    if base_url is None:
        alone = {"--budget": budget, "--usd-per-mtok": price, "--key-file": key_file, "--key-env": key_env}
        named = [name for name, value in alone.items() if value is not None]
        if named:
            raise UsageError(f"{named[0]} needs --base-url; without one the embedded provider is asked, which is free")
        return EMBEDDED if model is None else Endpoint(model=model)
    if budget is None:
        raise UsageError(f"asking {base_url} may cost money; add --budget USD. Nothing was sent")
    if kind == "openai" and model is None:
        raise UsageError("a chat completions endpoint has no default model; add --model ID")
    asked = model or DEFAULT_MODEL
    return Endpoint(
        base_url=base_url,
        is_embedded=False,
        kind=kind,
        key_file=None if key_file is None else str(key_file.expanduser().absolute()),
        key_env=key_env,
        model=asked,
        budget_usd=budget,
        rates=_rates(base_url, kind, asked, price),
    )


def _rates(base_url: str, kind: str, model: str, price: float | None) -> Rates:
    from batchrun.bench.price import known_rates
    from batchrun.errors import UsageError
    from batchrun.prices.bill import Rates

    if price is not None:
        return Rates(price, price)
    rates = known_rates(base_url, kind, model)
    if rates is None:
        remedy = f'add --usd-per-mtok USD, or write [prices."{model}"] into batchrun.toml'
        raise UsageError(f"no price is known for {model!r} at {base_url}; {remedy}. Nothing was sent")
    return rates
