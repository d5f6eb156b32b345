"""A figure over time in one line of text. Pure: the width comes in, a string goes out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"  # for a terminal whose encoding has no blocks
GAP_PERIODS = 4  # one late period or two are a busy machine; four missing ones mean that nothing ran


def downsample(times: Sequence[float], figures: Sequence[float], width: int) -> list[float | None]:
    """Means of `figures` in equal slices of the time from first to last, at most `width` and at most one a period.

    None stands where nothing was sampled for several periods: no run was alive. `times` ascend.
    """
    if not times or width < 1:
        return []
    span = times[-1] - times[0]
    period = median(after - before for before, after in pairwise(times)) if span > 0 else 0.0
    if period <= 0:
        return [sum(figures) / len(figures)]
    slices: list[list[int]] = [[] for _ in range(min(width, round(span / period) + 1))]
    for place, time in enumerate(times):
        slices[min(int((time - times[0]) / span * len(slices)), len(slices) - 1)].append(place)
    means: list[float | None] = []
    for places in _without_jitter(slices, times, period * GAP_PERIODS):
        means.append(sum(figures[place] for place in places) / len(places) if places else None)
    return means


def _without_jitter(slices: list[list[int]], times: Sequence[float], longest: float) -> list[list[int]]:
    """A slice left empty by uneven periods takes its neighbour's sample; one inside a real gap stays empty."""
    filled = []
    last: list[int] = []
    for places in slices:
        if places:
            last = places[-1:]
        is_gap = not last or times[min(last[0] + 1, len(times) - 1)] - times[last[0]] > longest
        filled.append(places or ([] if is_gap else last))
    return filled


def sparkline(means: Sequence[float | None], top: float, marks: str = BLOCKS) -> str:
    """One mark a value, from 0 to `top`; what is more than nothing is never drawn as nothing; a gap is a blank."""
    highest = len(marks) - 1
    line = []
    for mean in means:
        share = 0.0 if mean is None or top <= 0 else min(max(mean / top, 0.0), 1.0)
        line.append(marks[0] if mean is None or mean <= 0 else marks[max(round(share * highest), 1)])
    return "".join(line)
