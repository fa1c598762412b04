"""What is audited: every judged comparison of the files, its prompt group and fold, and what was left out and why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plaudit.data.limits import LIMITS, Limits
from plaudit.data.near import joined_groups
from plaudit.data.outline import Outline, outline
from plaudit.data.pairs import Comparisons, targets
from plaudit.data.read import Row, read
from plaudit.data.rejects import keep_rejects
from plaudit.data.split import GroupBy
from plaudit.data.told import told
from plaudit.errors import PlauditError
from plaudit.records import Preference


@dataclass
class Material:
    """Preferences in file order with their outline; `left` lists (where, reason) of rows that hold nothing to audit."""

    preferences: list[Preference] = field(default_factory=list)
    outline: Outline | None = None
    rows: int = 0
    rejected: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    by: GroupBy = "auto"

    @property
    def seen(self) -> Outline:
        """The outline, which is there once everything has been read."""
        assert self.outline is not None
        return self.outline


def gather(
    files: str | Path | Sequence[str | Path], *, layout: str | None = None, columns: dict[str, str] | None = None,
    by: GroupBy = "auto", rejects: Path | None = None, limits: Limits = LIMITS,
) -> Material:  # fmt: skip
    """Read every file once.

    Raises:
        PlauditError: no comparison is in them.
    """
    material = Material(by=by)
    rows: Iterable[Row] = told(read(files, layout=layout, columns=columns, limits=limits), layout)
    if rejects:
        rows = keep_rejects(rows, rejects)
    material.outline = outline(_taken(rows, material), by)
    if not any(p.comparisons() for p in material.preferences):
        first = f" ({material.left[0][0]}: {material.left[0][1]})" if material.left else ""
        raise PlauditError(f"nothing to audit: no judged comparison in these files{first}")
    return material


def _taken(rows: Iterable[Row], material: Material) -> Iterator[Row]:
    for row in rows:
        material.rows += 1
        material.rejected += not row.kept
        if row.reason:
            material.left.append((row.where, row.reason))
        for record in row.records:
            if isinstance(record, Preference):
                material.preferences.append(record)
                if not record.comparisons():
                    material.left.append((record.source or record.id, "nobody compared its responses"))
            else:
                material.left.append((row.where, "steps are not preferences"))
        yield row


@dataclass(frozen=True)
class Docket:
    """What the committee votes on: `preferences` that a model can read, and their comparisons.

    `first` [M + 1]: where the responses of each preference begin when all lie end to end. `group` [P]: prompt groups,
    near copies of one prompt joined; `fold` [P].
    """

    preferences: list[Preference]
    place: NDArray[np.int64]
    comparisons: Comparisons
    first: NDArray[np.int64]
    group: NDArray[np.uint64]

    @property
    def better(self) -> NDArray[np.int64]:
        """Row of the better response of every comparison among all responses [P]."""
        return self.first[self.comparisons.preference] + self.comparisons.better

    @property
    def worse(self) -> NDArray[np.int64]:
        """Row of the worse response [P]."""
        return self.first[self.comparisons.preference] + self.comparisons.worse

    @property
    def label(self) -> NDArray[np.float64]:
        """The label as it came: 1, or 1/2 for a tie [P]."""
        tie = np.array([p.is_tie for p in self.preferences], bool)
        return np.where(tie[self.comparisons.preference], 0.5, 1.0)


def docket(material: Material, refused: dict[int, str]) -> Docket:
    """The comparisons of all preferences but those that a model refuses; those are added to what was left out.

    Raises:
        PlauditError: nothing is left.
    """
    keep = [i for i, p in enumerate(material.preferences) if p.comparisons() and i not in refused]
    material.left += [(material.preferences[i].source or material.preferences[i].id, why) for i, why in refused.items()]
    if not keep:
        where, why = material.left[0]
        raise PlauditError(f"nothing to audit: the model can read none of these rows ({where}: {why})")
    kept = [material.preferences[i] for i in keep]
    found = targets(kept, ignore_columns=True)
    first = np.concatenate([[0], np.cumsum([len(p.responses) for p in kept])]).astype(np.int64)
    groups = joined_groups(material.preferences, material.seen.preference["group"], by=material.by)[keep]
    return Docket(kept, np.array(keep, np.int64), found, first, groups[found.preference])
