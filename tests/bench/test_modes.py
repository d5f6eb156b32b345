"""`bench modes` compares what can be compared, in one run, and says what cannot."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from batchrun.bench.endpoint import EMBEDDED, Endpoint
from batchrun.bench.modes import ModesFigures, ModesPlan, modes_figures
from batchrun.bench.modes_worker import is_streamed, measure
from batchrun.simulator.process import start_simulator

PLAN = ModesPlan(iterations=6, concurrency=3, stream_ratio=0.5, tokens=4)


async def measured(endpoint: Endpoint, plan: ModesPlan = PLAN) -> ModesFigures:
    told = await measure({"endpoint": asdict(endpoint), "plan": asdict(plan)})
    return modes_figures(endpoint, plan, told)


async def test_both_modes_are_asked_the_same_and_their_ratio_is_of_this_run(instant: Endpoint) -> None:
    """Every request is answered in both modes; the ratio is that of the two figures beside it."""
    figures = await measured(instant)
    streaming, whole, mixed = figures.modes
    assert [mode.mode for mode in figures.modes] == ["streaming", "non-streaming", "mixed"]
    assert [(mode.requests, mode.succeeded, mode.failed) for mode in figures.modes] == [(6, 6, 0)] * 3
    assert streaming.tokens == whole.tokens
    assert figures.paired_requests == 6
    assert streaming.cpu_a_request
    assert whole.cpu_a_request
    assert figures.cpu_ratio == streaming.cpu_a_request / whole.cpu_a_request
    assert mixed.total is not None
    assert mixed.total.n == 6


async def test_a_whole_document_has_no_first_token(instant: Endpoint) -> None:
    """Its TTFT is marked as not applicable and is never 0; that of mixed traffic is that of its streams."""
    streaming, whole, mixed = (await measured(instant)).modes
    assert (whole.ttft_applies, whole.ttft) == (False, None)
    assert (streaming.ttft_applies, mixed.ttft_applies) == (True, True)
    assert streaming.ttft is not None
    assert mixed.ttft is not None
    assert (streaming.ttft.n, mixed.ttft.n) == (6, 3)
    assert streaming.ttft.mean > 0


async def test_mixed_traffic_without_streams_has_no_first_token_either(instant: Endpoint) -> None:
    """With --stream-ratio 0 nothing is made up."""
    *_, mixed = (await measured(instant, ModesPlan(3, 3, 0.0, 4))).modes
    assert (mixed.ttft_applies, mixed.ttft) == (False, None)


async def test_failures_are_counted_and_are_in_no_time(tmp_path: Path) -> None:
    """A refusal that comes at once would make a mode look fast."""
    scenario = tmp_path / "half.toml"
    scenario.write_text("rate_500 = 0.5\nttft = 0\ntokens_per_second = 0\n")
    with start_simulator(str(scenario), seed=1) as server:
        figures = await measured(EMBEDDED.at(server.base_url), ModesPlan(12, 3, 0.5, 4))
    assert sum(mode.failed for mode in figures.modes) > 0
    for mode in figures.modes:
        assert mode.requests == mode.succeeded + mode.failed == 12
        assert mode.causes == ({"server_error": mode.failed} if mode.failed else {})
        assert (mode.total.n if mode.total else 0) == mode.succeeded
    assert figures.paired_requests <= min(mode.succeeded for mode in figures.modes[:2])


async def test_a_budget_ends_the_bench_and_is_not_passed(paid: Endpoint) -> None:
    """What fits is asked and told; the rest is not asked."""
    figures = await measured(paid, ModesPlan(20, 2, 0.5, 4))
    assert figures.is_budget_used_up
    assert 0 < figures.spent_usd <= 0.005
    assert 0 < sum(mode.requests for mode in figures.modes) < 60


@pytest.mark.parametrize(("share", "streams"), [(0.0, 0), (0.7, 70), (0.25, 25), (1.0, 100)])
def test_the_share_of_streams_holds_in_every_stretch(share: float, streams: int) -> None:
    """Of a hundred requests exactly so many are streams, of any ten at most one more or less."""
    asked = [is_streamed(number, share) for number in range(100)]
    assert sum(asked) == streams
    assert all(abs(sum(asked[first : first + 10]) - 10 * share) <= 1 for first in range(90))
