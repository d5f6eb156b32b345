"""Where the settings file of a job file lies, and where its state lies, for those who only look: `status`, `report` and
their like.

The file is looked for beside the job file, then in the XDG configuration directory; the first one is the only one that
is read. How settings are read is imported only where there are some: it takes a tenth of the time in which `status`
answers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FILE_NAME = "batchrun.toml"
_VARIABLE = "BATCHRUN_STATE"


def find_file(jobs: Path, environment: Mapping[str, str]) -> Path | None:
    """The settings file for this job file; None where there is none."""
    places = [jobs.parent / FILE_NAME]
    with suppress(RuntimeError):  # a user without a home, as containers have them
        home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        places.append(home / "batchrun" / FILE_NAME)
    return next((path for path in places if _is_file(path)), None)


def state_of(jobs: Path, environment: Mapping[str, str] | None = None) -> Path | None:
    """Where the state of this job file lies by the environment or by batchrun.toml; None where neither says so. Other
    settings are not looked at: who wants to see what a run has done is not kept from it by a mistake in them.

    Raises:
        ConfigError: the file cannot be read, or the path cannot be one.
    """
    environment = os.environ if environment is None else environment
    with suppress(OSError):  # a place that may not be looked into is told of by who looks
        if jobs.is_dir():  # the state itself
            return None
    text, file = environment.get(_VARIABLE), find_file(jobs, environment)
    if not text and file is None:
        return None
    from batchrun.config_file import read_state  # noqa: PLC0415 - see above
    from batchrun.settings import SETTINGS, read_given  # noqa: PLC0415

    if not text:
        return read_state(file)
    place: Path = read_given(SETTINGS["state"].read, text, _VARIABLE).value
    return place


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory that we may not look into holds no settings of ours
        return False
