"""What a worker dies of reaches the user as what it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from batchrun.bench.endpoint import Endpoint, endpoint_of
from batchrun.bench.modes import ModesPlan
from batchrun.bench.worker import run_worker
from batchrun.errors import BatchrunError, CredentialsError
from batchrun.prices.bill import Rates
from batchrun.providers.provider import BackendConfig


def order(endpoint: Endpoint) -> dict[str, object]:
    return {"endpoint": asdict(endpoint), "plan": asdict(ModesPlan(iterations=1, concurrency=1))}


def test_a_users_fault_keeps_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing credentials are exit 77 here as in a run, with the way out in the message."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    endpoint = Endpoint(BackendConfig(base_url="https://127.0.0.1:9", key_env="NO_SUCH_KEY"), budget_usd=1.0)
    with pytest.raises(CredentialsError, match="NO_SUCH_KEY is not set"):
        run_worker("modes_worker", order(endpoint), 10.0, None)


def test_a_backend_reaches_its_worker_as_it_is() -> None:
    """A path, a list of names and the headers that some servers take their key in; nothing of it stands in argv."""
    backend = BackendConfig("gw", "anthropic", "https://gw.test", Path("/key"), headers={"x-pass": "a"}, betas=("b",))
    endpoint = Endpoint(backend, "m", "max_tokens", 1.0, Rates(2.0, 3.0))
    assert endpoint_of(json.loads(json.dumps(asdict(endpoint), default=str))) == endpoint


def test_any_other_end_is_told_in_one_line() -> None:
    """The last line of a traceback, and which worker it was."""
    with pytest.raises(BatchrunError, match="modes_worker did not end well: KeyError: 'endpoint'"):
        run_worker("modes_worker", {}, 10.0, None)
