"""Many checkpoint lines read at once, where each stands as this program writes it. Pure: no file.

A start reads a million lines, and to parse each as JSON takes three times as long. What is read here is what
`record.parse` would read; a line that is anything else (an id with an escape in it, damage, another program's order of
keys) leaves its whole block to whoever reads line by line.
"""

from __future__ import annotations

import re
from binascii import hexlify
from operator import add
from struct import pack
from typing import NamedTuple
from zlib import crc32

import orjson

from batchrun.outcome import Status

# `,"crc":"` + 8 hex digits + `"}` + newline.
_SEAL_LENGTH = 19
# A line up to its seal, and in it what a start wants to know; then the digits of the seal. What lies between is passed
# over, for the CRC vouches for it; bounded, so that forged bytes cannot make the search long.
_LINE = re.compile(
    rb'(\{"id":"([^"\\\x00-\x1f]+)","status":("[a-z]+","final":[a-z]+),"tokens":.{0,4096}'
    rb',"request":"([0-9a-f]{16})","result":\[([0-9]{1,15}),([0-9]{1,15})\],"started":".{0,4096})'
    rb',"crc":"(.{8})"\}\n'
)
# Status and `final` as they stand in a line.
_ENDINGS = {
    b'"%s","final":%s' % (status.encode(), word): (str(status), final)
    for status in Status
    for word, final in ((b"true", True), (b"false", False))
}


class Block(NamedTuple):
    """So many records in the order of their lines; an ending is status and `final`. Results stand in results.jsonl one
    behind the other, without a gap, from `start` to `end`."""

    ids: list[str]
    requests: list[str]
    endings: list[tuple[str, bool]]
    offsets: list[int]
    lengths: list[int]
    start: int
    end: int


def read_block(lines: bytes) -> Block | None:
    """The records in whole lines that stand one behind the other; None where one of them is not plain."""
    found = _LINE.findall(lines)
    if not found:
        return None
    bodies, ids, endings, requests, offsets, lengths, seals = zip(*found, strict=True)
    # Where no byte is left over, each body begins where a line begins.
    is_whole = sum(map(len, bodies)) + _SEAL_LENGTH * len(found) == len(lines)
    if not is_whole or _seals_of(bodies) != b"".join(seals):
        return None
    try:
        texts = b"\n".join(ids + requests).decode().split("\n")
        known = [_ENDINGS[ending] for ending in endings]
        starts, sizes = _numbers(offsets), _numbers(lengths)
    except (ValueError, KeyError):
        return None
    ends = list(map(add, starts, sizes))
    if starts[1:] != ends[:-1] or min(sizes) == 0:
        return None
    return Block(texts[: len(found)], texts[len(found) :], known, starts, sizes, starts[0], ends[-1])


def _seals_of(bodies: tuple[bytes, ...]) -> bytes:
    """The hex digits that the bodies must be sealed with, one behind the other."""
    return hexlify(pack(f">{len(bodies)}I", *map(crc32, bodies)))


def _numbers(digits: tuple[bytes, ...]) -> list[int]:
    numbers: list[int] = orjson.loads(b"[" + b",".join(digits) + b"]")
    return numbers
