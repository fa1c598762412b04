"""What `--influence` and `--fair-by` add to an audit: columns, and what audit.json, the page and the screen show."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing import cache
from plaudit.auditing.crew import crew, pools_of
from plaudit.auditing.influence import rows_of
from plaudit.auditing.influence_columns import columns
from plaudit.auditing.influence_fair import FEWEST, crossed, kinds_of, thin
from plaudit.auditing.influence_trade import TRIED, trade, trade_document
from plaudit.auditing.material import Docket
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.vote import features_of, fold_of, names_of, pairs_of, spec_of
from plaudit.errors import OptionError
from plaudit.models.members import view_matrix
from plaudit.models.score import ModelScorer
from plaudit.models.tokens import Encoded
from plaudit.report.terminal import clean

PENALTY = TRIED[1]  # of the weights in the column `fair_weight`
LISTED = 10  # comparisons that do most harm, by id
TOP = 20  # a twentieth: what is compared with the committee's most doubtful


class Asked(NamedTuple):
    """Columns [P], and `facts`: plain values for audit.json."""

    columns: dict[str, NDArray[np.float64]]
    facts: dict[str, Any]


def asked(
    docket: Docket, trunks: Sequence[ModelScorer], encoded: Sequence[Sequence[Encoded]], kind: NDArray[np.str_] | None,
    options: AuditOptions,
) -> Asked:  # fmt: skip
    """Influence, and with groups `kind` [P] fair weights, of linear heads on the first member's features.

    Whatever `--heads` votes: for linear heads influence is exact, and one view of one trunk is what it takes.
    """
    specs = [spec_of(t, name, options) for t, name in zip(trunks, names_of(options), strict=True)]
    read = features_of(docket, trunks, specs, encoded, cache.folder_of(options.cache))
    views, members = crew([s.layers for s in specs], pools_of(options.pools), count=2)
    view = views[members[0].view]
    features_NH, pairs, fold = view_matrix(view, read, docket.preferences), pairs_of(docket), fold_of(docket, options)
    found = columns(features_NH, pairs, fold)
    facts: dict[str, Any] = {
        "head": f"a linear head on {Path(specs[view.trunk].model).name}, layer {view.layer}, {view.pool}",
        "fair": None,
    }
    if kind is not None:
        rows = rows_of(features_NH, pairs)
        weights = crossed(rows, kind, fold, penalties=(PENALTY,))
        found["fair_weight"] = weights.weight[0]
        facts["fair"] = {
            "by": options.fair_by, "penalty": PENALTY, "fewest": FEWEST, "folds": len(np.unique(fold)),
            "unnamed": int((kind == "").sum()), "left_out": weights.small,
            **trade_document(trade(rows, kind, fold, docket.group), PENALTY),
        }  # fmt: skip
    return Asked(found, facts)


def told(facts: Mapping[str, Any], signals: Mapping[str, NDArray]) -> dict[str, Any]:
    """The facts with what influence says beside the committee: `harmful`, the share of comparisons without which the
    loss on other prompts would be lower; `agreement`, its rank correlation with p_disagree; `worst`, ids of those that
    do most harm; `top`, how many of the twentieth that does most harm are also in that of highest p_disagree."""
    from scipy.stats import spearmanr

    influence, doubt = signals["influence"], signals["p_disagree"]
    varied = len(influence) > 2 and np.ptp(influence) > 0 and np.ptp(doubt) > 0
    order = np.argsort(-influence, kind="stable")
    n = -(-len(order) // TOP)
    both = np.intersect1d(order[:n], np.argsort(-doubt, kind="stable")[:n])
    return {
        "top": {"n": n, "shared": len(both), "by_chance": n * n / max(len(order), 1)},
        "head": facts["head"], "harmful": float((influence > 0).mean()),
        "agreement": float(spearmanr(influence, doubt).statistic) if varied else None,
        "worst": list(dict.fromkeys(signals["id"][order].tolist()))[:LISTED], "fair": facts["fair"],
    }  # fmt: skip


def fair_groups(docket: Docket, options: AuditOptions) -> NDArray[np.str_] | None:
    """The group of every comparison [P] by `--fair-by`; None when nobody asked. Cheap, so it is asked before the pass.

    Raises:
        OptionError: an unknown kind of group, one that the rows do not tell apart, or a fold without two large groups.
    """
    if not options.fair_by:
        return None
    kind = kinds_of(docket.preferences, docket.comparisons, options.fair_by)
    if len(set(kind) - {""}) < 2:
        raise OptionError([f"--fair-by: {options.fair_by} does not tell these comparisons apart"],
                          advice="name another: annotator, source, longer, tag:NAME")  # fmt: skip
    why = thin(kind, fold_of(docket, options))
    if why:
        sizes = Counter(kind[kind != ""].tolist()).most_common()
        told = ", ".join(f"{clean(name, 40)} {n:,}" for name, n in sizes[:12]) + (", ..." if len(sizes) > 12 else "")
        raise OptionError([f"--fair-by: every fold must hold two groups to compare, but {why} (in all: {told})"],
                          advice=_mended(kind, docket, options))  # fmt: skip
    return kind


def _mended(kind: NDArray[np.str_], docket: Docket, options: AuditOptions) -> str:
    """What would do: the largest number of folds that holds two groups of enough rows in each, if there is one."""
    for folds in range(options.folds - 1, 1, -1):
        if not thin(kind, fold_of(docket, options.model_copy(update={"folds": folds}))):
            return f"--folds {folds} would do with these rows; or bring more, or name other groups"
    return "no number of --folds would do: bring more rows, or name other groups"
