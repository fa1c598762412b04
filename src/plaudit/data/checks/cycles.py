"""Circles within a prompt: A beats B, B beats C, C beats A. No scorer can satisfy all three.

A pair of responses points the way that most of its judgements went; evenly split ones point nowhere, so that a plain
contradiction is no circle. Circles are the strongly connected components of three responses or more. Chance makes a
quarter of all complete triples circular, careful judges nearly none (Kendall & Babington Smith 1940).
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from plaudit.data.checks import _judgements as judgements
from plaudit.data.checks._judgements import Judgements
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline

LISTED = 20  # circles listed by their preferences


def check(outline: Outline, *, tolerated: float = 0.05) -> Finding:
    """`tolerated`: circular share of the triples whose three pairs were all judged, above which it is a warning.

    >>> from plaudit.data.outline import outline
    >>> from plaudit.data.read import Row
    >>> from plaudit.records import pair
    >>> round_ = tuple(pair("Q?", a, b, id=a + b) for a, b in ("xy", "yz", "zx"))
    >>> found = check(outline([Row("a.jsonl:1", b"", "trl", round_)]))
    >>> found.value["circles"], found.value["circular_triples"], found.value["listed"]
    (1, 1, [['xy', 'yz', 'zx']])
    """
    table = judgements.of_outline(outline)
    strict = table.only(table.low_won >= 0)
    found = _circles(strict)
    if not found["triples"] and not found["circles"]:
        why = "no three responses to one prompt were all compared with one another"
        return Finding("cycles", "skip", why)
    inside, which = found.pop("inside"), found.pop("which")
    order = [np.unique(strict.preference[inside & (which == c)]) for c in np.unique(which[inside])]
    named = sorted((sorted(outline.id(int(i)) for i in rows) for rows in order), key=lambda own: (len(own), own))
    own = _circles(strict.only(strict.named), own=True) if strict.named.any() else {"circles": 0}
    value = {**found, "by_one_annotator": own["circles"], "listed": [each[:10] for each in named[:LISTED]]}
    part = judgements.share(value["circular_triples"], value["triples"])
    value["share"] = part
    if not value["circles"]:
        return Finding("cycles", "ok", f"none of {value['triples']:,} triples of responses is circular", value)
    text = (
        f"{judgements.counted(value['circles'], 'circle')} of responses in"
        f" {judgements.counted(value['prompts'], 'prompt')}: {value['circular_triples']:,} of {value['triples']:,}"
        f" complete triples are circular ({part:.1%}; chance makes 25 %)"
    )
    ids, count = judgements.ids(outline, strict.preference[inside])
    advice = "one comparison of each circle cannot hold: look at those with the highest p_disagree first"
    return Finding("cycles", "warn" if part > tolerated else "note", text, value, ids, count, advice)


def _circles(table: Judgements, *, own: bool = False) -> dict:
    """Counts of circles, prompts and triples; which judgements lie inside, and in which circle. `own`: one judge's."""
    if not len(table):
        nothing = np.zeros(0, bool)
        return {"circles": 0, "prompts": 0, "circular_triples": 0, "triples": 0, "inside": nothing, "which": nothing}
    ends = np.concatenate([table.first_node, table.second_node])
    if own:
        ends = ends + np.tile(table.annotator.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15), 2)
    nodes, place = np.unique(ends, return_inverse=True)
    first, second = place[: len(table)], place[len(table) :]
    ahead = np.where((table.low_won == 1) == table.low_first, 1, -1)
    flipped = first > second
    a, b = np.where(flipped, second, first), np.where(flipped, first, second)
    net = coo_array((np.where(flipped, -ahead, ahead), (a, b)), shape=(len(nodes),) * 2).tocsr().tocoo()
    row, column, lead = net.coords[0], net.coords[1], net.data
    row, column, lead = row[lead != 0], column[lead != 0], lead[lead != 0]
    wins = coo_array(
        (np.ones(len(row), np.int64), (np.where(lead > 0, row, column), np.where(lead > 0, column, row))),
        shape=(len(nodes),) * 2,
    ).tocsr()  # fmt: skip
    part = connected_components(wins, directed=True, connection="strong")[1]
    big = np.bincount(part)[part] >= 3
    inside = big[first] & (part[first] == part[second])
    met = wins + wins.T
    return {
        "circles": len(np.unique(part[big])), "prompts": len(np.unique(table.group[inside])),
        "circular_triples": int(((wins @ wins).T * wins).sum()) // 3,
        "triples": int(((met @ met) * met).sum()) // 6, "inside": inside, "which": part[first],
    }  # fmt: skip
