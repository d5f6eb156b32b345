"""Chat completions as OpenAI defined them and Ollama, vLLM and many gateways speak them: plain HTTP, no SDK.

Knows headers, URL and errors of that API; what a stream of it says is read elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import httpx2
import orjson

from batchrun import __version__
from batchrun.failure import AttemptFailed, Failure
from batchrun.masking import scrubbed
from batchrun.providers.chat_errors import ChatError, error_in
from batchrun.providers.credential import given_key, require_safe, unanswered_without_key
from batchrun.providers.failures import retry_after
from batchrun.providers.provider import BackendConfig, ConnectionWatch, HearsQuotas, Request, Wire
from batchrun.providers.proxy import proxy_for
from batchrun.providers.reply import (
    WIRE_ERRORS,
    HttpReply,
    broken,
    hand_on_quotas,
    nobody,
    replying,
    request_id_of,
    unanswered,
)
from batchrun.providers.transport import CONNECTION_WATCH, PacedTransport, client_over

OPENAI = "https://api.openai.com/v1"
ASK_FOR_USAGE = {"stream_options": {"include_usage": True}}
# Groq answered an unknown field with 400, Mistral with 422.
REFUSES_A_FIELD = frozenset({400, 422})
MAX_ERROR_BYTES = 64 * 1024  # of the body of an error; what is kept of it in the end are 2 KB


class OpenAIChatProvider:
    """Asks one base URL, which ends in `/v1` as a rule, on as many connections as there are slots.

    Raises:
        ConfigError, CredentialsError: the backend's URL or key cannot be used.
    """

    wire = Wire.CHAT

    def __init__(self, backend: BackendConfig, max_slots: int) -> None:
        self._backend = backend
        self._heard: HearsQuotas = nobody
        url = httpx2.URL(backend.base_url or OPENAI)
        require_safe(url, backend)
        self.base_url = str(url).rstrip("/")
        # In front of the query, which some servers want with every request.
        self._url = url.copy_with(path=url.path.rstrip("/") + "/chat/completions")
        self._secret = None if backend.simulated else given_key(backend)
        self.credential = _kind_of_credential(backend, self._secret)
        self._takes_stream_options = True
        self._transport = transport = PacedTransport(keepalive=max_slots)
        transport.use_proxy(proxy_for(self.base_url))
        self._client = client_over(transport, _headers(backend, self._secret))

    def __repr__(self) -> str:
        return f"<OpenAIChatProvider {self.base_url} by {self.credential}>"

    @asynccontextmanager
    async def open(self, request: Request, connect_timeout: float, watch: ConnectionWatch) -> AsyncIterator[HttpReply]:
        async with replying(await self._ask(request, connect_timeout, watch), self._secret) as reply:
            yield reply

    async def warm(self, connect_timeout: float) -> None:
        """Open a connection and leave it to the next request. Raises nothing: who needs one will see the trouble."""
        url = self._url.copy_with(path=self._url.path.removesuffix("/chat/completions") + "/models")
        # A timeout around it all: the transport's own covers the connecting, not the wait for an answer.
        with suppress(*WIRE_ERRORS, TimeoutError):
            async with asyncio.timeout(connect_timeout):
                await self._client.get(url)

    def listen(self, heard: HearsQuotas) -> None:
        self._heard = heard

    async def drop(self) -> None:
        """Close every connection, those in use too."""
        await self._transport.drop()

    def scrubbed(self, text: str) -> str:
        """The part of a foreign text that may be kept: short, on one line, without the credential."""
        return scrubbed(text, self._secret)

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, request: Request, connect_timeout: float, watch: ConnectionWatch) -> httpx2.Response:
        """The answer to the request, asked a second time without `stream_options` where they were refused: that is no
        fault of the item and costs it no attempt."""
        adds_options = self._takes_stream_options and request.stream and "stream_options" not in request.body
        body = _body(request, ASK_FOR_USAGE if adds_options else {})
        response = await self._send(body, request.stream, connect_timeout, watch)
        if response.is_success:
            return response
        error, text = await self._read_error(response)
        if adds_options and response.status_code in REFUSES_A_FIELD and b"stream_options" in text:
            self._takes_stream_options = False
            return await self._ask(request, connect_timeout, watch)
        raise AttemptFailed(self._failure(response, error))

    async def _send(
        self, body: bytes, is_stream: bool, connect_timeout: float, watch: ConnectionWatch
    ) -> httpx2.Response:
        token = CONNECTION_WATCH.set(watch)
        began = asyncio.get_running_loop().time()
        try:
            request = self._client.build_request(
                "POST",
                self._url,
                content=body,
                headers={"Accept": "text/event-stream" if is_stream else "application/json"},
                timeout=httpx2.Timeout(None, connect=connect_timeout),
            )
            response = await self._client.send(request, stream=True)
            hand_on_quotas(response.headers, began, self._heard)
            return response
        except WIRE_ERRORS as exc:
            raise AttemptFailed(unanswered(exc, self._secret)) from exc
        finally:
            CONNECTION_WATCH.reset(token)

    async def _read_error(self, response: httpx2.Response) -> tuple[ChatError, bytes]:
        """What an answer that is no 200 says, read as far as anybody needs it."""
        text = b""
        try:
            async for chunk in response.aiter_bytes():
                text += chunk
                if len(text) >= MAX_ERROR_BYTES:
                    break
        except WIRE_ERRORS as exc:
            raise AttemptFailed(broken(exc, self._secret, request_id_of(response))) from exc
        finally:
            await response.aclose()
        return _error_of(text), text

    def _failure(self, response: httpx2.Response, error: ChatError) -> Failure:
        status = response.status_code
        message = error.message or response.reason_phrase or f"status {status}"
        if response.has_redirect_location:
            message = f"redirected to {response.headers['location']}, which is not followed; mend the base URL"
        if status == 401 and self._secret is None:
            message = unanswered_without_key(message, self._backend)
        return Failure(
            cause=error.cause(status),
            message=self.scrubbed(message),
            status=status,
            retry_after=retry_after(response.headers, datetime.now(UTC), status),
            request_id=request_id_of(response),
        )


def _headers(backend: BackendConfig, key: str | None) -> httpx2.Headers:
    headers = httpx2.Headers({"User-Agent": f"batchrun/{__version__}", "Content-Type": "application/json"})
    headers["Accept-Encoding"] = "identity"  # a compressed stream arrives in one lump
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    headers.update(backend.headers)
    return headers


def _kind_of_credential(backend: BackendConfig, key: str | None) -> str:
    if backend.simulated:
        return "none needed"
    if backend.key_file is not None:
        return f"API key from {backend.key_file}"
    if backend.key_env is None:
        return "no key"
    return f"API key from {backend.key_env}" if key is not None else f"no key: {backend.key_env} is not set"


def _body(request: Request, options: dict[str, Any]) -> bytes:
    body = request.body | options | {"stream": request.stream}
    if not request.stream:
        body.pop("stream_options", None)  # an error where no stream is asked for
    return orjson.dumps(body)


def _error_of(text: bytes) -> ChatError:
    """The error in the body; where it is none of that API's, its text as it stands."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = None
    error = error_in(document) if isinstance(document, dict) else None
    return error or ChatError(text.decode(errors="replace"))
