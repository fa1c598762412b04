"""Where two responses differ, word by word: what a reader should look at first."""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

WORDS = 2000  # of each side that are compared
ISLAND = 3  # fewer equal words than this between two changes count as changed: a lone "the" is no agreement
APART = 0.2  # below this share of common words nothing is marked: everything would be
_WORK = 150_000  # equal word pairs; plain English of 2,000 words has about 40,000, and the search may visit each often
_EACH = "[\u3040-\u30ff\u3400-\u9fff]"  # scripts without spaces: each character is a word
_WORD = re.compile(rf"^\s+|{_EACH}\s*|(?:(?!{_EACH})[\w\u200c\u200d])+\s*|[^\w\s\u200c\u200d]\s*")


@dataclass(frozen=True)
class Piece:
    """A stretch of one text; `changed`: the other text does not have it there."""

    text: str
    changed: bool


@dataclass(frozen=True)
class Difference:
    """Both texts in pieces that join to what was compared; `cut` characters of each were not.

    `common`: share of words that stand in a common passage, 0 to 1.
    """

    chosen: tuple[Piece, ...]
    rejected: tuple[Piece, ...]
    cut: tuple[int, int]
    common: float


def difference(chosen: str, rejected: str, *, words: int = WORDS) -> Difference:
    """Compare the first `words` words of both; fewer where a few words repeat so often that it would take minutes.

    Texts with hardly a common passage come back unmarked (`common` < 0.2).

    >>> d = difference("The sky is blue today.", "The sky is green today.")
    >>> [p.text for p in d.chosen if p.changed], [p.text for p in d.rejected if p.changed], d.cut
    (['blue'], ['green'], (0, 0))
    """
    one, other = _WORD.findall(chosen), _WORD.findall(rejected)
    one, other = _affordable(one[:words], other[:words])
    keys = [w.strip() for w in one], [w.strip() for w in other]
    blocks = _common_blocks(*keys)
    shared = sum(size for _, _, size in blocks)
    total = len(one) + len(other)
    common = 2 * shared / total if total else 1.0
    cut = len(chosen) - sum(map(len, one)), len(rejected) - sum(map(len, other))
    if common < APART:
        return Difference(_plain(one), _plain(other), cut, common)
    left = {a + i for a, _, size in blocks for i in range(size)}
    right = {b + i for _, b, size in blocks for i in range(size)}
    return Difference(_pieces(one, left), _pieces(other, right), cut, common)


def _affordable(one: list[str], other: list[str]) -> tuple[list[str], list[str]]:
    while True:
        here, there = Counter(w.strip() for w in one), Counter(w.strip() for w in other)
        if sum(n * there[w] for w, n in here.items()) <= _WORK:
            return one, other
        most = max(len(one), len(other)) // 2
        one, other = one[:most], other[:most]


def _common_blocks(one: list[str], other: list[str]) -> list[tuple[int, int, int]]:
    """Common passages (start, start, words); short ones count only at an end of both texts."""
    found = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return [
        (a, b, size) for a, b, size in found
        if size >= ISLAND or (size and ((a == 0 and b == 0) or (a + size == len(one) and b + size == len(other))))
    ]  # fmt: skip


def _plain(words: list[str]) -> tuple[Piece, ...]:
    return (Piece("".join(words), False),) if words else ()


def _pieces(words: list[str], same: set[int]) -> tuple[Piece, ...]:
    """Neighbouring words of one kind joined; white space after a change is outside of it."""
    out: list[Piece] = []
    for equal, run in groupby(range(len(words)), key=lambda i: i in same):
        text = "".join(words[i] for i in run)
        if equal:
            before = out.pop().text if out and not out[-1].changed else ""
            out.append(Piece(before + text, False))
        else:
            out.append(Piece(text.rstrip(), True))
            if tail := text[len(text.rstrip()) :]:
                out.append(Piece(tail, False))
    return tuple(out)
