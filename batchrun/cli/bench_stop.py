"""`batchrun bench stop`: its options and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import causes, milliseconds, print_table, require_answers, say, say_spending, told

if TYPE_CHECKING:
    from batchrun.bench.stop import StopComparison, StopFigures

HEAD = ("items", "n", "failed", "tokens", "at the rule", "events sent", "seconds", "CPU ms/request")
RULE = '{"min_tokens": 40, "sentence_end": true}'


@options.asking
def stop(
    items: Annotated[int, typer.Option(min=1, help="Asked whole and stopped, each.")] = 40,
    concurrency: Annotated[int, typer.Option(min=1, help="How many at once.")] = 10,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of each request.")] = 400,
    stop_when: Annotated[str, typer.Option(help="The rule, as a job line has it.", metavar="JSON")] = RULE,
    asked: options.EndpointOptions = options.EMBEDDED,
    json: options.Json = False,
) -> None:
    """Early termination: tokens of items that a rule stops, against max_tokens and against whole answers."""
    from dataclasses import asdict

    from batchrun.bench.stop import StopPlan, measure_stop
    from batchrun.cli.terminal import print_json

    endpoint = options.endpoint_by(asked)
    figures = measure_stop(endpoint, StopPlan(items, concurrency, max_tokens, _rule(stop_when)))
    if json:
        print_json({"schema": "batchrun.bench.stop/1", **asdict(figures)})
    else:
        print_stop(figures, endpoint.is_embedded)
    require_answers(sum(kind.items - kind.failed for kind in figures.kinds))


def _rule(text: str) -> dict[str, Any]:
    import orjson

    from batchrun.errors import UsageError
    from batchrun.stream.stop_rule import BadStopWhen, parse_stop_when

    try:
        rule: dict[str, Any] = orjson.loads(text)
        parse_stop_when(rule)
    except orjson.JSONDecodeError as exc:
        raise UsageError(f"--stop-when: not JSON ({exc.msg}); write it as in {RULE}") from exc
    except BadStopWhen as exc:
        raise UsageError(f"--stop-when: {exc}") from exc
    return rule


def print_stop(figures: StopComparison, is_embedded: bool) -> None:
    """The table, and what it does not say by itself."""
    whole, stopped = figures.kinds
    plan = figures.plan
    say(f"{figures.endpoint}: {plan.items} items, {plan.concurrency} at once, each asked whole and stopped by the rule")
    say(f"{dict(plan.stop_when)}; means an item")
    say()
    print_table(HEAD, [_row(whole), _row(stopped)])
    say()
    used = stopped.tokens
    say(f"used: ~{told(used, '.1f')} tokens an item, whole answers {told(whole.tokens, '.1f')}")
    say(f"saved, against the mean of whole answers: {_saved(used, whole.tokens, figures.saved_of_whole)}")
    say(
        f"saved, against max_tokens {plan.max_tokens}: {_saved(used, plan.max_tokens, figures.saved_of_max_tokens)}, "
        f"of which whole answers leave {told(figures.whole_below_max_tokens, '.0%')} unused anyway"
    )
    say(
        f"~: a stopped item is never told its usage; its tokens are reckoned at the "
        f"{told(figures.characters_a_token, '.1f')} characters a token of the whole answers"
    )
    if is_embedded:
        say(
            "events sent: until the embedded provider noticed the end, one a token and a few round them; a real one may"
        )
        say("bill more than that")
    requests = whole.items + stopped.items
    say(f"{figures.connections} connections were made for {requests} requests: a stopped stream closes its own")
    for one in figures.kinds:
        if one.causes:
            say(f"{one.kind}: failed: {causes(one.causes)}")
    say_spending(figures.spent_usd, figures.is_budget_used_up, is_embedded)


def _saved(used: float | None, of: float | None, share: float | None) -> str:
    tokens = None if used is None or of is None else of - used
    return f"~{told(tokens, '.1f')} tokens an item ({told(share, '.0%')})"


def _row(figures: StopFigures) -> tuple[str, ...]:
    mark = "~" if figures.is_estimated else ""
    return (
        figures.kind,
        str(figures.items),
        str(figures.failed),
        mark + told(figures.tokens, ".1f"),
        mark + told(figures.at_rule, ".1f"),
        told(figures.events_sent, ".1f"),
        told(figures.total, ".2f"),
        milliseconds(figures.cpu_a_request),
    )
