"""What a streamed event costs: the usual loop, the SDK's raw events, batchrun and the floor, on one server, in one run.

Each client runs in a process of its own, on one core; the server keeps the other. Ratios are the result: the machine
under all of them is the same, so its speed cancels out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from batchrun.bench.streaming import Certificate, Streams, own_certificate, streaming
from batchrun.bench.worker import client_core, run_worker
from batchrun.report.spread import percentile

ARTICLES, RAW, BATCHRUN, FLOOR = CLIENTS = ("articles", "raw", "batchrun", "floor")
BEGIN_SECONDS = 0.002  # between the beginnings of two of many streams; three times what a request costs
GRACE_SECONDS = 60.0  # beyond the streams' own length: a client that cannot keep pace on a slow machine


@dataclass(frozen=True, slots=True)
class Case:
    """So many streams of so many events a second, for so long, plain or over TLS; `rate` 0: whole answers at once. They
    begin within `spread` seconds."""

    streams: int
    rate: float
    seconds: float
    is_tls: bool = False
    spread: float = 0.0

    @property
    def tokens(self) -> int:
        return max(4, round(self.rate * self.seconds)) if self.rate else 4


@dataclass(frozen=True, slots=True)
class ClientFigures:
    """What one client cost. `stream_kb` is what the process grew by, for each stream; `late_first` by how much the
    first piece was told too late, in seconds; `late_end` by which share the wall was longer than the server took.
    `unattributed` is the share of the CPU that was charged to no item, None where the client does not charge items;
    `server_late` by how many seconds the server itself was late, at most, at 95 % of the moments at which it sent."""

    client: str
    events: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    stream_kb: float
    walls: Sequence[float] = field(repr=False)
    late_first: Sequence[float] = field(repr=False)
    late_end: Sequence[float] = field(repr=False)
    unattributed: float | None
    server_late: float

    @property
    def cores(self) -> float:
        return self.cpu_seconds / self.wall_seconds

    @property
    def microseconds_an_event(self) -> float:
        return self.cpu_seconds / self.events * 1e6

    @property
    def milliseconds_a_stream(self) -> float:
        return self.cpu_seconds / len(self.walls) * 1e3

    @property
    def wall_p95(self) -> float:
        return percentile(list(self.walls), 0.95)

    @property
    def late_first_p95(self) -> float:
        return percentile(list(self.late_first), 0.95)

    @property
    def late_end_mean(self) -> float:
        return sum(self.late_end) / len(self.late_end)

    def streams_a_core(self, rate: float) -> float:
        """How many streams of that rate fill a core."""
        return 1e6 / (self.microseconds_an_event * rate)


@dataclass(frozen=True, slots=True)
class CaseFigures:
    case: Case
    clients: Mapping[str, ClientFigures]

    def ratio(self, client: str, to: str) -> float | None:
        """What an event costs the one, over what it costs the other; None where one of them was not asked."""
        if client not in self.clients or to not in self.clients:
            return None
        return self.clients[client].microseconds_an_event / self.clients[to].microseconds_an_event


def measure_cases(cases: Sequence[Case], clients: Sequence[str] = CLIENTS) -> Iterator[CaseFigures]:
    """Run each client once a case against a fresh server. Cases over TLS are left out where no certificate can be made.

    Raises:
        BatchrunError: a client did not end well.
    """
    with own_certificate() as certificate:
        for case in cases:
            if case.is_tls and certificate is None:
                continue
            shown = certificate if case.is_tls else None
            yield CaseFigures(case, {client: _measure(case, client, shown) for client in clients})


@dataclass(frozen=True, slots=True)
class ManyFigures:
    """Many streams on one core, beside one alone."""

    case: Case
    many: ClientFigures
    alone: ClientFigures

    @property
    def times_alone(self) -> float:
        """The 95th percentile of the walls, over the wall of a stream that is alone."""
        return self.many.wall_p95 / self.alone.wall_p95


def measure_many(streams: int, rate: float, seconds: float) -> ManyFigures:
    """Whether one core keeps up with so many streams.

    Raises:
        BatchrunError: a client did not end well.
    """
    # Begun at one moment each would wait for the requests of all others to be built, which no gate lets happen.
    case = Case(streams, rate, seconds, spread=streams * BEGIN_SECONDS)
    return ManyFigures(case, _measure(case, BATCHRUN, None), _measure(Case(1, rate, seconds), BATCHRUN, None))


def _measure(case: Case, client: str, certificate: Certificate | None) -> ClientFigures:
    env = {} if certificate is None else {"SSL_CERT_FILE": str(certificate.certificate)}
    with streaming(Streams(case.rate, case.tokens), certificate) as server:
        order = {"client": client, "base_url": server.base_url, "streams": case.streams, "tokens": case.tokens}
        order["spread"] = case.spread
        seconds = case.seconds + case.spread + GRACE_SECONDS
        figures = run_worker("client_worker", order, seconds, client_core(), env)
    return ClientFigures(**figures, server_late=server.late_p95)
