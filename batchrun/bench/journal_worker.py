"""The streams of `bench journal`: each is asked, read to its end and finished as a run does it, disk by disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from batchrun.bench.asking import LIMITS, Observed, body_of, in_lanes, provider_for
from batchrun.bench.endpoint import OUR_OWN, Endpoint
from batchrun.bench.journal import HERE, NONE, SLOW, JournalPlan
from batchrun.bench.journal_disks import disk_of, open_journal, outcome_of
from batchrun.bench.loop_watch import watched_loop
from batchrun.bench.sample import Sample
from batchrun.bench.worker import Figures, be_worker
from batchrun.failure import AttemptFailed
from batchrun.journal.writer import Journal
from batchrun.providers.provider import Request
from batchrun.stream.attempt import attempt
from batchrun.stream.meter import Account, Meter


async def streams(plan: JournalPlan, journal: Journal | None, endpoint: Endpoint) -> Figures:
    """Every item asked, so many at once, and finished as a run finishes it."""
    provider = provider_for(endpoint, plan.streams)
    now = asyncio.get_running_loop().time
    samples: list[Sample] = []
    waits: list[float] = []

    async def ask(number: int) -> None:
        # Lengths differ, or all would finish in the same moment.
        tokens = plan.tokens // 2 + number * 7919 % plan.tokens
        observed, meter, began = Observed(provider), Meter(Account()), now()
        cause: str | None = None
        body = body_of(endpoint, number, tokens, max_tokens=4 * plan.tokens)
        try:
            message = await attempt(observed, Request(body), LIMITS, meter)
        except AttemptFailed as failed:
            cause = str(failed.failure.cause)
        else:
            if journal is not None:
                whole = now()
                await journal.commit(outcome_of(number, message.text, meter.measure(message.output_tokens)))
                waits.append(now() - whole)
        samples.append(Sample(True, now() - began, observed.first_byte, None, tokens, observed.connections, cause))

    try:
        async with watched_loop() as watch:
            await in_lanes(plan.items, plan.streams, ask)
    finally:
        await provider.close()
    return watch.figures | {"samples": [asdict(sample) for sample in samples], "waits": waits}


async def measure(order: Mapping[str, Any]) -> Figures:
    """Disk by disk, after a round that is thrown away: what is loaded late is loaded then."""
    plan, endpoint = JournalPlan(**order["plan"]), Endpoint(replace(OUR_OWN, base_url=order["base_url"]))
    await streams(replace(plan, items=plan.streams, tokens=2), None, endpoint)
    told: Figures = {}
    for way in (NONE, HERE, SLOW):
        with ExitStack() as stack:
            place = Path(order["place"], f"streams on {way}")
            journal = None if way == NONE else open_journal(place, disk_of(way, plan), stack)
            told[way] = await streams(plan, journal, endpoint)
    return told


if __name__ == "__main__":
    be_worker(measure)
