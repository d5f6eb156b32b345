"""Bars as a picture that stands by itself: SVG without a script, a font or a colour from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LABEL, BAR, ROW, GAP = 760, 110, 520, 24, 44
INK, FILL = "#24292f", "#4c78a8"

Bars = Sequence[tuple[str, float]]


def drawing(charts: Sequence[tuple[str, Bars]]) -> str:
    """One chart below the other; a bar's length is its share of the longest of its chart. Figures in microseconds."""
    parts, y = [], 0
    for title, bars in charts:
        y += GAP
        parts.append(_text(0, y - 14, title))
        longest = max((figure for _, figure in bars), default=0.0) or 1.0
        for name, figure in bars:
            length = BAR * figure / longest
            parts.append(_text(0, y + 15, name))
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{ROW - 6}" fill="{FILL}"/>')
            parts.append(_text(LABEL + length + 6, y + 15, f"{figure:.1f} us an event"))
            y += ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + ROW}" font-family="sans-serif"'
    return "\n".join([f'{head} font-size="13">', *parts, "</svg>", ""])


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}">{escape(text)}</text>'
