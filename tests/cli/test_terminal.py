"""How a page is drawn: never steered by what stands in it, never wider than it may be, copied as it stands."""

from __future__ import annotations

import io
import json
import sys

import pytest

from batchrun.cli.streams import remark
from batchrun.cli.terminal import UNSEEN_WIDTH, bar_marks, draw, marks, print_json, width
from batchrun.report.page import Block, Command, Prose, Tone, Words, row
from batchrun.report.sparkline import ASCII, BLOCKS

HOSTILE = "\x1b[31mred\x1b[0m [bold]x[/bold] :smile: \u202egnp.exe\r"
TAMED = "[31mred[0m [bold]x[/bold] :smile: gnp.exe"


class TerminalThatOnlyKnows(io.TextIOWrapper):
    """A standard output with another encoding."""

    def __init__(self, encoding: str, *, is_terminal: bool = False) -> None:
        self.bytes = io.BytesIO()
        self._is_terminal = is_terminal
        super().__init__(self.bytes, encoding=encoding)

    def isatty(self) -> bool:
        return self._is_terminal

    def shown(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode(self.encoding)


def be_a_screen(monkeypatch: pytest.MonkeyPatch) -> TerminalThatOnlyKnows:
    """A person's screen of 80 columns. No fixture: pytest takes stdout for itself between fixtures and test."""
    screen = TerminalThatOnlyKnows("utf-8", is_terminal=True)
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    return screen


def test_text_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """No escape sequence, markup, emoji code or bidi mark of an id or an answer has any effect."""
    draw([Words(HOSTILE), Block(HOSTILE, (row(HOSTILE, HOSTILE),)), Command(HOSTILE, HOSTILE), Prose("t", HOSTILE)])
    remark(HOSTILE)
    shown, remarked = capsys.readouterr()
    assert shown.count(TAMED) == 7
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert remarked == f"batchrun: {TAMED} \n"


def test_a_pipe_gets_no_colour_no_padding_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever FORCE_COLOR says: who reads a pipe is no person."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FORCE_COLOR", "1")
        draw([Words("bad", Tone.BAD), Block("title", (row("a", "b"), row("longer", "text")))])
        assert bar_marks() == ""
    shown = capsys.readouterr().out
    assert shown == "bad\n\ntitle\n  a       b\n  longer  text\n"


def test_a_screen_gets_colour_and_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is bad is red."""
    terminal = be_a_screen(monkeypatch)
    assert bar_marks() == BLOCKS[1] + BLOCKS[-1]
    draw([Words("bad", Tone.BAD)])
    assert terminal.shown() == "\x1b[31mbad\x1b[0m\n"


def test_no_colour_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes the colours and the bar, and leaves the words."""
    terminal = be_a_screen(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert bar_marks() == ""
    draw([Words("bad", Tone.BAD)])
    assert terminal.shown() == "bad\n"


def test_a_page_is_folded_and_a_command_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folded command could not be copied."""
    terminal = be_a_screen(monkeypatch)
    command = "batchrun run " + "x" * 150
    draw([Block("", (row("label", "word " * 40),)), Command("To go on:", command)])
    lines = terminal.shown().splitlines()
    assert any(command in line for line in lines)
    assert all(len(line) < 100 for line in lines if command not in line)


def test_an_answer_is_folded_for_a_screen_and_whole_for_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own lines, the empty ones too, stay in both."""
    terminal = be_a_screen(monkeypatch)
    answer = "word " * 40 + "\n\nlast"
    draw([Prose("Answer", answer)])
    assert max(len(line) for line in terminal.shown().splitlines()) <= 80
    assert "\n\n" in terminal.shown().replace(" ", "")
    pipe = TerminalThatOnlyKnows("utf-8")
    monkeypatch.setattr(sys, "stdout", pipe)
    draw([Prose("Answer", answer)])
    assert pipe.shown().splitlines()[1:] == ["  " + ("word " * 40).rstrip(), "", "  last"]


def test_a_pipe_has_a_width_of_its_own(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit for a mail, unless somebody says otherwise; never so wide that the eye loses the line."""
    assert width() == UNSEEN_WIDTH
    monkeypatch.setenv("COLUMNS", "72")
    assert width() == 72
    monkeypatch.setenv("COLUMNS", "400")
    assert width() == 120


def test_an_encoding_that_lacks_letters_costs_the_letters_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question mark is better than no report; curves are drawn with what there is."""
    narrow = TerminalThatOnlyKnows("latin-1")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert marks() == ASCII
    draw([Words("Straße หน้า")])
    assert narrow.shown().startswith("Straße ?")


def test_json_is_one_object_in_utf8_that_steers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the locale; what could steer a terminal is escaped and reads back as it was."""
    value = {"id": "หน้า " + HOSTILE + "\x9b", "n": 1}
    pipe = TerminalThatOnlyKnows("latin-1")
    monkeypatch.setattr(sys, "stdout", pipe)
    print_json(value)
    pipe.flush()
    text = pipe.bytes.getvalue().decode("utf-8")
    assert json.loads(text) == value
    assert not {"\x1b", "\u202e", "\x9b", "\r"} & set(text)


def test_json_of_a_lone_surrogate_is_still_json(capsys: pytest.CaptureFixture[str]) -> None:
    """An id may hold one, and orjson refuses it."""
    print_json({"id": "\ud800"})
    assert json.loads(capsys.readouterr().out) == {"id": "\ud800"}
