"""The Messages API through the official SDK's client: credentials, headers and base URL are its own, retries are ours.

The body goes out as bytes that we made and comes back as bytes that we decode: the SDK's typed events cost seven
times as much and hide the pings. Importing this module imports the SDK (a second, 80 MB): only a run that sends may
do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anthropic
import httpx2
import orjson

from batchrun.errors import CredentialsError, NoCredentialsError
from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.masking import scrubbed
from batchrun.providers.credential import given_key, require_safe, sendable, unanswered_without_key
from batchrun.providers.failures import cause_of_status, retry_after
from batchrun.providers.provider import BackendConfig, ConnectionWatch, HearsQuotas, Request, Wire
from batchrun.providers.proxy import proxy_for
from batchrun.providers.reply import WIRE_ERRORS, HttpReply, broken, hand_on_quotas, nobody, replying, unanswered
from batchrun.providers.transport import CONNECTION_WATCH, PacedTransport, client_over

NO_CREDENTIALS = (
    "no credentials for {base_url}; set ANTHROPIC_API_KEY, or for cron put the key into a file with mode 0600 and give "
    "--key-file FILE"
)
NOT_CLAUDES = "no key: Claude's own does not go there unless key_env names it"
NO_KEY = "none"  # never sent
EMBEDDED_KEY = "sk-embedded-0"  # no word: wherever a key stands in a message it is made illegible
RAW = {
    "X-Stainless-Raw-Response": "stream",  # the SDK's own mark for "leave the body on the wire"
    "Accept-Encoding": "identity",  # a compressed stream arrives in one lump
}
# What the SDK sends along with every request of every client; it is meant for Claude, and may be a secret.
HEADERS_OF_THE_ENVIRONMENT = "ANTHROPIC_CUSTOM_HEADERS"


class AnthropicProvider:
    """Asks one base URL with one credential, on as many connections as there are slots."""

    wire = Wire.MESSAGES

    def __init__(self, backend: BackendConfig, max_slots: int) -> None:
        self._transport = transport = PacedTransport(keepalive=max_slots)
        self._backend = backend
        self._heard: HearsQuotas = nobody
        key = _explicit_key(backend)
        self._client = anthropic.AsyncAnthropic(
            # With a key in hand the SDK looks for none, neither in the environment nor in profiles.
            api_key=key if backend.claudes_key else key or NO_KEY,
            base_url=backend.base_url,
            max_retries=0,
            timeout=None,
            http_client=client_over(transport),
        )
        if key is None and not backend.claudes_key:
            self._client.api_key = None
        self._client.api_key = sendable(self._client.api_key, "API key")
        self._client.auth_token = sendable(self._client.auth_token, "auth token")
        self._secret = self._client.api_key or self._client.auth_token
        self.base_url = str(self._client.base_url).rstrip("/")
        self.credential = self._kind_of_credential(backend)
        self._headers = _headers(backend, key)
        require_safe(self._client.base_url, backend)
        transport.use_proxy(proxy_for(self.base_url))

    def __repr__(self) -> str:
        return f"<AnthropicProvider {self.base_url} by {self.credential}>"

    @asynccontextmanager
    async def open(self, request: Request, connect_timeout: float, watch: ConnectionWatch) -> AsyncIterator[HttpReply]:
        async with replying(await self._send(request, connect_timeout, watch), self._secret) as reply:
            yield reply

    async def warm(self, connect_timeout: float) -> None:
        # A timeout around it all: the transport's own covers the connecting, not the wait for an answer.
        with contextlib.suppress(anthropic.AnthropicError, TimeoutError):
            async with asyncio.timeout(connect_timeout):
                await self._client.get(
                    "/v1/models?limit=1", cast_to=httpx2.Response, options={"headers": self._headers}
                )

    def listen(self, heard: HearsQuotas) -> None:
        self._heard = heard

    async def drop(self) -> None:
        await self._transport.drop()

    def scrubbed(self, text: str) -> str:
        return scrubbed(text, self._secret)

    async def close(self) -> None:
        await self._client.close()

    def _kind_of_credential(self, backend: BackendConfig) -> str:
        if backend.simulated:
            return "none needed"
        if backend.key_file is not None:
            return f"API key from {backend.key_file}"
        if backend.key_env is not None:
            return f"API key from {backend.key_env}"
        if self._client.api_key:
            return "API key from the environment"
        if self._client.auth_token:
            return "auth token from the environment"
        if self._client.credentials is not None:
            return "profile or workload identity"
        if not backend.claudes_key:
            return NOT_CLAUDES if backend.is_claude else "no key"
        raise NoCredentialsError(NO_CREDENTIALS.format(base_url=self.base_url))

    async def _send(self, request: Request, connect_timeout: float, watch: ConnectionWatch) -> httpx2.Response:
        token = CONNECTION_WATCH.set(watch)
        began = asyncio.get_running_loop().time()
        try:
            response = await self._post(self._client, request, connect_timeout)
            hand_on_quotas(response.headers, began, self._heard)
            return response
        except anthropic.APIStatusError as exc:
            hand_on_quotas(exc.response.headers, began, self._heard)
            raise AttemptFailed(self._refusal(exc)) from exc
        except anthropic.APIConnectionError as exc:
            raise AttemptFailed(unanswered(exc, self._secret)) from exc
        except WIRE_ERRORS as exc:  # in the body of an error, which the SDK reads before it tells of it
            raise AttemptFailed(broken(exc, self._secret, None)) from exc
        except anthropic.AnthropicError as exc:  # a credential that could not be loaded or refreshed
            message = scrubbed(str(exc), self._secret)
            raise AttemptFailed(Failure(Cause.CREDENTIALS, message)) from exc
        finally:
            CONNECTION_WATCH.reset(token)

    async def _post(
        self, client: anthropic.AsyncAnthropic, request: Request, connect_timeout: float
    ) -> httpx2.Response:
        try:
            return await client.post(
                "/v1/messages",
                cast_to=httpx2.Response,
                content=orjson.dumps(request.body | {"stream": request.stream}),
                options={
                    "headers": {
                        **self._headers,
                        **RAW,
                        "Accept": "text/event-stream" if request.stream else "application/json",
                    },
                    "timeout": httpx2.Timeout(None, connect=connect_timeout),
                },
            )
        except anthropic.AuthenticationError:
            if client.credentials is None or client.max_retries:
                raise
        # A short-lived token went bad. With retries off the SDK never forgets it; with one it does, and asks again.
        return await self._post(client.with_options(max_retries=1), request, connect_timeout)

    def _refusal(self, exc: anthropic.APIStatusError) -> Failure:
        text = exc.api_message or str(exc.body or "") or exc.message
        if exc.status_code == 401 and self._secret is None and self._client.credentials is None:
            text = unanswered_without_key(text, self._backend)
        return Failure(
            cause=cause_of_status(exc.status_code, exc.error_code),
            message=scrubbed(text, self._secret),
            status=exc.status_code,
            retry_after=retry_after(exc.response.headers, datetime.now(UTC), exc.status_code),
            request_id=exc.request_id,
        )


def _headers(backend: BackendConfig, key: str | None) -> dict[str, str | anthropic.Omit]:
    """What goes out with each request beside the SDK's own; an `Omit` keeps back what the SDK would send."""
    headers: dict[str, str | anthropic.Omit] = {}
    if backend.simulated or not backend.claudes_key:
        lines = os.environ.get(HEADERS_OF_THE_ENVIRONMENT, "").split("\n")
        headers |= {line.partition(":")[0].strip(): anthropic.omit for line in lines if ":" in line}
        headers["Authorization"] = anthropic.omit if key is None else f"Bearer {key}"
    if backend.betas:
        headers["anthropic-beta"] = ",".join(backend.betas)
    return headers | dict(backend.headers)


def _explicit_key(backend: BackendConfig) -> str | None:
    """A key of our own finding; None leaves the finding to the SDK.

    Raises:
        CredentialsError: the named variable is not set. The SDK would then send the key of another backend.
    """
    if backend.simulated:
        return EMBEDDED_KEY
    key = given_key(backend)
    if key is None and backend.key_env is not None:
        raise CredentialsError(
            f"{backend.key_env} is not set; set it, or take key_env out of [backends.{backend.name}]"
        )
    return key
