"""How a command is told at which run to look: the same words for `status`, `report`, `show`, `export` and `tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Jobs = Annotated[
    Path | None, typer.Argument(metavar="JOBS", help="The job file. (default: the newest run on this machine)")
]
State = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the state lies, if the run was told so.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object.")]
