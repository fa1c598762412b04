"""Run the checks that need no model, each with the columns it names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit import catalog
from plaudit.auditing.material import Docket, Material
from plaudit.auditing.options import AuditOptions
from plaudit.data.findings import Finding
from plaudit.data.read import read
from plaudit.records import Preference
from plaudit.signals.recipes import columns_of

ROOM = "plaudit.data.checks"


def findings(material: Material, case: Docket, equal_pairs: Sequence[int], options: AuditOptions) -> list[Finding]:
    """Every check of the room, by name; one whose columns are not at hand says so."""
    columns: dict[str, Any] = {
        "outline": material.seen, "preferences": material.preferences, "equal_pairs": list(equal_pairs),
    }  # fmt: skip
    if options.against:
        columns["against"] = _benchmark(options.against)
    out = []
    for name in catalog.names(ROOM):
        part = catalog.load(ROOM, name)
        wanted = columns_of(part.check)
        missing = [column for column in wanted if column not in columns]
        if missing:
            out.append(Finding(name, "skip", f"not asked for: needs {missing[0]} (--{missing[0]})"))
        else:
            out.append(part.check(**{column: columns[column] for column in wanted}))
    return out


def _benchmark(files: str) -> list[Preference]:
    """The preferences of the benchmark files named by `--against`."""
    paths = [f.strip() for f in files.split(",") if f.strip()]
    return [record for row in read(paths) for record in row.records if isinstance(record, Preference)]


def reliability(material: Material, case: Docket) -> NDArray[np.float64]:
    """How often each comparison's annotator is right, as the annotator check estimates it; NaN where nobody can say."""
    from plaudit.data.checks.annotators import reliabilities

    by_name = reliabilities(material.preferences)
    named = [by_name.get(p.annotator, np.nan) for p in case.preferences]
    return np.array(named, np.float64)[case.comparisons.preference]
