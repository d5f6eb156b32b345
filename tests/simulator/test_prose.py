"""Sentences of an exact length."""

from __future__ import annotations

from random import Random

import pytest

from batchrun.simulator.prose import PIECE_CHARS, pieces, sentences


@pytest.mark.parametrize("words", range(200))
def test_any_number_of_words_ends_in_a_whole_sentence(words: int) -> None:
    """A word is a token, and the last one ends a sentence."""
    text = sentences(Random(words), words)
    assert len(text.split()) == len(pieces(text)) == words
    assert text == "" or text.endswith(".")


def test_every_word_is_one_piece() -> None:
    """No word of the lists is longer than a piece."""
    assert max(len(word) for word in sentences(Random(1), 20_000).split()) <= PIECE_CHARS


def test_pieces_keep_every_character() -> None:
    """White space at the end, long words, none at all."""
    for text in ("", " ", "a", "a \n", "\n\na  b ", "x" * 100, "日本の茶道について短く説明してください"):
        assert "".join(pieces(text)) == text
