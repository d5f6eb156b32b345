"""`--webhook` on real sockets: what is posted, what is tried again, and who can tell that it is genuine."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from batchrun.errors import ConfigError
from batchrun.sinks import webhook
from batchrun.sinks.chain import build_sink
from batchrun.sinks.config import SinkConfig
from batchrun.sinks.webhook import SECRET, WebhookSink, signature
from batchrun.stream.pipe import SinkFailed
from tests.providers.scripted_server import Received, Script, ScriptedServer, Wire, whole
from tests.sinks.fakes import an_answer

TEXT = "text/plain"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Waits of a millisecond; and no list of authorities, which takes a while to read."""
    monkeypatch.setattr(webhook, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(webhook, "LONGEST_WAIT", 0.002)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


def answering(*statuses: int) -> Script:
    """Each request with the next of these, the last one for ever; 0 breaks the connection."""
    left = list(statuses)

    async def script(wire: Wire, request: Received) -> None:
        status = left.pop(0) if len(left) > 1 else left[0]
        if status:
            await wire.send(whole(status, TEXT, b"so be it"))
        else:
            wire.reset()

    return script


async def deliver(server: ScriptedServer, count: int = 1) -> None:
    sink = WebhookSink(f"{server.url}/hook/very-secret-path")
    await sink.open()
    try:
        async with asyncio.timeout(5):
            for number in range(count):
                await sink.deliver(an_answer("Grüße", id=f"a/{number}", metadata={"row": 7}))
    finally:
        await sink.close()


async def test_an_answer_is_posted_as_json() -> None:
    """One object an answer, over a connection that is kept."""
    async with ScriptedServer(answering(202)) as server:
        await deliver(server, count=3)
    assert [(request.method, request.target) for request in server.received] == [("POST", "/hook/very-secret-path")] * 3
    assert [request.json["id"] for request in server.received] == ["a/0", "a/1", "a/2"]
    told = server.received[0].json
    assert (told["schema"], told["status"], told["text"]) == ("batchrun.webhook/1", "done", "Grüße")
    assert (told["metadata"], told["stop_reason"]) == ({"row": 7}, "end_turn")
    assert server.received[0].headers["content-type"] == "application/json"
    assert "batchrun-signature" not in server.received[0].headers
    assert len(server.wires) == 1


@pytest.mark.parametrize("statuses", [(500, 200), (429, 503, 200), (0, 201), (408, 409, 425, 502, 504, 200)])
async def test_what_may_pass_is_tried_again(statuses: tuple[int, ...]) -> None:
    """Servers that are busy, broken or not there; in the end it is taken once."""
    async with ScriptedServer(answering(*statuses)) as server:
        await deliver(server)
    assert len(server.received) == len(statuses)
    assert len({json.dumps(request.json) for request in server.received}) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 422])
async def test_a_refusal_is_meant(status: int) -> None:
    """It is asked once; what it says is told, and where it goes to is not."""
    async with ScriptedServer(answering(status)) as server:
        with pytest.raises(SinkFailed, match=f"status {status} so be it") as caught:
            await deliver(server)
    assert len(server.received) == 1
    assert "very-secret-path" not in str(caught.value)


async def test_it_is_given_up_in_the_end() -> None:
    """So the item is kept and delivered by the next run."""
    async with ScriptedServer(answering(503)) as server:
        with pytest.raises(SinkFailed, match="503"):
            await deliver(server)
    assert len(server.received) == webhook.TRIES


async def test_a_receiver_that_never_answers_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try has its time, and all of them together have theirs."""
    monkeypatch.setattr(webhook, "ANSWER_SECONDS", 0.02)

    async def script(wire: Wire, request: Received) -> None:
        await wire.until_the_client_goes()

    async with ScriptedServer(script) as server:
        with pytest.raises(SinkFailed, match="no answer within"):
            await deliver(server)
        sink = WebhookSink(server.url, time_limit=0.03)
        await sink.open()
        with pytest.raises(SinkFailed, match="not taken within"):
            await sink.deliver(an_answer())
        await sink.close()


async def test_with_a_secret_it_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the secret can tell the bytes from a stranger's, and when they were sent."""
    monkeypatch.setenv(SECRET, "sesame\n")
    async with ScriptedServer(answering(200)) as server:
        await deliver(server)
    [request] = server.received
    at, _, digest = request.headers["batchrun-signature"].partition(",v1=")
    said = b"%b.%b" % (at.removeprefix("t=").encode(), request.body)
    assert digest == hmac.new(b"sesame", said, hashlib.sha256).hexdigest()


def test_another_body_another_time_or_another_secret_is_another_signature() -> None:
    """Nothing of it can be exchanged."""
    signed = {signature(*parts) for parts in ((b"a", b"x", 1), (b"b", b"x", 1), (b"a", b"y", 1), (b"a", b"x", 2))}
    assert len(signed) == 4


def test_answers_do_not_travel_unencrypted(tmp_path: Path) -> None:
    """But on this machine, or where somebody says that nobody listens."""
    with pytest.raises(ConfigError, match="unencrypted") as caught:
        build_sink(SinkConfig(tmp_path, webhooks=("http://hooks.test/very-secret-path",)))
    assert "very-secret-path" not in str(caught.value)
    for config in (
        SinkConfig(tmp_path, webhooks=("http://hooks.test/x",), insecure_http=True),
        SinkConfig(tmp_path, webhooks=("http://127.0.0.1:1/x",)),
        SinkConfig(tmp_path, webhooks=("https://hooks.test/very-secret-path",)),
    ):
        sink = build_sink(config)
        assert sink is not None
        assert not sink.wants_deltas
        assert "very-secret-path" not in f"{sink.name} {sink!r}"
