"""English-looking sentences of an exact number of words, drawn from word lists. Pure: the chance comes in.

Every word is at most `PIECE_CHARS` long with its punctuation, so that a word is a token: an answer's length can be
promised exactly.
"""

from __future__ import annotations

import re
from random import Random

PIECE_CHARS = 12

_PIECE = re.compile(rf"\s*\S{{1,{PIECE_CHARS}}}|\s+")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ADJECTIVES = _words(
    "quiet small early steady plain careful distant bright narrow simple patient old useful warm gradual clear "
    "honest modest lasting familiar northern curious"
)
_NOUNS = _words(
    "harbour editor garden ledger reader river archive market letter workshop margin season station summary "
    "teacher window bakery library bridge question answer village"
)
_VERBS = _words(
    "follows answers shapes improves explains repeats supports changes carries measures precedes outlives "
    "describes keeps welcomes compares"
)
_ADVERBS = (
    "slowly",
    "often",
    "rarely",
    "together",
    "at once",
    "again",
    "gently",
    "by hand",
    "without fuss",
    "in spring",
    "before noon",
)
_OPENERS = ("In short,", "For most readers,", "By evening", "Even so,", "As a rule,", "On closer reading,")

# One for each number of words, so that any length ends in a whole sentence. Their number is the longest sentence.
_CLOSERS = (
    "",
    "Enough.",
    "Nothing more.",
    "That is all.",
    "The rest can wait.",
    "This much is quite certain.",
    "The reader may decide the rest.",
    "Nothing else needs to be said here.",
    "That is what the short answer comes to.",
    "The details can be looked up in the morning.",
    "Whoever wants to know more will find it written down.",
    "So the matter rests, and the next question can be asked.",
    "With that said, the page is full and the lamp goes out.",
)
_LONGEST = len(_CLOSERS) - 1

_SENTENCES_PER_PARAGRAPH = 5


def sentences(chance: Random, words: int) -> str:
    """Whole sentences of exactly `words` words, in paragraphs."""
    written: list[str] = []
    left = words
    while left > _LONGEST:
        sentence = _sentence(chance)
        left -= sentence.count(" ") + 1
        written.append(sentence)
    if left > 0:
        written.append(_CLOSERS[left])
    paragraphs = (
        " ".join(written[start : start + _SENTENCES_PER_PARAGRAPH])
        for start in range(0, len(written), _SENTENCES_PER_PARAGRAPH)
    )
    return "\n\n".join(paragraphs)


def pieces(text: str) -> tuple[str, ...]:
    """The text as tokens: a word with the white space before it. Their concatenation is the text."""
    return tuple(_PIECE.findall(text))


def _sentence(chance: Random) -> str:
    """5 to 12 words."""
    pick = chance.choice
    core = f"{pick(_ADJECTIVES)} {pick(_NOUNS)} {pick(_VERBS)} the {pick(_NOUNS)}"
    match int(chance.random() * 4):
        case 0:
            return f"The {core}."
        case 1:
            return f"The {core} {pick(_ADVERBS)}."
        case 2:
            return f"{pick(_OPENERS)} the {core}."
        case _:
            return f"One {core}, and the {pick(_ADJECTIVES)} {pick(_NOUNS)} {pick(_VERBS)} it."
