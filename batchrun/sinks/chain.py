"""The sinks that a run was asked for, in one chain. What each of them does is its own affair."""

from __future__ import annotations

from collections.abc import Sequence

from batchrun.sinks.command import CommandSink
from batchrun.sinks.config import SinkConfig
from batchrun.sinks.folder import FolderSink
from batchrun.sinks.function import FunctionSink
from batchrun.sinks.load import load_function
from batchrun.sinks.sink import Sink, SinkItem


def build_sink(config: SinkConfig) -> Sink | None:
    """The sinks of the configuration as one, None where there are none; not opened yet.

    In this order: the folder, functions, commands, webhooks. So a function or a command finds the file already there.

    Raises:
        ConfigError: one of them cannot be.
    """
    sinks: list[Sink] = []
    if config.out_dir is not None:
        sinks.append(FolderSink(config.out_dir))
    for target in config.functions:
        sinks.append(_function(target, config))
    for command in config.commands:
        sinks.append(CommandSink(command, config.parallel, config.time_limit))
    for url in config.webhooks:
        # It imports the HTTP client, which takes a third of a second.
        from batchrun.sinks.webhook import WebhookSink  # noqa: PLC0415

        sinks.append(WebhookSink(url, insecure_http=config.insecure_http, time_limit=config.time_limit))
    if len(sinks) > 1:
        return SinkChain(sinks)
    return sinks[0] if sinks else None


def _function(target: str, config: SinkConfig) -> FunctionSink:
    function = load_function(target, config.directory)
    return FunctionSink(f"--sink {target}", function, call_limit=config.time_limit)


class SinkChain:
    """Several sinks as one, served in order; the first that fails keeps the answer from those after it."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._for_deltas = tuple(sink for sink in sinks if sink.wants_deltas)

    def __repr__(self) -> str:
        return f"<SinkChain {self.name}>"

    @property
    def name(self) -> str:
        return ", ".join(sink.name for sink in self._sinks)

    @property
    def wants_deltas(self) -> bool:
        return bool(self._for_deltas)

    async def open(self) -> None:
        for sink in self._sinks:
            await sink.open()

    async def delta(self, item: SinkItem, text: str) -> None:
        for sink in self._for_deltas:
            await sink.delta(item, text)

    async def deliver(self, item: SinkItem) -> None:
        for sink in self._sinks:
            await sink.deliver(item)

    async def abort(self, item: SinkItem) -> None:
        for sink in self._for_deltas:
            await sink.abort(item)

    async def close(self) -> None:
        for sink in self._sinks:
            await sink.close()
