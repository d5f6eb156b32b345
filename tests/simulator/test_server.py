"""The server below the SDK: HTTP as it is on the wire, faults, counters, the log."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from batchrun.simulator.answers import answer_for
from batchrun.simulator.process import SimulatorProcess, start_simulator
from batchrun.simulator.request import request_hash
from batchrun.simulator.service import MAX_BODY_BYTES
from tests.simulator.wire import HEADERS, Wire, body_of, stats_of


def lines_of(log: Path) -> list[dict[str, Any]]:
    """The log, parsed."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def settled(port: int) -> dict[str, Any]:
    """The counters once nothing but the asking itself is in flight; the server needs a turn to see a client go."""
    for _ in range(1000):
        stats = stats_of(port)
        if stats["in_flight"] == 1:
            return stats
    raise AssertionError(f"still in flight: {stats}")


def test_a_connection_serves_many_requests(simulator: SimulatorProcess) -> None:
    """Keep-alive after a stream, a message, an error and a 404."""
    with Wire(simulator.port) as wire:
        for body in (body_of("a", stream=True), body_of("b"), body_of("c [[error=500]]"), body_of("d", stream=True)):
            wire.ask(body)
            assert wire.response().read()
        wire.send("GET", "/nowhere")
        assert wire.answer()[0] == 404
        wire.ask(body_of("e"))
        assert wire.answer()[1]["content"][0]["text"] == answer_for(body_of("e")).text


def test_a_client_that_says_close_is_closed(simulator: SimulatorProcess) -> None:
    """After the answer, not before."""
    with Wire(simulator.port) as wire:
        wire.ask(body_of("a", stream=True), {**HEADERS, "connection": "close"})
        assert b"message_stop" in wire.response().read()
        assert wire.socket.recv(1) == b""


def test_pipelined_requests_are_answered_in_turn(simulator: SimulatorProcess) -> None:
    """Three hundred in one go: in order, and no recursion."""
    with Wire(simulator.port) as wire:
        head = b"GET /v1/models/claude-haiku-5-5 HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 1\r\n\r\n"
        wire.socket.sendall(head * 299 + head.replace(b"host: x", b"connection: close"))
        received = b"".join(iter(lambda: wire.socket.recv(1 << 20), b""))
        # The last one lacks its host, which HTTP/1.1 demands.
        assert received.count(b"HTTP/1.1 200 OK") == 299
        assert received.count(b"HTTP/1.1 400 Bad Request") == 1


def test_a_request_may_come_byte_by_byte(simulator: SimulatorProcess) -> None:
    """However the bytes are cut."""
    body = json.dumps(body_of("ü")).encode()
    with Wire(simulator.port) as wire:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        for byte in f"{head}{fields}\r\n".encode() + body:
            wire.socket.send(bytes([byte]))
        assert wire.answer()[0] == 200


def test_a_client_that_waits_for_100_is_told_to_go_on(simulator: SimulatorProcess) -> None:
    """curl does, for large bodies."""
    body = json.dumps(body_of("a")).encode()
    fields = {**HEADERS, "expect": "100-continue"}
    with Wire(simulator.port) as wire:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        wire.socket.sendall((head + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n").encode())
        assert wire.socket.recv(100).startswith(b"HTTP/1.1 100 ")
        wire.socket.sendall(body)
        assert wire.answer()[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "kind"),
    [
        ("GET", "/v1/nothing", b"", HEADERS, 404, "not_found_error"),
        ("GET", "/v1/messages", b"", HEADERS, 405, "invalid_request_error"),
        ("POST", "/v1/models", b"{}", HEADERS, 405, "invalid_request_error"),
        ("POST", "/v1/messages", b"{", HEADERS, 400, "invalid_request_error"),
        ("POST", "/v1/messages", b"[]", HEADERS, 400, "invalid_request_error"),
        ("POST", "/v1/messages", b'{"model": "claude-x", "max_tokens": 1}', HEADERS, 400, "invalid_request_error"),
        ("POST", "/v1/messages", b"{}", {}, 401, "authentication_error"),
        ("POST", "/v1/messages", b"{}", {"authorization": "Basic eDp5"}, 401, "authentication_error"),
        ("POST", "/v1/messages", b"{}", {"x-api-key": "k"}, 400, "invalid_request_error"),
        ("POST", "/v1/messages/count_tokens", b"{}", HEADERS, 400, "invalid_request_error"),
        ("GET", "/v1/models/", b"", HEADERS, 404, "not_found_error"),
    ],
)
def test_what_the_api_refuses(
    simulator: SimulatorProcess, method: str, path: str, body: bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    """Path, method, JSON, fields, credentials, version: each with its status and its type."""
    with Wire(simulator.port) as wire:
        wire.send(method, path, body, headers)
        answered, error = wire.answer()
    assert (answered, error["type"], error["error"]["type"]) == (status, "error", kind)
    assert error["request_id"].startswith("req_")


@pytest.mark.parametrize("field", ["model", "messages", "max_tokens"])
def test_a_missing_field_is_named(simulator: SimulatorProcess, field: str) -> None:
    """The three that a request must have."""
    body = body_of("a")
    del body[field]
    with Wire(simulator.port) as wire:
        wire.ask(body)
        status, error = wire.answer()
    assert (status, error["error"]["message"]) == (400, f"{field}: field required")


def test_a_body_above_32_mb_is_too_large(simulator: SimulatorProcess) -> None:
    """The client gets to read the 413, and the connection goes on."""
    with Wire(simulator.port) as wire:
        wire.send("POST", "/v1/messages", b" " * (MAX_BODY_BYTES + 1))
        status, error = wire.answer()
        assert (status, error["error"]["type"]) == (413, "request_too_large")
        wire.ask(body_of("a"))
        assert wire.answer()[0] == 200


def test_bytes_that_are_no_http_are_refused_and_closed(simulator: SimulatorProcess) -> None:
    """A 400, then the end."""
    with Wire(simulator.port) as wire:
        wire.socket.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
        assert wire.answer()[0] == 400
        assert wire.socket.recv(1) == b""


def test_faults_reach_the_socket(simulator: SimulatorProcess) -> None:
    """A reset is a reset, a cut an incomplete body, a truncation a clean end, a silence an open socket."""
    with Wire(simulator.port) as wire:
        wire.ask(body_of("[[fault=reset]]", stream=True))
        with pytest.raises(ConnectionResetError):
            wire.response().read()
    with Wire(simulator.port) as wire:
        wire.ask(body_of("[[fault=cut]]", stream=True))
        with pytest.raises(http.client.IncompleteRead):
            wire.response().read()
    with Wire(simulator.port) as wire:
        wire.ask(body_of("[[fault=truncated]]", stream=True))
        assert b"message_stop" not in wire.response().read()
        wire.ask(body_of("after it"))
        assert wire.answer()[0] == 200
    with Wire(simulator.port) as wire:
        wire.ask(body_of("[[fault=silence]]", stream=True))
        response = wire.response()
        wire.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            response.read()


def test_a_client_that_goes_leaves_nothing_behind() -> None:
    """Streams, silences and idle connections: all counted, all given back."""
    with start_simulator("calm", extra=["--ttft", "0"]) as simulator:
        wires = [Wire(simulator.port) for _ in range(30)]
        for number, wire in enumerate(wires):
            wire.ask(body_of(f"{number} {'[[fault=silence]]' if number % 2 else ''}", stream=True))
            assert wire.response().status == 200
        assert stats_of(simulator.port)["in_flight"] == 31
        for wire in wires:
            wire.socket.close()
        stats = settled(simulator.port)
        assert (stats["disconnects"], stats["faults"]) == (30, {"silence": 15})
        assert stats["connections_open"] == 1
        assert stats["events_sent"] > 30
        assert stats["cpu_seconds"] > 0
        assert stats["max_rss"] > 10e6  # no upper bound: on Linux a child begins with its parent's


def test_a_client_that_does_not_read_holds_only_its_own_stream() -> None:
    """A full socket stops that stream, not the server; when it is read, nothing is missing."""
    body = body_of("[[tokens=100000]]", max_tokens=100_000, stream=True)
    with (
        start_simulator(extra=["--ttft", "0", "--tokens-per-second", "1e9"]) as simulator,
        Wire(simulator.port) as wire,
    ):
        wire.ask(body)
        with Wire(simulator.port) as other:
            other.ask(body_of("a"))
            assert other.answer()[0] == 200
        assert stats_of(simulator.port)["in_flight"] == 2
        data = wire.response().read()
        assert data.count(b"event: content_block_delta\n") == 100_000
        assert settled(simulator.port)["events_sent"] == 100_006


def test_the_log_tells_of_each_request_as_it_comes_and_as_it_ends(tmp_path: Path) -> None:
    """In order, with the hash, the prompt, how often it was seen, the fault and what was sent."""
    log = tmp_path / "requests.jsonl"
    good, scripted = body_of("Grüße " + "x" * 300), body_of("Do [[error=529*1]]")
    with start_simulator("instant", log=log) as simulator, Wire(simulator.port) as wire:
        for body in ({**good, "stream": True}, scripted, scripted, {"model": "claude-x"}):
            wire.ask(body)
            wire.response().read()
        wire.send("POST", "/v1/messages", b"{")
        wire.response().read()
    lines = lines_of(log)
    assert [line["event"] for line in lines] == ["request", "end"] * 5
    first, end = lines[:2]
    assert (first["hash"], first["prompt"]) == (request_hash(good), ("Grüße " + "x" * 300)[:200])
    assert (first["seen"], first["fault"]) == (0, "none")
    assert first["t"] <= end["t"]
    assert (end["hash"], end["status"], end["ended"]) == (first["hash"], 200, "sent")
    assert end["sent_events"] == len(answer_for(good).tokens) + 6
    assert [(line["seen"], line["fault"], line["status"]) for line in lines[3:6:2]] == [
        (0, "529", 529),
        (1, "none", 200),
    ]
    assert [line["hash"] for line in lines[2:6]] == [request_hash(scripted)] * 4
    assert [(line["prompt"], line["hash"] is None) for line in lines[6::2]] == [(None, False), (None, True)]
    assert [line["status"] for line in lines[7::2]] == [400, 400]


def test_the_log_is_complete_when_the_client_or_the_server_ends(tmp_path: Path) -> None:
    """A stream whose client goes, and one that the server's own end cuts off: both have their line."""
    log = tmp_path / "requests.jsonl"
    with start_simulator("calm", log=log, extra=["--ttft", "0"]) as simulator, Wire(simulator.port) as stays:
        with Wire(simulator.port) as goes:
            goes.ask(body_of("goes", stream=True))
            assert goes.response().status == 200
        stays.ask(body_of("stays", stream=True))
        assert stays.response().status == 200
        settled_but_one = next(stats for _ in range(1000) if (stats := stats_of(simulator.port))["in_flight"] == 2)
        assert settled_but_one["disconnects"] == 1
        simulator.close()
    ends = {line["hash"]: line["ended"] for line in lines_of(log) if line["event"] == "end"}
    assert ends == {request_hash(body_of("goes")): "client_gone", request_hash(body_of("stays")): "stopped"}


def test_a_seed_gives_the_same_night_in_any_order(tmp_path: Path) -> None:
    """Two servers, two orders, each request twice: the same faults for each."""
    scenario = tmp_path / "night.toml"
    scenario.write_text("ttft = 0\ntokens_per_second = 0\nrate_429 = 0.3\nrate_529 = 0.3\n", encoding="utf-8")
    prompts = [f"Item {number}" for number in range(30)]
    nights = []
    for name, order in (("a", prompts * 2), ("b", prompts[::-1] * 2)):
        log = tmp_path / name
        with start_simulator(str(scenario), seed=7, log=log) as simulator, Wire(simulator.port) as wire:
            for prompt in order:
                wire.ask(body_of(prompt))
                wire.response().read()
        lines = [line for line in lines_of(log) if line["event"] == "end"]
        nights.append({(line["hash"], line["seen"]): line["status"] for line in lines})
    assert nights[0] == nights[1]
    assert set(nights[0].values()) == {200, 429, 529}
    assert len(nights[0]) == 60
