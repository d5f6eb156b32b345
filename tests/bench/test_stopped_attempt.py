"""An attempt that has heard enough closes its stream; one that has not, does not."""

from __future__ import annotations

import pytest

from batchrun.bench.asking import LIMITS, body_of, provider_for
from batchrun.bench.endpoint import Endpoint
from batchrun.bench.simulator_stats import SimulatorStats
from batchrun.bench.stopped_attempt import StoppedAnswer, stopped_attempt
from batchrun.failure import AttemptFailed
from batchrun.providers.provider import Request
from batchrun.stream.stop_rule import StopWhen


async def asked(endpoint: Endpoint, prompt: str, stop_when: StopWhen | None) -> StoppedAnswer:
    body = body_of(endpoint, 1, None, 500) | {"messages": [{"role": "user", "content": prompt}]}
    provider = provider_for(endpoint, 1)
    try:
        return await stopped_attempt(provider, Request(body), LIMITS, stop_when)
    finally:
        await provider.close()


async def test_the_stream_is_closed_where_the_rule_holds(quick: Endpoint) -> None:
    """The provider notices that its client is gone, and has sent only a part."""
    with SimulatorStats(quick.base_url) as stats:
        before = stats.read()
        answer = await asked(quick, "[[tokens=300]] x", StopWhen(max_chars=100))
        after = stats.read()
    assert (answer.rule, answer.tokens, answer.stopped_at) == ("max_chars", None, 100)
    assert answer.characters >= 100
    assert after["disconnects"] == before["disconnects"] + 1
    assert after["events_sent"] - before["events_sent"] < 300


async def test_without_a_rule_the_answer_is_whole(quick: Endpoint) -> None:
    """It has the provider's number of tokens, and its connection is not cut."""
    with SimulatorStats(quick.base_url) as stats:
        before = stats.read()
        answer = await asked(quick, "[[tokens=30]] x", None)
        after = stats.read()
    assert (answer.rule, answer.tokens, answer.stopped_at) == (None, 30, None)
    assert after["disconnects"] == before["disconnects"]


@pytest.mark.parametrize("fault", ["cut", "reset", "truncated"])
async def test_a_stream_that_breaks_is_a_failure_and_no_early_end(fault: str, quick: Endpoint) -> None:
    """Half an answer is not enough because it is all that came."""
    with pytest.raises(AttemptFailed):
        await asked(quick, f"[[tokens=50]] [[fault={fault}]] x", StopWhen(max_chars=10**6))
