"""From what the user asked for to one sink."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from batchrun.errors import ConfigError
from batchrun.sinks.chain import build_sink
from batchrun.sinks.config import SinkConfig
from tests.sinks.fakes import an_answer


def test_a_run_without_sinks_has_none(tmp_path: Path) -> None:
    """Nothing is made, nothing is paid for."""
    assert build_sink(SinkConfig(tmp_path)) is None


async def test_everything_that_was_asked_for_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder first, so that what is called for an item finds its file."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    tmp_path.joinpath("chain_of_mine.py").write_text(
        "from pathlib import Path\n"
        f"def look(item): Path({str(tmp_path)!r}, 'seen').write_text(Path({str(tmp_path)!r}, 'a.txt').read_text())\n",
        encoding="utf-8",
    )
    config = SinkConfig(
        directory=tmp_path,
        functions=("chain_of_mine:look",),
        commands=(f"cat {tmp_path}/seen - > {tmp_path}/twice",),
        out_dir=tmp_path,
    )
    sink = build_sink(config)
    assert sink is not None
    assert not sink.wants_deltas
    await sink.open()
    await sink.deliver(an_answer("Hello"))
    await sink.close()
    assert tmp_path.joinpath("twice").read_text(encoding="utf-8") == "HelloHello"
    assert sink.name.startswith(f"--out-dir {tmp_path}, --sink chain_of_mine:look, --each 'cat ")


@pytest.mark.parametrize("asked", [{"functions": ("nothing",)}, {"commands": ("",)}, {"parallel": 0}])
def test_what_cannot_be_is_refused_when_it_is_built(asked: dict[str, object], tmp_path: Path) -> None:
    """Before the lock is taken or a credential is looked at."""
    config = SinkConfig(tmp_path, **({"commands": ("true",)} | asked))  # type: ignore[arg-type]  # one wrong at a time
    with pytest.raises(ConfigError):
        build_sink(config)
