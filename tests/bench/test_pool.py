"""`bench pool` tells how many connections were really made, and when."""

from __future__ import annotations

from dataclasses import asdict

from batchrun.bench.endpoint import Endpoint
from batchrun.bench.pool import CLIENTS, PoolComparison, PoolPlan, pool_comparison
from batchrun.bench.pool_worker import measure

PLAN = PoolPlan(requests=12, concurrency=3, prewarm=3, tokens=2, rounds=1)


async def measured(endpoint: Endpoint) -> PoolComparison:
    plan = asdict(PLAN)
    told = {
        client: [await measure({"endpoint": asdict(endpoint), "plan": plan, "client": client, "round": 0})]
        for client in CLIENTS
    }
    return pool_comparison(endpoint, PLAN, told)


async def test_a_connection_each_a_pool_and_one_made_beforehand(instant: Endpoint) -> None:
    """As many connections as requests, no more than were asked at once, and none that was made beforehand."""
    figures = await measured(instant)
    each, pool, prewarmed = figures.clients
    assert [(client.requests, client.failed) for client in figures.clients] == [(12, 0)] * 3
    assert (each.connections, each.prewarmed) == (12, 0)
    assert 1 <= pool.connections <= 3
    assert pool.prewarmed == 0
    assert 1 <= prewarmed.prewarmed <= 3
    assert prewarmed.connections <= 3 - prewarmed.prewarmed
    assert figures.counted_by == "the embedded provider"


async def test_the_figures_are_of_this_run_and_pre_warming_is_in_none_of_them(instant: Endpoint) -> None:
    """The ratio is of the two figures beside it; only the client that warms up has a time for that."""
    figures = await measured(instant)
    each, pool, prewarmed = figures.clients
    assert each.cpu_a_request
    assert pool.cpu_a_request
    assert figures.cpu_ratio == pool.cpu_a_request / each.cpu_a_request
    assert (each.prewarm_seconds, pool.prewarm_seconds) == (None, None)
    assert prewarmed.prewarm_seconds
    for client in figures.clients:
        assert client.first_byte is not None
        assert client.total is not None
        assert client.first_byte.n == client.total.n == 12
        assert 0 < client.first_byte.mean <= client.total.mean
        assert client.first_wave


async def test_on_a_real_endpoint_the_client_counts_its_connections(paid: Endpoint) -> None:
    """And stops where the money ends."""
    figures = await measured(paid)
    assert figures.counted_by == "the client"
    assert figures.clients[0].connections == figures.clients[0].requests > 0
    assert figures.spent_usd <= 3 * 0.005
