"""A place with a job file and settings files, for the tests of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from batchrun.config import RunConfig, resolve


class Site:
    """A directory with a job file, an XDG configuration directory, and nobody's environment."""

    def __init__(self, place: Path) -> None:
        self.jobs = place / "site" / "jobs.jsonl"
        self.beside = place / "site" / "batchrun.toml"
        self.xdg = place / "xdg" / "batchrun" / "batchrun.toml"
        self.environment = {"XDG_CONFIG_HOME": str(place / "xdg")}
        for directory in (self.jobs.parent, self.xdg.parent):
            directory.mkdir(parents=True)

    def resolve(self, **given: Any) -> RunConfig:
        return resolve(self.jobs, given, environment=self.environment)
