"""Those for whom an export is written, as strict as they come: the SDKs' own types, a CSV reader by RFC 4180."""

from __future__ import annotations

import csv
import io

import orjson
from anthropic.types.messages import MessageBatchIndividualResponse
from anthropic.types.messages.message_batch_result import MessageBatchResult
from openai.types.chat import ChatCompletion
from pydantic import TypeAdapter

from batchrun.export.csv_rows import COLUMNS


def anthropic_line(line: bytes) -> MessageBatchIndividualResponse:
    """Read a line as the SDK's types define it; wrong kinds are errors, and so is a field that is missing."""
    fields = orjson.loads(line)
    TypeAdapter(MessageBatchResult).validate_python(fields["result"], strict=True)
    return MessageBatchIndividualResponse.model_validate(fields, strict=True)


def openai_line(line: bytes) -> ChatCompletion:
    """The completion in a line of an output file, which has exactly these fields."""
    fields = orjson.loads(line)
    assert fields.keys() == {"id", "custom_id", "response", "error"}
    assert fields["error"] is None
    assert fields["response"].keys() == {"status_code", "request_id", "body"}
    assert fields["response"]["status_code"] == 200
    return ChatCompletion.model_validate(fields["response"]["body"], strict=True)


def csv_rows(content: bytes) -> list[dict[str, str]]:
    """CRLF after each record, quotes doubled, each record as long as the header."""
    text = content.decode("utf-8", errors="strict")
    assert text.endswith("\r\n")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="more")
    found = list(reader)
    assert reader.fieldnames == list(COLUMNS)
    assert not any(None in row.values() or "more" in row for row in found)
    return found
