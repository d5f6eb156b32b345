"""Job files of other tools through the installed program as they are, and their answers back into those tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from batchrun.jobs.job import DEFAULT_MAX_TOKENS, DEFAULT_MODEL
from batchrun.simulator.answers import answer_for
from batchrun.simulator.chat_request import messages_request
from tests.cli.program import batchrun
from tests.export.readers import anthropic_line, csv_rows, openai_line

CHAT = '[backends.chat]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
IDS = ["ask/1", 'say "2", please', "\u00fc-3"]
PROMPTS = ["What is a harbour?", 'Name a river,\nand a "bridge".', "\u00dcber Br\u00fccken \U0001f309"]
ASKED = [{"role": "user", "content": prompt} for prompt in PROMPTS]

MESSAGES = [
    {"model": "claude-haiku-5-5", "max_tokens": 300, "system": "Be brief.", "messages": [each]} for each in ASKED
]
BODIES = [{"model": "gpt-x", "max_tokens": 300, "temperature": 0.5, "messages": [each]} for each in ASKED]
PLAIN = [{"model": DEFAULT_MODEL, "max_tokens": DEFAULT_MAX_TOKENS, "messages": [each]} for each in ASKED]
HEAD = {"method": "POST", "url": "/v1/chat/completions"}

# Of each dialect: its lines, what is to be asked by them in the words of the Messages API, and more of `run`.
DIALECTS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], tuple[str, ...]]] = {
    "simple": (
        [{"id": id, "prompt": prompt, "metadata": {"row": id}} for id, prompt in zip(IDS, PROMPTS, strict=True)],
        PLAIN,
        (),
    ),
    "anthropic": (
        [{"custom_id": id, "params": params} for id, params in zip(IDS, MESSAGES, strict=True)],
        MESSAGES,
        (),
    ),
    "openai": (
        [{"custom_id": id, **HEAD, "body": body} for id, body in zip(IDS, BODIES, strict=True)],
        [messages_request(body) for body in BODIES],
        (),
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_job_file_runs_as_it_is_and_its_answers_are_read_everywhere(dialect: str, tmp_path: Path) -> None:
    """What is asked is what the line says, byte for byte, and every format holds every answer for its own readers."""
    lines, asked, words = DIALECTS[dialect]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "batchrun.toml").write_text(CHAT, encoding="utf-8")
    done = batchrun("run", "jobs.jsonl", "--simulate", "--scenario", "instant", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # The embedded provider's text holds the hash of the whole request, so nothing of it was changed on the way.
    texts = [answer_for(body).text for body in asked]

    def export(format: str) -> bytes:
        words = ("export", "jobs.jsonl", "--format", format, "--output", f"out.{format}")
        done = batchrun(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return (tmp_path / f"out.{format}").read_bytes()

    batches = [anthropic_line(line) for line in export("anthropic").splitlines()]
    said = []
    for batch in batches:
        assert batch.result.type == "succeeded"
        said.append("".join(block.text for block in batch.result.message.content if block.type == "text"))
    assert ([batch.custom_id for batch in batches], said) == (IDS, texts)

    output = export("openai").splitlines()
    assert [orjson.loads(line)["custom_id"] for line in output] == IDS
    assert [openai_line(line).choices[0].message.content for line in output] == texts

    rows = csv_rows(export("csv"))
    assert [(row["id"], row["text"], row["status"]) for row in rows] == [
        (id, text, "done") for id, text in zip(IDS, texts, strict=True)
    ]

    objects = [orjson.loads(line) for line in export("jsonl").splitlines()]
    assert [(each["id"], each["text"]) for each in objects] == list(zip(IDS, texts, strict=True))
    assert [each.get("metadata") for each in objects] == [line.get("metadata") for line in lines]
