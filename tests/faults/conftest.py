"""What a provider on a real connection needs here: no more trust than the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="module")
def nobody_is_trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reaches a real server; and without the machine's list of authorities a provider is made in no time."""
    empty: Path = tmp_path_factory.mktemp("nobody")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_DIR", str(empty))
        yield
