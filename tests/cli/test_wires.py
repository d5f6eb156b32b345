"""The same items over both wires: whoever is asked, the answers are the same, and so is what the wire did to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import batchrun, prompts, records, write_jobs

# The model is a part of the request, and the embedded provider's answer follows from all of it.
CHAT = '[backends.chat]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "claude-haiku-5-5"\n'
# A tenth of the requests is told to wait, a tenth is turned away; of the answers a tenth breaks off, and some hold an
# event that is no JSON.
ROUGH = """
seed = 7
rate_429 = 0.10
rate_529 = 0.10
rate_drop = 0.10
rates = { malformed = 0.03 }
ttft = 0
tokens_per_second = 0
retry_after = 0.2
"""


@pytest.mark.slow
def test_three_hundred_items_get_the_same_answers_over_both_wires(tmp_path: Path) -> None:
    """On a bad night on either: each item once, no text lost, cut or mixed up."""
    (tmp_path / "batchrun.toml").write_text(CHAT, encoding="utf-8")
    (tmp_path / "rough.toml").write_text(ROUGH, encoding="utf-8")
    asked = prompts(300)
    jobs = [
        {**job, "id": f"{backend}/{job['id']}", "backend": backend} for job in asked for backend in ("claude", "chat")
    ]
    write_jobs(tmp_path / "jobs.jsonl", jobs)
    words = ("run", "jobs.jsonl", "--simulate", "--scenario", "rough.toml", "--min-slots", "32", "--period", "500ms")
    done = batchrun(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "jobs.batchrun" / "results.jsonl")
    texts = {line["id"]: line["text"] for line in found}
    assert len(found) == len(texts) == 600
    for job in asked:
        assert texts[f"claude/{job['id']}"] == texts[f"chat/{job['id']}"], job["id"]
        assert job["prompt"] in texts[f"claude/{job['id']}"]
    for backend in ("claude", "chat"):
        causes = {cause for line in found if line["backend"] == backend for cause in line.get("retried", {})}
        assert {"rate_limited", "overloaded", "broken", "truncated", "protocol"} <= causes, backend
