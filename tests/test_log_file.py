"""`--log`: a file that takes no more is told once and costs the run nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from batchrun.errors import ConfigError
from batchrun.log_file import logging_to

log = logging.getLogger("batchrun")


def test_decisions_go_to_the_file(tmp_path: Path) -> None:
    """Each on a line of its own, for its owner's eyes; after the run nothing more."""
    path = tmp_path / "run.log"
    with logging_to(path, pytest.fail):
        log.info("gate claude: %d slots", 4)
    log.info("too late")
    assert path.read_text().endswith(" INFO gate claude: 4 slots\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_told_once_and_the_log_is_silent_from_then_on(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for each record, and none at the end, where the file is closed."""
    told: list[str] = []
    with logging_to(Path("/dev/full"), told.append):
        for number in range(3):
            log.info("decision %d", number)
    assert told == ["--log /dev/full: cannot be written any more (No space left on device); the run goes on"]
    assert capsys.readouterr().err == ""


def test_a_path_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    """With the path, and what to do."""
    with pytest.raises(ConfigError, match="give another path"), logging_to(tmp_path / "no" / "run.log", pytest.fail):
        pass
