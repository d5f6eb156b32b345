"""`bench pool`: what a kept connection saves, against one a request; and what connections made beforehand save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from batchrun.bench.endpoint import Endpoint, open_endpoint, share_of
from batchrun.bench.sample import answered, causes_of, samples_of
from batchrun.bench.statistics import Statistics, mean_of, ratio, statistics_of
from batchrun.bench.worker import Figures, client_core, run_worker

EACH, POOL, PREWARMED = "each its own", "pool", "pre-warmed pool"
CLIENTS = (EACH, POOL, PREWARMED)
SECONDS_A_REQUEST = 15.0  # the longest, for an endpoint may be slow
# The embedded provider's time to the first byte: long enough that requests do not queue for the client's own core, or
# that queue would be what is measured. The rest of an answer comes at once.
EMBEDDED_FIRST_BYTE = 0.05
PACE = ("--ttft", str(EMBEDDED_FIRST_BYTE), "--tokens-per-second", "0")


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """`requests` a client and round, `concurrency` of them at once; `prewarm` connections are made beforehand by the
    client that does so. Each client is a fresh process in each of the `rounds`, and their order is turned."""

    requests: int = 200
    concurrency: int = 10
    prewarm: int = 10
    tokens: int = 20
    rounds: int = 3

    @property
    def most_seconds(self) -> float:
        return (-(-self.requests // self.concurrency) + 2) * SECONDS_A_REQUEST


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """One way of connecting; seconds. `first_wave` is the mean time to the first byte of the requests that began before
    any had ended: they are what pre-warming is for. `connections` were made while it was measured, `prewarmed` before;
    `prewarm_seconds` is what that took, and is in no other figure."""

    client: str
    requests: int
    succeeded: int
    failed: int
    causes: dict[str, int]
    first_byte: Statistics | None
    first_wave: float | None
    total: Statistics | None
    connections: int
    prewarmed: int
    prewarm_seconds: float | None
    cpu_a_request: float | None


@dataclass(frozen=True, slots=True)
class PoolComparison:
    """All clients, over all rounds. `counted_by` says who counted the connections: the embedded provider, or the client
    itself where the endpoint is another. The ratio is that of the pool over a connection each."""

    endpoint: str
    plan: PoolPlan
    clients: tuple[PoolFigures, ...]
    counted_by: str
    cpu_ratio: float | None
    spent_usd: float
    is_budget_used_up: bool


def measure_pool(endpoint: Endpoint, plan: PoolPlan) -> PoolComparison:
    """Ask the same in each way, in every round.

    Raises:
        BatchrunError: a client did not end well.
    """
    told: dict[str, list[Figures]] = {client: [] for client in CLIENTS}
    workers, spent = plan.rounds * len(CLIENTS), 0.0
    with open_endpoint(endpoint, extra=PACE) as opened:
        for number in range(plan.rounds):
            for client in CLIENTS if number % 2 == 0 else reversed(CLIENTS):
                asked = share_of(opened, spent, workers - sum(map(len, told.values())))
                order = {"endpoint": asdict(asked), "plan": asdict(plan), "client": client, "round": number}
                core = client_core() if opened.is_embedded else None
                told[client].append(run_worker("pool_worker", order, plan.most_seconds, core))
                spent += told[client][-1]["spent_usd"]
    return pool_comparison(endpoint, plan, told)


def pool_comparison(endpoint: Endpoint, plan: PoolPlan, told: Mapping[str, Sequence[Figures]]) -> PoolComparison:
    """The figures in what the workers told, by client and round."""
    each, pool, prewarmed = (_pool_figures(client, told[client]) for client in CLIENTS)
    rounds = [one for client in CLIENTS for one in told[client]]
    return PoolComparison(
        endpoint=endpoint.name,
        plan=plan,
        clients=(each, pool, prewarmed),
        counted_by="the embedded provider" if endpoint.is_embedded else "the client",
        cpu_ratio=ratio(pool.cpu_a_request, each.cpu_a_request) if pool.succeeded and each.succeeded else None,
        spent_usd=sum(one["spent_usd"] for one in rounds),
        is_budget_used_up=any(one["is_budget_used_up"] for one in rounds),
    )


def _pool_figures(client: str, told: Sequence[Figures]) -> PoolFigures:
    samples = samples_of(fields for one in told for fields in one["samples"])
    wave = samples_of(fields for one in told for fields in one["first_wave"])
    good = answered(samples)
    return PoolFigures(
        client=client,
        requests=len(samples),
        succeeded=len(good),
        failed=len(samples) - len(good),
        causes=causes_of(samples),
        first_byte=statistics_of(sample.first_byte for sample in good if sample.first_byte is not None),
        first_wave=mean_of(sample.first_byte for sample in answered(wave) if sample.first_byte is not None),
        total=statistics_of(sample.total for sample in good),
        connections=sum(one["connections"] for one in told),
        prewarmed=sum(one["prewarmed"] for one in told),
        prewarm_seconds=mean_of(one["prewarm_seconds"] for one in told) if client == PREWARMED else None,
        cpu_a_request=ratio(sum(one["cpu_seconds"] for one in told), len(samples)),
    )
