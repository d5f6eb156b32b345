"""The process that streams for `bench client`, and the certificate that it shows over TLS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from batchrun.bench.worker import pin, server_core
from batchrun.errors import BatchrunError

END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a self-signed certificate for this machine's loopback, and of its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Streams:
    """What is streamed: so many events a second and stream (0: all at once), so many to an answer."""

    rate: float
    tokens: int
    ttft: float = 0.3


@dataclass(slots=True)
class StreamServer:
    """A server at work. Its own figures are known when it has ended: by how much the 95th percentile of its moments was
    late, and its CPU, in seconds."""

    base_url: str
    late_p95: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def own_certificate() -> Iterator[Certificate | None]:
    """One that lives as long as the block; None where there is no openssl program to make it."""
    openssl = which("openssl")
    if openssl is None:
        yield None
        return
    with TemporaryDirectory() as directory:
        made = Certificate(Path(directory, "certificate.pem"), Path(directory, "key.pem"))
        words = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
        words += ["-keyout", str(made.key), "-out", str(made.certificate)]
        done = subprocess.run(words, capture_output=True, timeout=30, check=False)
        yield made if done.returncode == 0 else None


@contextmanager
def streaming(streams: Streams, certificate: Certificate | None) -> Iterator[StreamServer]:
    """A server that streams so, on a core of its own, for as long as the block.

    Raises:
        BatchrunError: it did not start, or did not end well.
    """
    words = [sys.executable, "-P", "-m", "batchrun.bench.stream_server"]
    words += ["--rate", str(streams.rate), "--tokens", str(streams.tokens), "--ttft", str(streams.ttft)]
    if certificate is not None:
        words += ["--certificate", str(certificate.certificate), "--key", str(certificate.key)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            pin(process.pid, server_core())
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BatchrunError("the server of the bench did not start; what it said stands above")
            scheme = "http" if certificate is None else "https"
            server = StreamServer(f"{scheme}://127.0.0.1:{json.loads(line)['port']}")
            yield server
            said, _ = process.communicate(timeout=END_SECONDS)
            if not said:
                raise BatchrunError("the server of the bench did not end well; what it said stands above")
            server.late_p95, server.cpu_seconds = itemgetter("late_p95", "cpu_seconds")(json.loads(said))
        except subprocess.TimeoutExpired as exc:
            raise BatchrunError("the server of the bench did not end") from exc
        finally:
            process.kill()
