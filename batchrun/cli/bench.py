"""`batchrun bench ...`: which measurements there are. Each stands in a file of its own; nothing is measured here."""

from __future__ import annotations

import typer

from batchrun.cli.bench_backends import backends
from batchrun.cli.bench_buffer import buffer
from batchrun.cli.bench_client import client
from batchrun.cli.bench_gate import gate
from batchrun.cli.bench_journal import journal
from batchrun.cli.bench_modes import modes
from batchrun.cli.bench_pipeline import pipeline
from batchrun.cli.bench_pool import pool
from batchrun.cli.bench_scale import scale
from batchrun.cli.bench_stop import stop
from batchrun.cli.switches import Command, Group

bench = typer.Typer(
    cls=Group,
    help="Measure: free of charge on the embedded provider, within a budget on a real endpoint.",
    no_args_is_help=True,
)
for command in (client, modes, pool, stop, gate, buffer, backends, journal, scale, pipeline):
    bench.command(cls=Command)(command)


@bench.callback()
def _root() -> None:
    """Measure: free of charge on the embedded provider, within a budget on a real endpoint."""
