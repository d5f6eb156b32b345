"""How much is asked, before anything is: what a price can be told from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import JobFile, Selection, check_jobs
from batchrun.jobs.volume import Volume
from batchrun.providers.provider import Wire
from tests.jobs.lines import ALL, encoded, everything, simple

BACKENDS = {"claude": BackendSpeech("claude"), "ollama": BackendSpeech("ollama", Wire.CHAT, "llama3.2")}


def checked(path: Path, *jobs: dict[str, Any], selection: Selection = ALL) -> JobFile:
    path.write_bytes(b"".join(encoded(job) + b"\n" for job in jobs))
    return check_jobs(path, RequestFlags(), BACKENDS, everything, selection)


def test_the_pending_items_are_summed_by_backend_and_model(tmp_path: Path) -> None:
    """Each has its own price; what was not selected is not asked and costs nothing."""
    jobs = [simple(id=str(n), max_tokens=100, model="m") for n in range(3)]
    jobs += [simple(id="local", backend="ollama", max_tokens=7), simple(id="left out", model="m")]
    file = checked(tmp_path / "jobs.jsonl", *jobs, selection=Selection(limit=4))
    assert {key: (volume.items, volume.max_tokens) for key, volume in file.volumes.items()} == {
        ("claude", "m"): (3, 300),
        ("ollama", "llama3.2"): (1, 7),
    }


def test_input_is_measured_as_it_goes_out(tmp_path: Path) -> None:
    """In UTF-8, however the line spells it: six escaped characters are no six tokens."""
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(b'{"id": "a", "prompt": "\\u4f60\\u597d", "model": "m", "max_tokens": 1}\n')
    [escaped] = check_jobs(path, RequestFlags(), BACKENDS, everything).volumes.values()
    [plain] = checked(path, simple(prompt="你好", model="m", max_tokens=1)).volumes.values()
    assert escaped == plain
    assert plain.input_bytes < 100


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}


@pytest.mark.parametrize(
    "content",
    [[IMAGE], [{"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}], [{"type": "document", "source": {}}]],
    ids=["a picture", "a picture from a tool", "a document"],
)
def test_what_is_more_than_text_has_no_bound(tmp_path: Path, content: list[dict[str, Any]]) -> None:
    """A page of a document may be ten tokens or ten thousand: a price would be a guess."""
    line = {"id": "a", "messages": [{"role": "user", "content": content}]}
    [volume] = checked(tmp_path / "jobs.jsonl", line).volumes.values()
    assert volume == Volume(items=1, max_tokens=2048, unbounded=1)


def test_words_about_pictures_are_text(tmp_path: Path) -> None:
    """What counts is the kind of a block, not what stands in it."""
    blocks = [{"type": "text", "text": 'an "image" and a "document"'}]
    [volume] = checked(
        tmp_path / "jobs.jsonl", {"id": "a", "messages": [{"role": "user", "content": blocks}]}
    ).volumes.values()
    assert volume.unbounded == 0
