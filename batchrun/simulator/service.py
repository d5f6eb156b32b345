"""What happens to a request: routed, checked, given its fault and its answer. No sockets here."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

import orjson

from batchrun.simulator.answers import answer_for
from batchrun.simulator.api_error import ApiError, error_of
from batchrun.simulator.checks import check_count
from batchrun.simulator.dialect import CHAT_API, MESSAGES_API, Body, Dialect
from batchrun.simulator.directives import directives_in
from batchrun.simulator.faults import Fault, FaultKind
from batchrun.simulator.limit_headers import refusal_headers
from batchrun.simulator.limits import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, Limits
from batchrun.simulator.lot import fault_of
from batchrun.simulator.models import chat_model_facts, chat_model_list, model_facts, model_page
from batchrun.simulator.repertoire import answer_script
from batchrun.simulator.request import input_tokens, prompt_of, request_hash, system_tokens
from batchrun.simulator.request_log import RequestLog
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.script import Ending, Part, Script, json_script
from batchrun.simulator.stand_ins import gateway_page
from batchrun.simulator.stats import Stats

# The API's own limit for a Messages request.
MAX_BODY_BYTES = 32 * 1024 * 1024

_MESSAGES, _COUNT, _CHAT = "/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions"
_MODELS, _STATS = "/v1/models", "/_simulator/stats"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came; header names are in lower case. `body` is empty where it was `too_large` to keep;
    `is_first`: its connection served none before it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False
    is_first: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """What the log tells of one message request."""

    request: str | None
    seen: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the script that answers it; `entry` is None for requests that are not logged."""

    script: Script
    entry: Entry | None = None


class Service:
    """Answers requests, and remembers how often it saw each message request: 100 bytes for each different one."""

    def __init__(self, scenario: Scenario, log: RequestLog, stats: Stats) -> None:
        self.stats = stats
        self._scenario = scenario
        self._log = log
        self._seen: dict[tuple[str, str], int] = {}
        self._limits = Limits(scenario, time.monotonic())
        self._request_ids = count(1)
        # Request ids of two simulators must not be confused in one log.
        self._request_id_head = f"req_{os.getpid():06x}{int(time.time()):08x}"
        self._routes: dict[str, tuple[str, Callable[[HttpRequest, str], Exchange]]] = {
            _MESSAGES: ("POST", partial(self._answer, MESSAGES_API)),
            _CHAT: ("POST", partial(self._answer, CHAT_API)),
            _COUNT: ("POST", self._count_tokens),
            _MODELS: ("GET", self._models),
        }

    def __repr__(self) -> str:
        return f"<Service {self.stats.requests} requests, {self.stats.in_flight} in flight>"

    def open(self, request: HttpRequest) -> Exchange:
        """Decide how a request is answered. Each exchange must be given to `close` once."""
        self.stats.requests += 1
        self.stats.in_flight += 1
        request_id = self._new_request_id()
        if request.path == _STATS:
            return Exchange(json_script(200, orjson.dumps(self.stats.snapshot()), request_id))
        route = self._routes.get(request.path)
        if route is None and request.path.startswith(_MODELS + "/"):
            route = "GET", self._model
        if route is None:
            return _refused(ApiError(404, f"Not found: {request.path}"), request_id, _dialect_of(request))
        method, handle = route
        if request.method != method:
            error = ApiError(405, f"Method not allowed: {request.path} takes {method}")
            return Exchange(_dialect_of(request).refuse(error, request_id, {"allow": method}))
        return handle(request, request_id)

    def open_malformed(self, what: str) -> Exchange:
        """Decide the same for bytes that are no HTTP request; the connection ends with the answer."""
        self.stats.requests += 1
        self.stats.in_flight += 1
        script = MESSAGES_API.refuse(ApiError(400, f"This is not HTTP/1.1: {what}"), self._new_request_id())
        return Exchange(replace(script, ending=Ending.CLOSE))

    def close(self, exchange: Exchange, *, sent_events: int, ended: str) -> None:
        """Nothing more is sent: `ended` is `sent` (all that the script holds), `client_gone` or `stopped`."""
        self.stats.in_flight -= 1
        self.stats.events_sent += sent_events
        if ended == "client_gone":
            self.stats.disconnects += 1
        if (entry := exchange.entry) is not None:
            self._log.ended(
                request=entry.request,
                seen=entry.seen,
                fault=str(entry.fault),
                status=exchange.script.status,
                sent_events=sent_events,
                ended=ended,
            )

    def _new_request_id(self) -> str:
        return f"{self._request_id_head}{next(self._request_ids):08x}"

    def _answer(self, dialect: Dialect, request: HttpRequest, request_id: str) -> Exchange:
        body, error = _parsed(request, dialect)
        error = error or dialect.check(body, request.headers, self._scenario)
        if error is not None:
            entry = self._logged(*_facts_of(body), fault=Fault())
            return Exchange(dialect.refuse(error, request_id), entry)
        asked = dialect.request(body)
        key, prompt = request_hash(asked), prompt_of(asked)
        if wait := self._wait_for(asked):
            # Not counted as seen: the faults of a night must not hang on how fast the client is.
            seen, fault = self._seen.get((dialect.name, key), 0), Fault(FaultKind.STATUS, status=429)
            entry = self._logged(key, prompt, seen, fault=fault)
            return Exchange(dialect.refuse(error_of(429), request_id, self._quota_headers(dialect, wait)), entry)
        seen, fault = self._meet(dialect, key, prompt, request)
        entry = self._logged(key, prompt, seen, fault=fault)
        if fault.kind is FaultKind.STATUS:
            return Exchange(self._scripted_refusal(dialect, fault, request_id), entry)
        headers, wording = self._quota_headers(dialect), dialect.wording(body, self._scenario)
        part = Part(answer_for(asked), bool(body.get("stream")), fault, self._scenario, request_id, wording, headers)
        return Exchange(answer_script(part), entry)

    def _wait_for(self, asked: Body) -> int:
        """Whole seconds that the client is told to wait, as the API tells them; 0 where it is admitted."""
        wait = math.ceil(self._limits.admit(_costs_of(asked), time.monotonic())) if self._limits else 0
        if wait:
            self.stats.refused += 1
        else:
            self.stats.admitted += 1
        return wait

    def _quota_headers(self, dialect: Dialect, wait: float | None = None) -> dict[str, str]:
        if not (self._limits and self._scenario.quota_headers):
            return {}
        return dialect.limit_headers(self._limits.standings(time.monotonic()), wait, time.time())

    def _meet(self, dialect: Dialect, key: str, prompt: str, request: HttpRequest) -> tuple[int, Fault]:
        """How often the request was seen before, and which fault it meets this time."""
        seen = self._seen.get((dialect.name, key), 0)
        self._seen[dialect.name, key] = seen + 1
        fault = fault_of(self._scenario, key, seen, directives_in(prompt).fault_for(seen))
        if fault.kind is FaultKind.STALE and request.is_first:
            fault = Fault()
        if fault.kind is not FaultKind.NONE:
            self.stats.count_fault(str(fault))
        return seen, fault

    def _scripted_refusal(self, dialect: Dialect, fault: Fault, request_id: str) -> Script:
        headers = refusal_headers(fault, self._scenario.retry_after, dialect.limit_headers, time.time())
        if "html" in fault.options:
            return gateway_page(fault.status, request_id, headers)
        return dialect.refuse(error_of(fault.status, fault.options.get("code")), request_id, headers)

    def _logged(self, key: str | None, prompt: str | None, seen: int = 0, *, fault: Fault) -> Entry:
        self._log.arrived(request=key, prompt=prompt, seen=seen, fault=str(fault))
        return Entry(key, seen, fault)

    def _count_tokens(self, request: HttpRequest, request_id: str) -> Exchange:
        body, error = _parsed(request, MESSAGES_API)
        if error := error or check_count(body):
            return _refused(error, request_id, MESSAGES_API)
        tokens = {"input_tokens": input_tokens(body) + system_tokens(body)}
        return Exchange(json_script(200, orjson.dumps(tokens), request_id))

    def _models(self, request: HttpRequest, request_id: str) -> Exchange:
        dialect = _dialect_of(request)
        if error := dialect.check_headers(request.headers):
            return _refused(error, request_id, dialect)
        told = chat_model_list() if dialect is CHAT_API else model_page()
        return Exchange(json_script(200, orjson.dumps(told), request_id))

    def _model(self, request: HttpRequest, request_id: str) -> Exchange:
        model = request.path.removeprefix(_MODELS + "/")
        dialect = _dialect_of(request)
        error = dialect.check_headers(request.headers) or dialect.check_model(model)
        if error:
            return _refused(error, request_id, dialect)
        told = chat_model_facts(model) if dialect is CHAT_API else model_facts(model)
        return Exchange(json_script(200, orjson.dumps(told), request_id))


def _dialect_of(request: HttpRequest) -> Dialect:
    """For what both APIs have. Clients of the Messages API name its version, or at least send their key in its way."""
    is_messages = "anthropic-version" in request.headers or "x-api-key" in request.headers
    return MESSAGES_API if is_messages or request.path.startswith(_MESSAGES) else CHAT_API


def _refused(error: ApiError, request_id: str, dialect: Dialect) -> Exchange:
    return Exchange(dialect.refuse(error, request_id))


def _costs_of(asked: Body) -> dict[str, float]:
    """What a request takes out of each bucket; what is read from a cache takes nothing."""
    answer = answer_for(asked)
    tokens = answer.input_tokens + answer.cache_creation_input_tokens
    return {REQUESTS: 1.0, INPUT_TOKENS: tokens, OUTPUT_TOKENS: answer.output_tokens}


def _parsed(request: HttpRequest, dialect: Dialect) -> tuple[Any, ApiError | None]:
    """The body as JSON (None where it is none), or the error that keeps it from being looked at."""
    if request.too_large:
        return None, ApiError(413, f"The request is larger than {MAX_BODY_BYTES} bytes.")
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as exc:
        error = ApiError(400, f"The request body is not valid JSON: {exc}")
        return None, dialect.check_headers(request.headers) or error
    return body, dialect.check_headers(request.headers)


def _facts_of(body: object) -> tuple[str | None, str | None]:
    """The hash and the prompt of a body that was refused, as far as it has them."""
    if not isinstance(body, dict):
        return None, None
    messages = body.get("messages")
    readable = isinstance(messages, list) and all(isinstance(message, dict) for message in messages)
    return request_hash(body), prompt_of(body) if readable else None
