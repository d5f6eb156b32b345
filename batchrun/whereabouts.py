"""Where the state of a job file lies, for those who only look: `status`, `report` and their like.

Apart from `config.py`, for what a run has to know besides takes a tenth of the time in which `status` answers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from batchrun.config_file import find_file, read_state
from batchrun.settings import SETTINGS, read_given, variable_of


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
    variable = variable_of("state")
    if text := environment.get(variable):
        place: Path = read_given(SETTINGS["state"].read, text, variable).value
        return place
    return read_state(find_file(jobs, environment))
