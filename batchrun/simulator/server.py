"""The listening socket and the life of the server: when it starts, what ends it. What it says is decided elsewhere."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from batchrun.errors import ConfigError
from batchrun.simulator.connection import Connection
from batchrun.simulator.pacer import Pacer
from batchrun.simulator.request_log import RequestLog
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.service import Service
from batchrun.simulator.stats import Stats

HOST = "127.0.0.1"
_STDIN = 0

# A benchmark opens a thousand connections in one moment; the kernel cuts this to its own limit.
_BACKLOG = 4096
# Of a stream's garbage nearly all dies by reference count: the default of 700 would look for cycles in vain.
_GC_THRESHOLD = 50_000
# A loop ends within milliseconds; the runner waits for 5 s before it kills.
_END_SECONDS = 3.0


async def serve(
    scenario: Scenario, log: RequestLog, *, port: int, is_tied_to_stdin: bool, announce: Callable[[int], None]
) -> None:
    """Serve until SIGINT or SIGTERM or, where it is tied to it, the end of stdin.

    `port` 0 takes a free one; `announce` is called with the port once it listens. Raises ConfigError where the port
    cannot be had.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    _raise_file_limit()
    async with listening(Service(scenario, log, Stats()), port) as found:
        if is_tied_to_stdin:
            _watch_stdin(loop, stop)
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        announce(found)
        await stop.wait()


@asynccontextmanager
async def listening(service: Service, port: int = 0) -> AsyncIterator[int]:
    """Have the service answer on a port, which is given out; at the end what is in flight is cut off.

    Raises:
        ConfigError: the port cannot be had.
    """
    loop = asyncio.get_running_loop()
    pacer = Pacer(loop)
    connections: set[Connection] = set()
    try:
        server = await loop.create_server(lambda: Connection(service, pacer, connections), HOST, port, backlog=_BACKLOG)
    except (OSError, OverflowError) as exc:
        raise ConfigError(f"port {port} {_refusal(exc)}; choose another, or 0 for a free one") from exc
    try:
        found: int = server.sockets[0].getsockname()[1]
        yield found
    finally:
        server.close()
        for connection in list(connections):
            connection.stop()
        await asyncio.sleep(0)  # lets the connections say their last words to the log


def _refusal(exc: OSError | OverflowError) -> str:
    if isinstance(exc, OverflowError):
        return "is none: they end at 65535"
    told = {errno.EADDRINUSE: f"is in use on {HOST}", errno.EACCES: "is the administrator's alone"}
    return told.get(exc.errno or 0) or f"of {HOST} cannot be had ({exc.strerror})"


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` when stdin ends, which it does when the parent dies, however it dies.

    A thread, because epoll takes no stdin that is a file or /dev/null; it sleeps in the kernel and costs nothing.
    """

    def read_to_end() -> None:
        with suppress(OSError):  # there may be no stdin at all
            while os.read(_STDIN, 4096):
                pass
        with suppress(RuntimeError):  # the loop may have ended before
            loop.call_soon_threadsafe(stop.set)
        # A loop that is stuck must not outlive its parent either. One that ends takes this thread with it before.
        time.sleep(_END_SECONDS)
        os._exit(1)

    threading.Thread(target=read_to_end, name="stdin", daemon=True).start()


def _raise_file_limit() -> None:
    """A connection is a file; the usual soft limit of 1,024 is one thousand streams."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
