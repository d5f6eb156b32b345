"""Where a run keeps its files: the names, and the directory itself. What stands in the files is not known here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from batchrun.errors import StateError


@dataclass(frozen=True, slots=True)
class StateDir:
    """The state directory of one job file."""

    path: Path

    @classmethod
    def for_jobs(cls, jobs: Path) -> StateDir:
        """The directory beside `jobs` that is used where `--state` was not given."""
        plain = jobs.name.removesuffix(".gz")
        stem = plain.removesuffix(".jsonl") if plain.endswith(".jsonl") else plain.removesuffix(".json")
        return cls(jobs.with_name((stem or jobs.name) + ".batchrun"))

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.jsonl"

    @property
    def results(self) -> Path:
        return self.path / "results.jsonl"

    @property
    def telemetry(self) -> Path:
        return self.path / "telemetry.jsonl"

    @property
    def runs(self) -> Path:
        return self.path / "runs.jsonl"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def control(self) -> Path:
        return self.path / "control.json"

    @property
    def checked(self) -> Path:
        return self.path / "checked.jsonl"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def create(self) -> None:
        """Make the directory, for its owner alone; one that stands already is left as it is.

        Raises StateError where it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as exc:
            raise StateError(
                f"{self.path}: a file stands where the state directory belongs; "
                "move it away or give another place with --state DIR"
            ) from exc
        except OSError as exc:
            raise StateError(
                f"{self.path}: cannot create the state directory: {exc.strerror}; "
                "make its parent writable or give another place with --state DIR"
            ) from exc
