"""`python -m batchrun.simulator`: options to a scenario, then serve. Prints one JSON line, `port` and `base_url`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from batchrun.errors import BatchrunError, ConfigError, UsageError
from batchrun.simulator.faults import FAULTS
from batchrun.simulator.request_log import RequestLog
from batchrun.simulator.scenario import NAMED, Scenario
from batchrun.simulator.server import HOST, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        log = RequestLog(options.log)
        serving = serve(
            _scenario(options), log, port=options.port, is_tied_to_stdin=not options.forever, announce=_announce
        )
        asyncio.run(serving)
        log.close()
    except BatchrunError as exc:
        sys.stderr.write(f"batchrun: {exc}\n")
        return int(exc.exit_code)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batchrun.simulator",
        description=f"Serve simulated Messages and chat completions APIs on {HOST} until stdin ends.",
        epilog=f"Faults by script, and as rates of a scenario: {', '.join(FAULTS)}.",
    )
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0, the default, takes a free one")
    parser.add_argument(
        "--scenario", default="calm", help=f"{', '.join(NAMED)}, or the path of a TOML or JSON file (default: calm)"
    )
    parser.add_argument("--seed", type=int, help="the seed of the faults")
    parser.add_argument("--ttft", type=float, help="seconds to the first token")
    parser.add_argument("--tokens-per-second", type=float, help="pace of each stream; 0 sends all at once")
    parser.add_argument(
        "--no-data-space", action="store_true", help="chat completions: nothing between `data:` and the data"
    )
    parser.add_argument(
        "--no-stream-options", action="store_true", help="chat completions: refuse a request with stream_options"
    )
    parser.add_argument("--log", type=Path, help="append a JSON line as each message request arrives and as it ends")
    parser.add_argument("--forever", action="store_true", help="end on SIGINT or SIGTERM only, not with stdin")
    return parser


def _scenario(options: argparse.Namespace) -> Scenario:
    given = {name: getattr(options, name) for name in ("seed", "ttft", "tokens_per_second")}
    given |= {name: False for name in ("data_space", "stream_options") if getattr(options, f"no_{name}")}
    try:
        return replace(
            Scenario.load(options.scenario), **{name: value for name, value in given.items() if value is not None}
        )
    except ConfigError as exc:
        raise (ConfigError if Path(options.scenario).is_file() else UsageError)(str(exc)) from exc


def _announce(port: int) -> None:
    sys.stdout.write(json.dumps({"port": port, "base_url": f"http://{HOST}:{port}"}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
