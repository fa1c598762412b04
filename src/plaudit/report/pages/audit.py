"""The audit's page: which labels look wrong, why one should believe it, and what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.report import svg_inline as draw
from plaudit.report.diff import APART, Piece, difference
from plaudit.report.pages import audit_commands as commands
from plaudit.report.pages import audit_words as words
from plaudit.report.pages.audit_checks import checks, skipped
from plaudit.report.pages.audit_facts import facts, member
from plaudit.report.pages.frame import Visible, fitting, lines, name, render

START = 70  # characters of a prompt in the line of a folded pair
PROMPT, RESPONSE = 6_000, 16_000  # bytes of a pair's texts in the page, escapes counted: twenty pairs stay below 2 MB
OPEN, MEMBERS, LEFT = 5, 40, 20  # pairs unfolded at first; members; rows left out
GROUPS = 24  # groups of fair weights in the table


@dataclass(frozen=True)
class Shown:
    """A pair to put side by side, with what the committee says of it."""

    id: str
    source: str
    annotator: str
    verdict: str
    p_disagree: float
    mean: float
    std: float
    vote_share: float
    prompt: str
    chosen: str
    rejected: str


def page(document: Mapping[str, Any], signals: Mapping[str, NDArray], shown: Sequence[Shown]) -> str:
    """One self-contained HTML document.

    `document` is what audit.json holds, `signals` has the columns `mean`, `std`, `p_disagree`, `verdict` [P], `shown`
    are the pairs to print, most suspicious first. Equal values give equal bytes.
    """
    mean, verdict = np.asarray(signals["mean"], float), np.asarray(signals["verdict"])
    wrong = np.asarray(signals["p_disagree"], float)[verdict == "wrong"]
    top = words.summary(document, float(wrong.mean()) if len(wrong) else None)
    proposed = commands.steps(document)
    return render(
        "audit.html", title=f"Preference audit: {top.title}", top=top, found=document,
        files=[name(f) for f in list(document["sources"])[:3]],
        steps=proposed,
        places=(commands.places(c for _, c in proposed[:1]), commands.places(c for _, c in proposed)),
        who=words.voter(document), strengths=_strengths(mean, verdict),
        spread=_spread(mean, np.asarray(signals["std"], float)),
        shares=draw.shares("Verdicts", {k: int(document["verdicts"][k]) for k in words.MEANING}),
        verdicts=_verdicts(document), pairs=[_pair(*s, i) for i, s in enumerate(_distinct(shown))],
        checks=checks(document), skipped=skipped(document["data_checks"]),
        committee=_committee(document), facts=facts(document), ties=words.ties(document),
        counted=words.counted, words_of=commands.parts,
        agreed=words.agreed(document["data_checks"]), company=words.company(document),
        left_out=[_left(row) for row in document["left_out"][:LEFT]],
        sources=_voices(document["sources"]), annotators=_voices(document["annotators"]),
        tags=[(name(tag), {**own, "rows": _voices(own["values"])}) for tag, own in document.get("tags", {}).items()],
        noise_of=words.noise_of(document["noise"]["model"] or "", document["noise"].get("by", "")),
        influence=_influence(document.get("influence")),
    )  # fmt: skip


def _strengths(mean: NDArray[np.float64], verdict: NDArray) -> Any:
    kinds = {kind: mean[verdict == kind] for kind in words.MEANING}
    return draw.strengths("Histogram of strength", kinds, x_label="strength: mean margin of the members")


def _spread(mean: NDArray[np.float64], std: NDArray[np.float64]) -> Any:
    return draw.spread("Spread of the members over strength", mean, std, x_label="strength: mean margin of the members")


def _verdicts(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    total, begins = max(document["rows"]["comparisons"], 1), words.limits(document)
    return [
        {
            "kind": kind,
            "meaning": words.MEANING[kind].replace("the committee", words.voter(document)),
            "begins": begins[kind],
            "n": count,
            "share": count / total,
        }
        for kind, count in ((kind, document["verdicts"][kind]) for kind in words.MEANING)
    ]


def _voices(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the tables by file and by annotator, each with its verdicts as a bar."""
    bar = lambda row: draw.shares("Verdicts", {k: int(row[k]) for k in words.MEANING})  # noqa: E731
    return [{"name": key, **row, "shares": bar(row)} for key, row in found.items()]


def _committee(document: Mapping[str, Any]) -> dict[str, Any]:
    members = [{**m, "name": member(m["name"])} for m in document["members"][:MEMBERS]]
    square = [row[:MEMBERS] for row in document["likeness"]["members"][:MEMBERS]]
    return {
        "members": members, "more": len(document["members"]) - len(members),
        "figure": draw.likeness("How alike the members vote", square, [m["name"] for m in members]),
        "alike": words.alike(document["likeness"]["mean"], len(document["members"])),
    }  # fmt: skip


def _influence(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Influence, and how groups stand with fair weights and without; None when nobody asked."""
    if found is None:
        return None
    found = {**found, "together": words.top(found["top"])}
    fair = found["fair"]
    if fair is None:
        return {**found, "groups": [], "more": 0, "offers": [], "notes": []}
    groups = [{"name": name(key), **row} for key, row in list(fair["groups"].items())[:GROUPS]]
    offers = [{"what": words.offer(o["penalty"], fair["penalty"]), **o} for o in fair["offers"]]
    return {
        **found, "groups": groups, "more": len(fair["groups"]) - len(groups), "offers": offers,
        "notes": words.fair_notes(fair),
    }  # fmt: skip


def _left(row: Mapping[str, str]) -> dict[str, str]:
    """A row that was left out, without the folder its file lies in."""
    return {"where": row["where"].replace("\\", "/").rsplit("/", 1)[-1], "reason": row["reason"]}


def _distinct(shown: Sequence[Shown]) -> list[tuple[Shown, str]]:
    """Pairs with equal texts once, with everybody who labelled them so."""
    first: dict[tuple[str, str, str], list[Shown]] = {}
    for s in shown:
        first.setdefault((s.prompt, s.chosen, s.rejected), []).append(s)
    return [
        (same[0], ", ".join(name(a) for a in dict.fromkeys(s.annotator for s in same) if a)) for same in first.values()
    ]


def _pair(shown: Shown, annotators: str, place: int) -> dict[str, Any]:
    left = difference(
        shown.chosen[: fitting(shown.chosen, RESPONSE)], shown.rejected[: fitting(shown.rejected, RESPONSE)]
    )
    cut = [
        len(text) - sum(len(p.text) for p in pieces)
        for text, pieces in ((shown.chosen, left.chosen), (shown.rejected, left.rejected))
    ]
    head, tail, skipped = _ends(shown.prompt)
    return {
        "id": name(shown.id), "source": name(shown.source), "annotators": annotators, "start": _start(shown.prompt),
        "kind": shown.verdict if shown.verdict in words.MEANING else "normal", "verdict": name(shown.verdict),
        "facts": shown, "open": place < OPEN, "head": head, "tail": tail, "skipped": skipped, "common": left.common,
        "apart": left.common < APART, "same": shown.chosen == shown.rejected,
        "sides": [("chosen", _shown(left.chosen), cut[0]), ("rejected", _shown(left.rejected), cut[1])],
    }  # fmt: skip


def _start(prompt: str) -> Visible:
    """The prompt's first words, to know a folded pair by."""
    text = " ".join(prompt[: 4 * START].split())
    return lines(text if len(text) <= START and len(prompt) <= 4 * START else f"{text[:START]}…")


def _shown(pieces: Sequence[Piece]) -> list[tuple[Visible, bool]]:
    return [(lines(p.text), p.changed) for p in pieces]


def _ends(prompt: str) -> tuple[Visible, Visible, int]:
    """A long prompt's beginning and end, and how many characters between them are not shown."""
    fits = fitting(prompt, PROMPT)
    if fits == len(prompt):
        return lines(prompt), Visible(""), 0
    head, tail = fitting(prompt, PROMPT // 2), fitting(prompt[::-1], PROMPT // 2)
    return lines(prompt[:head]), lines(prompt[len(prompt) - tail :]), len(prompt) - head - tail
