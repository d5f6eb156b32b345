"""What every test stands on: an environment that is nobody's own, and a seed and a budget for the long suites.

No fakes here: each room keeps its own beside its tests.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.soak import Soak, soak_of_environment

# The short run tries the same examples everywhere; the long one tries those of its seed. No deadline: the machine may
# be busy, and a slow example is no wrong one.
settings.register_profile("test", derandomize=True, deadline=None)
settings.register_profile("soak", max_examples=1000, deadline=None)
settings.load_profile("soak" if "BATCHRUN_SOAK_SEED" in os.environ else "test")

_sharers = pytest.StashKey[int]()

_PERSONAL = ("ANTHROPIC_", "OPENAI_", "BATCHRUN_", "XDG_")
_MISLEADING = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}


def pytest_configure(config: pytest.Config) -> None:
    """No developer's key, settings, proxy or home reaches a test or a process that it starts."""
    for name in list(os.environ):
        is_personal = name.startswith(_PERSONAL) and not name.startswith("BATCHRUN_SOAK_")
        if is_personal or name.upper() in _MISLEADING:
            del os.environ[name]
    home = tempfile.TemporaryDirectory(prefix="batchrun tests ")
    config.add_cleanup(home.cleanup)
    os.environ["HOME"] = home.name
    os.environ["XDG_STATE_HOME"] = str(Path(home.name, "state"))
    os.environ["XDG_CONFIG_HOME"] = str(Path(home.name, "config"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Counted after the selection by marker: the budget is shared by those that will run."""
    config.stash[_sharers] = sum(item.get_closest_marker("soak") is not None for item in items)


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> Soak:
    """The seed, and an equal share of the budget."""
    return soak_of_environment(request.config.stash[_sharers])
