"""F35: an item that begins its own answer is warned of, once and before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import JobFile, check_jobs
from batchrun.providers.provider import Wire

USER = {"role": "user", "content": "Name a colour."}
BACKENDS = {"claude": BackendSpeech("claude"), "local": BackendSpeech("local", wire=Wire.CHAT, model="m")}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def checked(place: Path, *messages: list[Any], finished: tuple[str, ...] = (), backend: str = "claude") -> JobFile:
    path = place / "jobs.jsonl"
    lines: list[dict[str, Any]] = [
        {"id": f"i{n}", "messages": asked, "backend": backend} for n, asked in enumerate(messages)
    ]
    if backend == "local":
        lines = [
            {
                "custom_id": line["id"],
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"messages": line["messages"]},
            }
            for line in lines
        ]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return check_jobs(path, RequestFlags(backend=backend), BACKENDS, lambda id, request: id not in finished)


@pytest.mark.parametrize("content", ["I say", [{"type": "text", "text": "I say"}], []])
def test_a_trailing_assistant_message_is_told_with_its_line(tmp_path: Path, content: Any) -> None:
    """However it is spelled."""
    jobs = checked(tmp_path, [USER], [USER, assistant(content)])
    notice = jobs.prefills.notice()
    assert notice is not None
    assert notice.startswith("1 item ends with the assistant's words (line 2), which current Claude models refuse")


def test_many_are_told_in_one_sentence(tmp_path: Path) -> None:
    """With the first of them."""
    jobs = checked(tmp_path, [USER], *[[USER, assistant("I say")]] * 3)
    assert str(jobs.prefills.notice()).startswith("3 items end with the assistant's words (the first on line 2)")


def test_those_that_are_finished_are_of_no_interest(tmp_path: Path) -> None:
    """They will not be asked."""
    assert checked(tmp_path, [USER], [USER, assistant("I say")], finished=("i1",)).prefills.notice() is None


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [USER, assistant("Red."), USER],
        [
            USER,
            assistant(
                [{"type": "text", "text": "So"}, {"type": "server_tool_use", "id": "s", "name": "x", "input": {}}]
            ),
        ],
    ],
    ids=["a question", "a conversation", "an answer that has paused"],
)
def test_others_are_left_alone(tmp_path: Path, messages: list[Any]) -> None:
    """A conversation ends with the user; an answer that has paused is meant to go on."""
    assert checked(tmp_path, messages).prefills.notice() is None


def test_other_servers_may_take_it(tmp_path: Path) -> None:
    """On the chat wire nothing is known to refuse it."""
    assert checked(tmp_path, [USER, assistant("I say")], backend="local").prefills.notice() is None
