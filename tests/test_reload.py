"""Who asks for the settings to be read again, and what comes of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from batchrun.config import RunConfig, resolve
from batchrun.errors import BatchrunError, ConfigError
from batchrun.reload import Reload, signal_to


class Settings:
    """A batchrun.toml that can be written again and again."""

    def __init__(self, place: Path, **given: Any) -> None:
        self._jobs = place / "jobs.jsonl"
        self._file = place / "batchrun.toml"
        self._given: Mapping[str, Any] = given

    def say(self, text: str) -> None:
        self._file.write_text(text)

    def read(self) -> RunConfig:
        return resolve(self._jobs, self._given, {})


def most_slots(reload: Reload, asked_by_tune: int = 0) -> int | None:
    config = reload.take(asked_by_tune)
    return None if config is None else config.backends["claude"].bounds.max_slots


def test_nothing_is_read_until_somebody_asks(tmp_path: Path) -> None:
    """A file that is saved half-way does not change a run."""
    settings = Settings(tmp_path)
    settings.say("[gate]\nmax_slots = 4\n")
    reload = Reload(settings.read)
    assert most_slots(reload) is None
    assert most_slots(reload, asked_by_tune=1) == 4
    assert most_slots(reload, asked_by_tune=1) is None
    assert most_slots(reload, asked_by_tune=2) == 4


def test_a_signal_asks_and_ends_nothing(tmp_path: Path) -> None:
    """SIGUSR1 would end a process that does not listen; the handler that was there before comes back."""
    settings, before = Settings(tmp_path), signal.getsignal(signal.SIGUSR1)
    reload = Reload(settings.read)
    with signal_to(reload):
        settings.say("[gate]\nmax_slots = 4\n")
        os.kill(os.getpid(), signal.SIGUSR1)
        assert most_slots(reload) == 4
        assert most_slots(reload) is None
    assert signal.getsignal(signal.SIGUSR1) is before


def test_flags_win_over_a_file_that_was_changed(tmp_path: Path) -> None:
    """As they did at the start."""
    settings = Settings(tmp_path, max_slots="9")
    settings.say("[gate]\nmax_slots = 4\ntarget_cpu = 50\n")
    config = Reload(settings.read).take(1)
    assert config is not None
    bounds = config.backends["claude"].bounds
    assert (bounds.max_slots, bounds.target_cpu) == (9, 50.0)


def test_a_mistake_in_the_file_is_told_once(tmp_path: Path) -> None:
    """And the next reading is asked for anew."""
    settings = Settings(tmp_path)
    settings.say("[gate]\nmax_slots = 'many'\n")
    reload = Reload(settings.read)
    with pytest.raises(ConfigError, match="max_slots"):
        reload.take(1)
    assert reload.take(1) is None


def test_a_file_that_cannot_be_read_is_no_bug() -> None:
    """An error of ours, which ends nothing."""

    def refused() -> RunConfig:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(BatchrunError, match="the settings cannot be read"):
        Reload(refused).take(1)


def test_who_has_no_settings_reads_none() -> None:
    """A run that was started without them."""
    assert Reload().take(3) is None
