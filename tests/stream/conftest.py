"""What a provider on a real connection needs here: no more trust than its own loopback server."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nobody_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a real server; and without the machine's list of authorities a provider is made in no time."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
