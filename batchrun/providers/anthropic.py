"""The Messages API through the official SDK's client: credentials, headers and base URL are its own, retries are ours.

The body goes out as bytes that we made and comes back as bytes that we decode: the SDK's typed events cost seven
times as much and hide the pings. Importing this module imports the SDK (a second, 80 MB): only a run that sends may
do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anthropic
import httpcore2
import httpx2
import orjson

from batchrun.errors import ConfigError, CredentialsError
from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.failures import cause_of_status, kept_message, retry_after
from batchrun.providers.key_file import read_key
from batchrun.providers.provider import BackendConfig, ConnectionWatch, Request
from batchrun.providers.transport import CONNECTION_WATCH, LOOPBACK, PacedTransport, Pacer, pacer_of, proxy_for

NO_CREDENTIALS = (
    "no credentials for {base_url}; set ANTHROPIC_API_KEY, or for cron put the key into a file with mode 0600 and give "
    "--key-file FILE; to try batchrun without a key add --simulate"
)
UNSENDABLE = "the {kind} holds a character that no header can carry; copy it again, in one line without spaces"
# What a connection can die of once it stands. The transport's errors come through as they are where the SDK only reads.
WIRE_ERRORS = (httpx2.HTTPError, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)
HEADERS = {
    "X-Stainless-Raw-Response": "stream",  # the SDK's own mark for "leave the body on the wire"
    "Accept-Encoding": "identity",  # a compressed stream arrives in one lump
}


class AnthropicReply:
    """A 200 of the Messages API, its body still on the wire."""

    def __init__(self, response: httpx2.Response, secret: str | None) -> None:
        self._response = response
        self._secret = secret
        self._pacer = pacer_of(response) or Pacer()

    def __repr__(self) -> str:
        return f"<AnthropicReply {self._response.headers.get('request-id')}>"

    @property
    def is_stream(self) -> bool:
        return self._content_type.startswith("text/event-stream")

    @property
    def _content_type(self) -> str:
        return str(self._response.headers.get("content-type", "")).lower()

    def require_known_type(self) -> None:
        """A gateway's page or a captive portal's also comes with status 200."""
        if not self.is_stream and "json" not in self._content_type:
            kind = self._content_type[:100] or "no content type"
            message = kept_message(f"status 200 with {kind}: some gateway's page, not an answer", self._secret)
            raise AttemptFailed(Failure(Cause.SERVER_ERROR, message, status=200))

    async def chunks(self) -> AsyncIterator[bytes]:
        encoded = self._response.headers.get("content-encoding", "identity") != "identity"
        body = self._response.aiter_bytes() if encoded else self._response.aiter_raw()
        try:
            async for chunk in body:
                yield chunk
        except WIRE_ERRORS as exc:
            raise AttemptFailed(_broken(exc, self._secret, _request_id(self._response))) from exc

    def pace(self, seconds: float) -> None:
        self._pacer.tick = seconds

    async def close(self) -> None:
        # The next owner of the connection must find it unpaced.
        self._pacer.tick = 0.0
        await self._response.aclose()


class AnthropicProvider:
    """Asks one base URL with one credential, on as many connections as there are slots."""

    def __init__(self, backend: BackendConfig, max_slots: int) -> None:
        transport = PacedTransport(keepalive=max_slots)
        # follow_redirects off: the key would travel to another origin. trust_env off: netrc is not ours to read.
        http_client = httpx2.AsyncClient(transport=transport, follow_redirects=False, trust_env=False, timeout=None)
        self._client = anthropic.AsyncAnthropic(
            api_key=_explicit_key(backend),
            base_url=backend.base_url,
            max_retries=0,
            timeout=None,
            http_client=http_client,
        )
        self._client.api_key = _sendable(self._client.api_key, "API key")
        self._client.auth_token = _sendable(self._client.auth_token, "auth token")
        self._secret = self._client.api_key or self._client.auth_token
        self.base_url = str(self._client.base_url).rstrip("/")
        self.credential = self._kind_of_credential(backend)
        _require_safe(self._client.base_url, insecure_http=backend.insecure_http)
        transport.use_proxy(proxy_for(self.base_url))

    def __repr__(self) -> str:
        return f"<AnthropicProvider {self.base_url} by {self.credential}>"

    @asynccontextmanager
    async def open(
        self, request: Request, connect_timeout: float, watch: ConnectionWatch
    ) -> AsyncIterator[AnthropicReply]:
        reply = AnthropicReply(await self._send(request, connect_timeout, watch), self._secret)
        try:
            reply.require_known_type()
            yield reply
        finally:
            await reply.close()

    async def warm(self, connect_timeout: float) -> None:
        # A timeout around it all: the transport's own covers the connecting, not the wait for an answer.
        with contextlib.suppress(anthropic.AnthropicError, TimeoutError):
            async with asyncio.timeout(connect_timeout):
                await self._client.get("/v1/models?limit=1", cast_to=httpx2.Response)

    def kept(self, text: str) -> str:
        return kept_message(text, self._secret)

    async def close(self) -> None:
        await self._client.close()

    def _kind_of_credential(self, backend: BackendConfig) -> str:
        if backend.simulated:
            return "none needed"
        if backend.key_file is not None:
            return f"API key from {backend.key_file}"
        if self._client.api_key:
            return "API key from the environment"
        if self._client.auth_token:
            return "auth token from the environment"
        if self._client.credentials is not None:
            return "profile or workload identity"
        raise CredentialsError(NO_CREDENTIALS.format(base_url=self.base_url))

    async def _send(self, request: Request, connect_timeout: float, watch: ConnectionWatch) -> httpx2.Response:
        token = CONNECTION_WATCH.set(watch)
        try:
            return await self._post(self._client, request, connect_timeout)
        except anthropic.APIStatusError as exc:
            raise AttemptFailed(self._refusal(exc)) from exc
        except anthropic.APIConnectionError as exc:
            raise AttemptFailed(self._no_connection(exc)) from exc
        except WIRE_ERRORS as exc:  # in the body of an error, which the SDK reads before it tells of it
            raise AttemptFailed(_broken(exc, self._secret, None)) from exc
        except anthropic.AnthropicError as exc:  # a credential that could not be loaded or refreshed
            message = kept_message(str(exc), self._secret)
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
                    "headers": HEADERS | {"Accept": "text/event-stream" if request.stream else "application/json"},
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
        return Failure(
            cause=cause_of_status(exc.status_code, exc.error_code),
            message=kept_message(text, self._secret),
            status=exc.status_code,
            retry_after=retry_after(exc.response.headers, datetime.now(UTC)),
            request_id=exc.request_id,
        )

    def _no_connection(self, exc: anthropic.APIConnectionError) -> Failure:
        chain = list(_causes(exc))
        message = kept_message(str(chain[1] if len(chain) > 1 else exc), self._secret)
        if any(isinstance(link, OSError) and link.errno in (errno.EMFILE, errno.ENFILE) for link in chain):
            return Failure(Cause.LOCAL, "too many open files")
        if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
            return Failure(Cause.TLS, message)
        unreached = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.ProxyError)
        cause = Cause.CONNECT if any(isinstance(link, unreached) for link in chain) else Cause.BROKEN
        return Failure(cause, message)


def _require_safe(url: httpx2.URL, *, insecure_http: bool) -> None:
    """The URL may also come from the environment or a profile, so it is looked at once it is resolved."""
    if url.userinfo:
        raise ConfigError("base URL: a name and password stand in it, which would be printed; leave them out")
    if insecure_http:
        return
    if url.scheme != "https" and url.host not in LOOPBACK:
        remedy = "use https, or add --insecure-http if you know that nobody listens"
        raise ConfigError(f"base URL {url}: the key would travel unencrypted; {remedy}")


def _sendable(secret: str | None, kind: str) -> str | None:
    """Without the line end that most ways of storing it leave. Anything odder would fail every request of the night, in
    a message that quotes it."""
    secret = None if secret is None else secret.strip()
    if secret and not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise CredentialsError(UNSENDABLE.format(kind=kind))
    return secret


def _explicit_key(backend: BackendConfig) -> str | None:
    """A key of our own finding; None leaves the finding to the SDK."""
    if backend.simulated:
        return "simulated"
    return None if backend.key_file is None else read_key(backend.key_file)


def _broken(exc: Exception, secret: str | None, request_id: str | None) -> Failure:
    message = kept_message(f"the connection broke in mid-answer ({exc})", secret)
    return Failure(Cause.BROKEN, message, request_id=request_id)


def _request_id(response: httpx2.Response) -> str | None:
    told = response.headers.get("request-id")
    return str(told) if told is not None else None


def _causes(exc: BaseException) -> list[BaseException]:
    """The exception and what led to it, outermost first; where several addresses were tried, what each led to."""
    chain: list[BaseException] = []
    ahead: list[BaseException | None] = [exc]
    while ahead:
        link = ahead.pop(0)
        if link is None or link in chain:
            continue
        chain.append(link)
        ahead.append(link.__cause__ or link.__context__)
        ahead.extend(link.exceptions if isinstance(link, BaseExceptionGroup) else ())
    return chain
