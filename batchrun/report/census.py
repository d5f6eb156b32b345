"""What one pass over the checkpoint lines leaves behind. Pure: lines in, figures out.

A million lines must fit: an id is a key, all else about it are machine numbers in arrays, and of names and messages
only a few of each kind are kept. Which line counts for an id is the journal's rule (C6): an answer before a failure,
else the newer one, and newer is what stands later in results.jsonl.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, count
from operator import itemgetter
from typing import Any

from batchrun.journal.finished import MAX_FAILED_RUNS
from batchrun.outcome import GivenUp, Status
from batchrun.report.early import EarlyEndsSum, is_early
from batchrun.report.examples import Example, Largest, Newest
from batchrun.report.lines import Line, Stretch
from batchrun.report.spread import Spread, spread
from batchrun.report.undelivered import UndeliveredSum
from batchrun.stream.message import USAGE_ESTIMATED

PINNED_CORES = 0.9  # the articles': above it our receive side is the bottleneck ...
NETWORK_CORES = 0.3  # ... and below it the network and the provider set the pace
# Of an item's wall: above it the consumer, and neither provider nor network, is what limits the item.
CONSUMER_SHARE = 0.5

# How an item stands; from _FAILED on it has no answer that counts. From _AGAIN on the next run takes it up: it asks it
# again, or, of _KEPT, delivers an answer that no sink took.
_DONE, _INCOMPLETE, _REFUSED, _FAILED, _AGAIN, _KEPT = range(6)
_CODES: dict[str, int] = {Status.DONE: _DONE, Status.INCOMPLETE: _INCOMPLETE, Status.REFUSED: _REFUSED}
_FAILED_STATUS = Status.FAILED.value  # a member costs a search in its class each time
# Whether its line is of this night, and answered then; or only delivered then, and paid for on an earlier night.
_EARLIER, _TONIGHT, _ANSWERED, _DELIVERED = range(4)
# What is kept of each item: four small marks ...
_MARKS = 4
_CODE, _NIGHT, _FAILED_RUNS, _CAUSE = range(_MARKS)
# ... and five figures, each in a column of its own.
_FIGURES = 5
_WALL, _TTFT, _TOK_S, _ELAPSED, _LOOP_CORES = range(_FIGURES)
_NONE = -1.0  # a figure that the item does not have: nothing was streamed


@dataclass(frozen=True, slots=True)
class Totals:
    """Items by how they stand; `again` says how many of the `failed` the next run takes up again, and `kept` how many
    of those it does not have to ask: their answer is there, and only no sink has taken it. `given_up` are others of
    the `failed`, which it leaves alone."""

    done: int = 0
    incomplete: int = 0
    refused: int = 0
    failed: int = 0
    again: int = 0
    kept: int = 0
    given_up: GivenUp = field(default_factory=GivenUp)

    @property
    def finished(self) -> int:
        return self.done + self.incomplete + self.refused + self.failed


@dataclass(frozen=True, slots=True)
class Loop:
    """The event loop's share of a core during the night's items: how many saw it pinned, how many nearly idle."""

    items: int
    pinned: int
    network: int
    p50: float
    max: float


class Census:
    """`since` is a stamp. Lines that finished then or later are of the night: only they enter sums and figures, while
    the standing of an item, and why it failed, are told whenever that was. `cost_usd` is that of the `priced`
    answers. An answer that was paid for on an earlier night, and only delivered in this one, is none of its figures."""

    def __init__(self, since: str) -> None:
        self.since = since
        self.tokens = 0
        self.wasted_tokens = 0
        self.retried: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.cost_usd = 0.0
        self.priced = 0
        self.unpriced = 0
        self.slowest = Largest(0.0)
        self.most_attempts = Largest(1.0)
        self.culprits = Largest(0.0)
        self.early = EarlyEndsSum()
        self.held_up = 0.0
        self.most_held_up = Largest(0.0)
        self.kinds = Newest()
        self._slot_of: dict[str, int] = {}
        self._offset = array("Q")
        self._marks = bytearray()
        self._figures = [array("d") for _ in range(_FIGURES)]
        self._causes: list[str] = [""]
        self._lost: dict[int, float] = {}
        self.undelivered = UndeliveredSum()
        self._retried = bytearray()  # whether an attempt for the item failed this night
        self._consumer_bound = bytearray()  # whether the sinks took most of its time when they were last waited for
        self._paid_tonight: set[int] = set()  # those whose answer was kept
        self._kept: bytearray | None = None

    def __repr__(self) -> str:
        return f"<Census {len(self._slot_of)} items since {self.since}>"

    def take(self, lines: Iterable[Line | Stretch]) -> None:
        slot_of, offsets, since = self._slot_of, self._offset, self.since
        codes, marks = _CODES, self._marks
        for line in lines:
            if isinstance(line, Stretch):
                self._take_stretch(line)
                continue
            code = codes.get(line.status, -1)
            if code < 0:
                code = _FAILED if line.final else _AGAIN if line.stop_reason is None else _KEPT
            new = len(offsets)
            slot = slot_of.setdefault(line.id, new)
            is_tonight = line.finished >= since
            if slot == new:
                offsets.append(line.result[0])
                is_plain = code < _FAILED and not line.paid_before
                plain = _MARKS_OF_ANSWERS[code][is_tonight] if is_plain else None
                marks += plain or self._marks_of(line, code, is_tonight, 0, slot)
                for column, figure in zip(self._figures, _figures_of(line), strict=True):
                    column.append(figure)
            else:
                self._replace(slot, line, code, is_tonight)
            if code != _DONE:
                self._keep(line, slot)
            if is_tonight:
                self._sum(line, slot)

    def _take_stretch(self, stretch: Stretch) -> None:
        """Take ordinary lines by the column; one by one where an id is known, or not all of them are of one night."""
        columns, first = stretch.columns, len(self._offset)
        ids, finished = columns["id"], columns["finished"]
        is_tonight = min(finished) >= self.since
        is_one_night = is_tonight or max(finished) < self.since
        is_new = len(set(ids)) == len(ids) and self._slot_of.keys().isdisjoint(ids)
        if not (is_one_night and is_new):
            self.take(iter(stretch))
            return
        self._slot_of.update(zip(ids, count(first)))
        self._offset.extend(map(itemgetter(0), columns["result"]))
        self._marks += _MARKS_OF_ANSWERS[_DONE][is_tonight] * len(ids)
        ttfts = [_NONE if ttft is None else ttft for ttft in columns["ttft"]]
        figures = columns["wall"], ttfts, columns["tok_s"], columns["elapsed"], columns["loop_cores"]
        for column, more in zip(self._figures, figures, strict=True):
            column.extend(more)
        if is_tonight:
            self._sum_stretch(stretch, first)

    def _sum_stretch(self, stretch: Stretch, first: int) -> None:
        columns = stretch.columns
        if self._stands_out(columns):
            for slot, line in enumerate(stretch, first):
                self._sum(line, slot)
            return
        tokens = sum(columns["tokens"])
        self.tokens += tokens
        self.wasted_tokens += sum(columns["wasted_tokens"])
        self.cost_usd += sum(columns["cost_usd"])
        self.priced += len(stretch)
        self.early.take_others(len(stretch), tokens)

    def _stands_out(self, columns: Mapping[str, Sequence[Any]]) -> bool:
        """Whether a line among these has something to say that a sum does not tell."""
        return (
            max(columns["elapsed"]) > self.slowest.floor
            or max(columns["attempts"]) > self.most_attempts.floor
            or max(columns["loop_cores"]) > PINNED_CORES
            or None in columns["cost_usd"]
            or any(map(is_early, set(columns["stop_reason"])))
        )

    def keep_only(self, ids: frozenset[str]) -> int:
        """Count no item from here on whose id is not among these; sums and figures keep what was spent on it. Gives how
        many those are."""
        self._kept = bytearray(id in ids for id in self._slot_of)
        return self._kept.count(False)

    def counts(self, example: Example) -> bool:
        """Whether the line behind an example is the one that counts for its id."""
        is_kept = self._kept is None or bool(self._kept[example.slot])
        return is_kept and self._offset[example.slot] == example.offset

    @property
    def lost_usd(self) -> float:
        """What was paid for answers of which nothing is left."""
        return sum(self._lost.values())

    @property
    def retried_items(self) -> int:
        """Items of which an attempt failed this night; one that failed in several runs is one."""
        return self._retried.count(True)

    @property
    def consumer_bound(self) -> int:
        """Items of whose time the sinks took most."""
        return self._consumer_bound.count(True)

    def totals(self) -> Totals:
        """All items, whenever they finished."""
        return self._totals(self._standing(_CODE), self._standing(_FAILED_RUNS))

    def night(self) -> Totals:
        """The items whose line is of this night."""
        tonight = self._standing(_NIGHT)
        codes, runs = self._standing(_CODE), self._standing(_FAILED_RUNS)
        return self._totals(bytearray(compress(codes, tonight)), bytearray(compress(runs, tonight)))

    def causes(self) -> Counter[str]:
        """The items that stand as failed, by cause."""
        places = Counter(self._standing(_CAUSE))
        return Counter({self._causes[place]: number for place, number in places.items() if place})

    def wall(self) -> Spread | None:
        return spread(self._answered(_WALL))

    def ttft(self) -> Spread | None:
        return spread(array("d", (seconds for seconds in self._answered(_TTFT) if seconds >= 0)))

    def tok_s(self) -> Spread | None:
        return spread(array("d", (speed for speed in self._answered(_TOK_S) if speed > 0)))

    def elapsed(self) -> Spread | None:
        return spread(self._answered(_ELAPSED))

    def loop(self) -> Loop | None:
        """None where no item of the night has been measured."""
        cores = array("d", compress(self._figures[_LOOP_CORES], self._column(_NIGHT).translate(_MEASURED)))
        whole = spread(cores)
        if whole is None:
            return None
        pinned = sum(share > PINNED_CORES for share in cores)
        network = sum(share < NETWORK_CORES for share in cores)
        return Loop(whole.n, pinned, network, whole.p50, whole.max)

    def _replace(self, slot: int, line: Line, code: int, is_tonight: bool) -> None:
        first = slot * _MARKS
        runs, known = self._marks[first + _FAILED_RUNS], self._marks[first + _CODE]
        rank, known_rank = (code < _FAILED, line.result[0]), (known < _FAILED, self._offset[slot])
        if rank > known_rank:
            self._offset[slot] = line.result[0]
            self._marks[first : first + _MARKS] = self._marks_of(line, code, is_tonight, runs, slot)
            for column, figure in zip(self._figures, _figures_of(line), strict=True):
                column[slot] = figure
        elif code >= _AGAIN:
            self._marks[first + _FAILED_RUNS] = min(runs + 1, 255)

    def _marks_of(self, line: Line, code: int, is_tonight: bool, failed_runs: int, slot: int) -> bytes:
        night = _TONIGHT if code in (_FAILED, _AGAIN) else _ANSWERED
        if line.paid_before and slot not in self._paid_tonight:
            night = _DELIVERED
        night = night if is_tonight else _EARLIER
        if code < _FAILED:
            return bytes((code, night, 0, 0))
        runs = min(failed_runs + (code >= _AGAIN), 255)
        return bytes((code, night, runs, self._place_of(cause_of(line))))

    def _place_of(self, cause: str) -> int:
        if cause not in self._causes:
            # A place is one byte. A file with more causes than that is not ours; its rest shares the last place.
            if len(self._causes) == 255:
                return 254
            self._causes.append(cause)
        return self._causes.index(cause)

    def _keep(self, line: Line, slot: int) -> None:
        if line.status == Status.FAILED:
            message = "" if line.error is None else str(line.error.get("message") or "")
            self.kinds.take(cause_of(line), Example(0.0, line.id, message, slot, line.result[0]))
        else:
            self.kinds.take(line.status, Example(0.0, line.id, line.stop_reason or "", slot, line.result[0]))

    def _sum(self, line: Line, slot: int) -> None:
        self.wasted_tokens += line.wasted_tokens
        if not line.paid_before or slot in self._paid_tonight:
            self._sum_answer(line, slot)
        if line.held_up is not None:
            self._sum_held_up(line, slot)
        if line.retried:
            self._note_retried(slot, line.retried)
        if line.flags and not line.paid_before:
            self._sum_flags(line, line.flags, slot)
        if line.elapsed > self.slowest.floor:
            self.slowest.take(Example(line.elapsed, line.id, _retries_of(line), slot, line.result[0]))
        if line.attempts > self.most_attempts.floor:
            self.most_attempts.take(Example(line.attempts, line.id, _retries_of(line), slot, line.result[0]))
        if line.loop_cores > PINNED_CORES and line.cores > self.culprits.floor and not line.paid_before:
            self.culprits.take(Example(line.cores, line.id, "", slot, line.result[0]))

    def _note_retried(self, slot: int, retried: Mapping[str, int]) -> None:
        _set(self._retried, slot, True)
        self.retried.update(retried)

    def _sum_answer(self, line: Line, slot: int) -> None:
        if line.status == _FAILED_STATUS:
            if line.stop_reason is not None:
                self._paid_tonight.add(slot)
                self.undelivered.take(slot, line.tokens, line.cost_usd)
            elif line.cost_usd is not None:
                self._lost[slot] = line.cost_usd
            return
        self.tokens += line.tokens  # of a failure they are among the wasted
        self._lost.pop(slot, None)
        self.undelivered.drop(slot)
        self._price(line.cost_usd)
        self.early.take(line.stop_reason, line.tokens, line.saved_tokens or 0)

    def _sum_flags(self, line: Line, flags: list[str], slot: int) -> None:
        # That the usage of an answer that we ended ourselves is an estimate is nothing odd.
        is_ours = is_early(line.stop_reason)
        odd = [flag for flag in flags if not (is_ours and flag == USAGE_ESTIMATED)]
        self.flags.update(odd)
        for flag in odd:
            self.kinds.take(f"flag {flag}", Example(0.0, line.id, flag, slot, line.result[0]))

    def _sum_held_up(self, line: Line, slot: int) -> None:
        held_up = line.held_up or 0.0
        self.held_up += held_up
        is_bound = held_up > CONSUMER_SHARE * line.wall
        _set(self._consumer_bound, slot, is_bound)
        if is_bound:
            self.most_held_up.take(Example(held_up, line.id, "", slot, line.result[0]))

    def _price(self, cost_usd: float | None) -> None:
        if cost_usd is None:
            self.unpriced += 1
        else:
            self.cost_usd += cost_usd
            self.priced += 1

    def _column(self, mark: int) -> bytearray:
        return self._marks[mark::_MARKS]

    def _standing(self, mark: int) -> bytearray:
        """The same of the items that are kept."""
        column = self._column(mark)
        return column if self._kept is None else bytearray(compress(column, self._kept))

    def _answered(self, figure: int) -> array[float]:
        answered, figures = self._column(_NIGHT).translate(_ONLY_ANSWERED), self._figures[figure]
        return array("d", compress(figures, answered)) if 0 in answered else figures

    @staticmethod
    def _totals(codes: bytearray, failed_runs: bytearray) -> Totals:
        again: Counter[int] = Counter()
        over: Counter[int] = Counter()
        if codes.count(_AGAIN) or codes.count(_KEPT):
            for code, runs in zip(codes, failed_runs, strict=True):
                if code >= _AGAIN:
                    (again if runs < MAX_FAILED_RUNS else over)[code] += 1
        return Totals(
            done=codes.count(_DONE),
            incomplete=codes.count(_INCOMPLETE),
            refused=codes.count(_REFUSED),
            failed=codes.count(_FAILED) + codes.count(_AGAIN) + codes.count(_KEPT),
            again=again.total(),
            kept=again[_KEPT],
            given_up=GivenUp(over.total(), over[_KEPT]),
        )


# Once answered, the runs that failed before do not matter, nor does why.
_MARKS_OF_ANSWERS = [[bytes((code, night, 0, 0)) for night in (_EARLIER, _ANSWERED)] for code in range(_FAILED)]
_ONLY_ANSWERED = bytes(byte == _ANSWERED for byte in range(256))
_MEASURED = bytes(byte in (_TONIGHT, _ANSWERED) for byte in range(256))


def cause_of(line: Line) -> str:
    """Why an item failed; a line without a cause was not written by us, and is told as unknown."""
    return str((line.error or {}).get("cause") or "unknown")


def _set(column: bytearray, slot: int, value: bool) -> None:
    column.extend(bytes(max(0, slot + 1 - len(column))))
    column[slot] = value


def _retries_of(line: Line) -> str:
    return ", ".join(f"{cause} {number}" for cause, number in (line.retried or {}).items())


def _figures_of(line: Line) -> tuple[float, ...]:
    ttft = _NONE if line.ttft is None else line.ttft
    return line.wall, ttft, line.tok_s, line.elapsed, line.loop_cores
