"""Records become token trees: the prompt once, then its responses, records end to end with no padding.

A tree is a row of T tokens cut into S segments; a token attends to itself, to what stands before it in its own
segment, and to the whole of every segment on the path to the root. Where a record may be cut (`Encoded.cuts`) depends
on the record alone; equal segments of different records are stored once, and a conversation that extends another
hangs below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SMALLEST = 16  # rows of fewer tokens take another matmul kernel, and with it other last bits


class Encoded(Protocol):
    """What `plan` needs of an encoded record: ids [*] of the shared prompt and of each response after it."""

    @property
    def prompt(self) -> NDArray[np.int32]: ...
    @property
    def responses(self) -> tuple[NDArray[np.int32], ...]: ...
    @property
    def cuts(self) -> tuple[int, ...]: ...
    @property
    def read(self) -> tuple[int, ...]: ...
    @property
    def begin(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Tree:
    """`tokens, position, node` [T]; `parent` [S] (-1 at a root); `reads, owner, which` [R].

    Read point r is the flat index `reads[r]`; it belongs to response `which[r]` of record `owner[r]`, counted in the
    list given to `plan`. `first` [R] is the flat index at which that response's own tokens begin.
    """

    tokens: NDArray[np.int64]
    position: NDArray[np.int64]
    node: NDArray[np.int64]
    parent: NDArray[np.int64]
    reads: NDArray[np.int64]
    first: NDArray[np.int64]
    owner: NDArray[np.int64]
    which: NDArray[np.int64]
    padding: int = 0  # filler tokens at the end: a segment of their own that nobody reads

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """(start, stop) of every segment."""
        stops = np.cumsum(np.bincount(self.node, minlength=len(self.parent)))
        return [(int(stop - n), int(stop)) for stop, n in zip(stops, np.bincount(self.node), strict=True)]

    @cached_property
    def paths(self) -> list[list[int]]:
        """Ancestors of every segment, root first, itself excluded."""
        found: list[list[int]] = []
        for parent in self.parent:
            found.append([] if parent < 0 else [*found[parent], int(parent)])
        return found

    @cached_property
    def depths(self) -> list[int]:
        """Tokens on the path above each segment."""
        return [sum(self.spans[p][1] - self.spans[p][0] for p in path) for path in self.paths]

    @property
    def records(self) -> list[int]:
        """The records in this tree, in the order of their first read point."""
        return list(dict.fromkeys(self.owner.tolist()))


@dataclass
class _Growing:
    """A tree while records are added to it."""

    ids: list[NDArray[np.int32]] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    children: dict[int, list[int]] = field(default_factory=dict)
    size: int = 0
    reads: list[tuple[int, int, int, int]] = field(default_factory=list)  # flat, first, owner, which

    def hang(self, ids: NDArray[np.int32], above: int, path: list[int], *, merge: bool = True) -> int:
        """Hang `ids` below segment `above`, with `merge` reusing segments they begin with; returns the last segment."""
        while len(ids):
            for child in self.children.get(above, []) if merge else []:
                known = self.ids[child]
                if len(known) <= len(ids) and np.array_equal(known, ids[: len(known)]):
                    above, ids = child, ids[len(known) :]
                    path.append(child)
                    break
            else:
                new = len(self.ids)
                self.ids.append(ids)
                self.parent.append(above)
                self.start.append(self.size)
                self.depth.append(0 if above < 0 else self.depth[above] + len(self.ids[above]))
                self.children.setdefault(above, []).append(new)
                self.size += len(ids)
                path.append(new)
                return new
        return above

    def add(self, owner: int, record: Encoded) -> None:
        path: list[int] = []
        above, last = -1, 0
        for cut in record.cuts:
            above = self.hang(record.prompt[last:cut], above, path)
            last = cut
        for which, response in enumerate(record.responses):
            own = list(path)
            # an encoder's record has no cuts: its tokens see what follows, so one that extends another stands alone
            leaf = self.hang(response, above, own, merge=bool(record.cuts))
            shift = record.read[which]
            home = next((s for s in own if self.depth[s] <= shift < self.depth[s] + len(self.ids[s])), leaf)
            opens = record.begin[which] if record.begin else len(record.prompt)
            begin = next((s for s in own if self.depth[s] + len(self.ids[s]) > opens), leaf)
            first = self.start[begin] + max(opens - self.depth[begin], 0)
            self.reads.append((self.start[home] + shift - self.depth[home], first, owner, which))

    def tree(self) -> Tree:
        spare = max(SMALLEST - self.size, 0)
        ids, parent = [*self.ids], [*self.parent]
        depth = [*self.depth]
        if spare:
            ids.append(np.full(spare, ids[0][0] if ids else 0, np.int32))
            parent.append(-1)
            depth.append(0)
        lengths = [len(x) for x in ids]
        columns = np.array(self.reads, np.int64).reshape(-1, 4)
        return Tree(
            tokens=np.concatenate(ids).astype(np.int64),
            position=np.concatenate([np.arange(d, d + n) for d, n in zip(depth, lengths, strict=True)]),
            node=np.repeat(np.arange(len(ids)), lengths),
            parent=np.array(parent, np.int64),
            reads=columns[:, 0],
            first=columns[:, 1],
            owner=columns[:, 2],
            which=columns[:, 3],
            padding=spare,
        )


def cost(record: Encoded) -> int:
    """Tokens a record takes in a tree of its own."""
    return len(record.prompt) + sum(map(len, record.responses))


def plan(encoded: Sequence[Encoded], *, budget: int = 4096) -> list[Tree]:
    """Lay records into trees of about `budget` tokens; a record that is longer has a tree of its own.

    Records are taken in the order of their prompts, so that those that share one meet; every record is in exactly one
    tree and `Tree.owner` counts in the order given.
    """
    keys = [record.prompt.astype(">i4").tobytes() for record in encoded]
    trees, growing = [], _Growing()
    for i in sorted(range(len(encoded)), key=keys.__getitem__):
        if growing.size and growing.size + cost(encoded[i]) > budget:
            trees.append(growing.tree())
            growing = _Growing()
        growing.add(i, encoded[i])
    if growing.reads:
        trees.append(growing.tree())
    return trees
