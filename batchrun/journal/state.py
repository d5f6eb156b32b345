"""Where a run keeps its files: the names, and the directory itself. What stands in the files is not known here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from batchrun.errors import StateError
from batchrun.journal.disk import DISK, Disk
from batchrun.journal.log import remedy_for


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

    def is_begun(self) -> bool:
        """Whether a run has left its checkpoints here. Raises StateError where that cannot be seen."""
        try:
            return self.checkpoint.exists()
        except OSError as exc:
            raise StateError(
                f"{self.path}: cannot look into the state directory: {exc.strerror}; "
                "run as the user whose it is, or give another place with --state DIR"
            ) from exc

    def create(self, disk: Disk = DISK) -> None:
        """Make the directory, for its owner alone, and its name durable; one that stands already is left as it is.

        Raises StateError where it cannot be made.
        """
        try:
            missing = [path for path in (self.path, *self.path.parents) if not path.is_dir()]
            for path in reversed(missing):
                disk.make_directory(path, 0o700 if path == self.path else 0o777)
                disk.sync_directory(path.parent)
        except FileExistsError as exc:
            raise StateError(
                f"{exc.filename}: a file stands where the state directory belongs; "
                "move it away or give another place with --state DIR"
            ) from exc
        except OSError as exc:
            raise StateError(
                f"{self.path}: cannot create the state directory: {exc.strerror}; "
                f"{_before(exc)}give another place with --state DIR"
            ) from exc
        if not missing:
            # Who made it may have been killed before its name was durable (C11). Where we may not even ask, the parent
            # is somebody else's, and so was the making.
            with suppress(OSError):
                disk.sync_directory(self.path.parent)


def _before(exc: OSError) -> str:
    """What could be done so that the directory can be made after all, to stand before another place."""
    if isinstance(exc, FileNotFoundError):  # its parents were there or were made: this place takes no directory
        return ""
    return f"{'make its parent yours to write' if isinstance(exc, PermissionError) else remedy_for(exc)}, or "
