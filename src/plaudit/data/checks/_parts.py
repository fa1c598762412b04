"""Parts of the data by which a number is also shown: every file, and every value of every tag that many rows share."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from plaudit.data.outline import Outline

MOST = 20  # values of one tag; a tag with more is a name, not a kind


def tails(paths: Sequence[str]) -> list[str]:
    """The shortest ends of paths that tell them apart: no folder of this machine, no two alike.

    >>> tails(["/d/helpful/train.jsonl", "/d/harmless/train.jsonl"]), tails(["/d/a.jsonl"])
    (['helpful/train.jsonl', 'harmless/train.jsonl'], ['a.jsonl'])
    """
    split = [path.replace("\\", "/").split("/") for path in paths]
    for depth in range(1, max(map(len, split), default=0) + 1):
        ends = ["/".join(parts[-depth:]) for parts in split]
        if len(set(ends)) == len(set(paths)):
            return ends
    return list(paths)


def parts(o: Outline, of: NDArray[np.int64], enough: int) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """(kind, name, rows) where `of` [C] says which preference each row belongs to; kind is `file` or tag:NAME.

    Only tags of which 2 to 20 values have `enough` rows each; files are always there.
    """
    file = o.preference["file"][of]
    for i, name in enumerate(tails([f.path for f in o.files])):
        if (rows := file == i).any():
            yield "file", name, rows
    if not len(of):
        return
    sets = o.preference["tags"][of]
    for key in sorted({key for tags in o.tag_sets for key in tags}):
        kinds: dict[str, int] = {}
        code = np.array([kinds.setdefault(tags.get(key, ""), len(kinds)) for tags in o.tag_sets] + [-1], np.int64)
        mine = code[sets]
        counts = np.bincount(mine[mine >= 0], minlength=len(kinds))
        kept = sorted((name, i) for name, i in kinds.items() if name and counts[i] >= enough)
        if 2 <= len(kept) <= MOST:
            for name, i in kept:
                yield f"tag:{key}", name, mine == i
