"""Near copies: which texts are the same in almost the same words, and which prompt groups they join.

Likeness is the Jaccard index of word 3-grams. Candidates come from MinHash (128 values, rensa) in bands chosen from the
threshold: rensa's own bands know nothing of it, and half as many find far fewer of the copies near the threshold. Every
candidate is then settled by the exact index. A text of fewer than five words is a copy only of its equal after folding
case and punctuation: one word changed in four is another question.

What stands in more than a tenth of the texts (an instruction template, a system prompt) says nothing about which of
them are alike, so such 3-grams are left out before anything is compared.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from plaudit.data.split import GroupBy, mix, text_digest
from plaudit.records import Preference

THRESHOLD = 0.8
PERMUTATIONS = 128
SHORT = 5  # words; shorter texts must be equal
SEED = 20240101
_BLOCK = 2048  # texts whose 3-grams are in memory at a time
_SAMPLE = 2000  # texts in which templates are looked for
_TEMPLATE = 0.1  # share of the texts from which a 3-gram is part of a template
_FEW = 20  # and the least number of texts
_CROWD = 64  # members of a band's bucket up to which all pairs are compared
_SURE = 0.18  # five deviations of an estimate from 128 values at 0.8: what lies further below needs no exact look
# Scripts without spaces: every character is a word.
_ALONE = "\u0e01-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_words = re.compile(f"[{_ALONE}]|[^\\W{_ALONE}]+").findall
_MARKS = str.maketrans({chr(i): " " for i in range(128) if not (chr(i).isalnum() or chr(i) == "_")})


def folded(text: str) -> str:
    """The words alone, in lower case and one space apart; a text without words keeps its marks.

    >>> folded("  What's NEW,\\n2 you? "), folded("?!")
    ('what s new 2 you', '?!')
    """
    if text.isascii():  # the same, faster
        return " ".join(text.lower().translate(_MARKS).split()) or " ".join(text.split())
    return " ".join(_words(text.casefold())) or " ".join(text.split())


def clusters(texts: Sequence[str], *, threshold: float = THRESHOLD) -> NDArray[np.int64]:
    """Cluster of every text, int64 [n], named by the first text in it; near copies of near copies are together.

    Which texts are together does not depend on their order. Empty texts are copies of nothing.

    >>> post = "the cat sat on the mat and looked at the moon all night long without a sound "
    >>> clusters([post + "today", "Hello there", post + "yesterday", "hello, there!", "", ""]).tolist()
    [0, 1, 0, 1, 4, 5]
    """
    once = {text: folded(text) for text in dict.fromkeys(texts)}
    keys = [once[text] for text in texts]
    alike: dict[str, int] = {}
    place = np.array([alike.setdefault(key or f"\0{i}", len(alike)) for i, key in enumerate(keys)], np.int64)
    distinct = sorted((text_digest(key), key) for key in alike if not key.startswith("\0"))
    long = [(digest, key) for digest, key in distinct if key.count(" ") + 1 >= SHORT]
    edges = _edges([key for _, key in long], threshold)
    at = np.array([alike[key] for _, key in long], np.int64)
    return _first_of(components(len(alike), at[edges]) if len(edges) else np.arange(len(alike)), place)


def _first_of(component: NDArray, place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Component of every text, named by its first text, [n]."""
    if not len(place):
        return place
    _, first, code = np.unique(component[place], return_index=True, return_inverse=True)
    return first[code].astype(np.int64)


def components(n: int, edges: NDArray[np.int64]) -> NDArray[np.int32]:
    """Connected component of n nodes under undirected edges [E, 2]."""
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def joined_groups(
    preferences: Sequence[Preference], groups: NDArray[np.uint64], *, by: GroupBy = "auto", threshold: float = THRESHOLD
) -> NDArray[np.uint64]:
    """Prompt groups with near copies of one prompt joined: uint64 [M], the smallest digest among those joined.

    Compared is what `by` makes groups from: the whole prompt, or its first user turn; `id` joins nothing. A family of
    templated prompts that would take more than a twentieth of all groups (and more than 20) into one is joined only at
    0.9, then 0.95, then when equal: folds need groups that can be spread.

    >>> from plaudit.records import message, pair
    >>> ask = lambda text: pair((message("user", text),), "a", "b")
    >>> posts = [ask("Why is the sky blue?"), ask("why is the SKY blue"), ask("Why is grass green?")]
    >>> joined_groups(posts, np.array([7, 3, 5], np.uint64)).tolist()
    [3, 3, 5]
    """
    if by == "id" or len(preferences) < 2:
        return groups.copy()
    texts = [prompt_text(p, by) for p in preferences]
    kinds, code = np.unique(groups, return_inverse=True)
    cluster = _spreadable(texts, code, threshold, max(_FEW, len(kinds) // 20))
    edges = np.column_stack([code, len(kinds) + cluster])
    found = components(len(kinds) + len(texts), edges)[: len(kinds)]
    least = np.full(int(found.max()) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, found, kinds)
    return least[found][code]


def _spreadable(texts: list[str], group: NDArray, threshold: float, most: int) -> NDArray[np.int64]:
    """Clusters of texts of which none joins more than `most` groups, if it takes a higher threshold for some."""
    cluster = clusters(texts, threshold=threshold)
    for stricter in (t for t in (0.9, 0.95, 1.0) if t > threshold):
        named, count = np.unique(np.unique(np.column_stack([cluster, group]), axis=0)[:, 0], return_counts=True)
        rows = np.flatnonzero(np.isin(cluster, named[count > most]))
        if len(rows):
            cluster[rows] = rows[clusters([texts[i] for i in rows], threshold=stricter)]
    return cluster


def prompt_text(preference: Preference, by: GroupBy = "auto") -> str:
    """The text by which prompts are compared: the first user turn, or the whole prompt when there is none."""
    if by != "prompt":
        for turn in preference.prompt:
            if turn.role == "user":
                return turn.text
    return "\n".join(turn.text for turn in preference.prompt)


def bands(threshold: float, permutations: int = PERMUTATIONS) -> tuple[int, int]:
    """Bands and rows in each: the longest rows that still find 99.9 % of the pairs that lie at the threshold.

    A pair of Jaccard index J shares one of b bands of r values with probability 1 - (1 - J^r)^b.

    >>> bands(0.8), bands(0.5), bands(1.0)
    ((25, 5), (64, 2), (1, 128))
    """
    for rows in range(permutations, 1, -1):
        count = permutations // rows
        if 1 - (1 - threshold**rows) ** count >= 0.999:
            return count, rows
    return permutations, 1


def _edges(keys: Sequence[str], threshold: float) -> NDArray[np.int64]:
    """Pairs of folded texts that are near copies, [E, 2]; enough of them that every copy is connected."""
    if threshold >= 1 or len(keys) < 2:
        return np.zeros((0, 2), np.int64)
    template = _template(keys)
    signature = _signatures(keys, template)
    copies = _Copies(keys, template, signature, threshold)
    count, rows = bands(threshold)
    for band in range(count):
        for members in _buckets(signature[:, band * rows : (band + 1) * rows], copies.size > 0):
            copies.settle(members)
    return np.array(copies.found, np.int64).reshape(-1, 2)


class _Copies:
    """Exact likeness of candidates; a pair that is already connected, or was looked at, is not looked at again."""

    def __init__(self, keys: Sequence[str], template: NDArray, signature: NDArray, threshold: float) -> None:
        self.keys, self.template, self.signature, self.threshold = keys, template, signature, threshold
        self.size = (signature != np.iinfo(np.uint32).max).any(1).astype(np.int64)  # 0: nothing but a template
        self.parent = list(range(len(keys)))
        self.sets: dict[int, frozenset[int]] = {}
        self.apart: set[tuple[int, int]] = set()
        self.found: list[tuple[int, int]] = []

    def settle(self, members: NDArray[np.int64]) -> None:
        """Compare the members of a bucket: all pairs of a small one, in a crowd each with the first of 64 kinds."""
        crowd, kinds = len(members) > _CROWD, 0
        while len(members) > 1 and kinds < _CROWD:
            kinds += 1
            first, rest = int(members[0]), members[1:]
            likely = (self.signature[rest] == self.signature[first]).mean(1) >= self.threshold - _SURE
            same = np.zeros(len(rest), bool)
            for i in np.flatnonzero(likely):
                same[i] = self._join(first, int(rest[i]))
            members = rest[~same] if crowd else rest

    def _join(self, a: int, b: int) -> bool:
        root_a, root_b = self._root(a), self._root(b)
        if root_a == root_b:
            return True
        if (a, b) in self.apart:
            return False
        one, other = self._set(a), self._set(b)
        shared = len(one & other)
        if shared < self.threshold * (len(one) + len(other) - shared):
            self.apart.add((a, b))
            return False
        self.parent[max(root_a, root_b)] = min(root_a, root_b)
        self.found.append((a, b))
        return True

    def _root(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = i = self.parent[self.parent[i]]
        return i

    def _set(self, i: int) -> frozenset[int]:
        if i not in self.sets:
            if len(self.sets) > 50_000:
                self.sets.clear()
            grams, _ = _grams([self.keys[i]], self.template)
            self.sets[i] = frozenset(grams.tolist())
        return self.sets[i]


def _buckets(band: NDArray[np.uint32], usable: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Rows that agree in every value of a band, two or more at a time."""
    key = np.zeros(len(band), np.uint64)
    for column in band.T:
        key = mix(key ^ column.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
    rows = np.flatnonzero(usable)
    order = rows[np.argsort(key[rows], kind="stable")]
    edge = np.flatnonzero(np.diff(key[order])) + 1
    for start, stop in pairwise([0, *edge.tolist(), len(order)]):
        if stop - start > 1:
            yield order[start:stop]


def _signatures(keys: Sequence[str], template: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """MinHash signatures [n, 128]; a text that is nothing but template has only the largest value."""
    from rensa import RMinHash

    out = np.full((len(keys), PERMUTATIONS), np.iinfo(np.uint32).max, np.uint32)
    for start in range(0, len(keys), _BLOCK):
        grams, ends = _grams(keys[start : start + _BLOCK], template)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(grams, ends, PERMUTATIONS, SEED)
        out[start : start + len(ends) - 1] = np.array(matrix.to_rows(), np.uint32)
    return out


def _grams(keys: Sequence[str], template: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """64-bit digests of the word 3-grams of folded texts end to end, and where each text's begin and end [n + 1]."""
    words = [key.split(" ") for key in keys]
    kinds = {word: text_digest(word) for word in {word for own in words for word in own}}
    flat = np.array([kinds[word] for own in words for word in own], np.uint64)
    sizes = np.array([len(own) for own in words], np.int64)
    if len(flat) < 3:
        return flat[:0], np.zeros(len(keys) + 1, np.uint64)
    grams = mix(mix(mix(flat[:-2]) + flat[1:-1]) + flat[2:])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    inside = np.ones(len(grams), bool)
    for back in (1, 2):  # a gram that begins in the last two words reaches into the next text
        last = ends[1:] - back
        inside[last[(last >= 0) & (last < len(grams))]] = False
    if len(template):
        at = np.minimum(np.searchsorted(template, grams), len(template) - 1)
        inside &= template[at] != grams
    owner = np.repeat(np.arange(len(keys)), sizes)[:-2][inside]
    kept = np.bincount(owner, minlength=len(keys))
    return grams[inside], np.concatenate([[0], np.cumsum(kept)]).astype(np.uint64)


def _template(keys: Sequence[str]) -> NDArray[np.uint64]:
    """Sorted 3-grams of more than a tenth of the texts (20 at least), told from the 2,000 first by digest."""
    step = max(1, len(keys) // _SAMPLE)
    sample = keys[::step][:_SAMPLE]
    counts: list[NDArray] = []
    for start in range(0, len(sample), 256):
        grams, ends = _grams(sample[start : start + 256], np.zeros(0, np.uint64))
        owner = np.repeat(np.arange(len(ends) - 1), np.diff(ends).astype(np.int64))
        own = np.unique(mix(owner.astype(np.uint64)) ^ grams, return_index=True)[1]  # one of each gram of a text
        counts.append(grams[own])
    kinds, found = np.unique(np.concatenate(counts), return_counts=True)
    return kinds[found > max(_TEMPLATE * len(sample), _FEW)]
