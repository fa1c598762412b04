"""Price every preference of some files: `plaudit.audit`, one pass of a trunk and a folder that says what to trust."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing import checking, scorers, store, summary
from plaudit.auditing.material import Docket, Material, docket, gather
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.trained import poll_trained
from plaudit.auditing.vote import Poll, fair_groups, influences, poll, trunks_of
from plaudit.data.columns import renames
from plaudit.data.tally import first_alike, first_opposed
from plaudit.errors import OptionError, PlauditError
from plaudit.models.score import ModelScorer
from plaudit.models.tokens import Encoded, encode_all, equal_after_cut
from plaudit.report.pages.audit import page
from plaudit.report.terminal import note
from plaudit.signals.noise import Noise, estimate
from plaudit.signals.price import Thresholds, price
from plaudit.signals.votes import Signals, Votes, likeness

TRAINED = ("lora", "full")


@dataclass(frozen=True)
class Audit:
    """What an audit found: one row of `signals` per comparison, and the `summary` that audit.json holds."""

    signals: Signals
    summary: dict[str, Any]


def audit(
    files: Sequence[str | Path],
    *,
    output_dir: str | Path | None = None,
    options: AuditOptions | None = None,
    **more: Any,
) -> Audit:
    """Let a committee price every preference in the files; publish a folder when `output_dir` is given.

    `more` are options by name: `plaudit.audit(["hh.jsonl"], model="minilm-l6")`. Signals are described in
    `signals.price`; the folder in `auditing.store`.

    Raises:
        PlauditError: the folder exists already, nothing in the files was compared, or a model cannot be read.
    """
    options = AuditOptions(**{**(options.model_dump() if options else {}), **more})
    ready(options, output_dir)
    material = gather(
        files, layout=options.layout, columns=renames(options.columns), by=options.group_by, rejects=options.rejects
    )
    trunks: list[ModelScorer] = []
    kept: list[list[Encoded]] = []
    if options.scorer:
        case, ballot = scorers.ask(material, options)
        encoded = None
    else:
        trunks = trunks_of(options)
        everything = [encode_all(material.preferences, t.loaded.policy) for t in trunks]
        case = docket(material, _refused(everything, material))
        fair_groups(case, options)  # what it refuses is refused before the long pass
        kept = [[own[i] for i in case.place] for own in everything]
        encoded = kept[0]
        ballot = poll_trained(case, trunks, options) if options.heads in TRAINED else poll(case, trunks, kept, options)
    signals = priced(material, case, ballot, options)
    noise = noise_of(signals, ballot.votes, options)
    if noise is not None:
        signals = signals.having(p_wrong=noise.p_wrong)
    if options.influence or options.fair_by:
        signals = signals.having(**influences(case, trunks, kept, ballot.votes.fold, options))
    findings = checking.findings(material, case, _equal(case, encoded), options)
    document = summary.document(material, case, signals, ballot.votes, noise, findings, options, likeness(ballot.votes))
    if output_dir is not None:
        shown = summary.suspicious(case, signals, options.shown)
        html = page(document, signals, shown)
        store.save(Path(output_dir), signals, document, html, ballot.write)
    return Audit(signals, document)


def ready(options: AuditOptions, output_dir: str | Path | None) -> None:
    """Refuse at once what would fail after the long pass."""
    mistakes = []
    if bool(options.model) == bool(options.scorer):
        mistakes.append("name what votes: --model (heads on a trunk) or --scorer (trained models), one of them")
    if not options.strong < options.ambiguous <= options.wrong:
        mistakes.append("thresholds must rise: --strong below --ambiguous, not above --wrong")
    if (options.influence or options.fair_by) and (options.scorer or options.in_sample):
        mistakes.append("--influence and --fair-by need heads that vote out of fold: no --scorer, no --in-sample")
    if options.scorer and options.in_sample:
        mistakes.append("--in-sample is about heads; given scorers vote as they are")
    if mistakes:
        raise OptionError(mistakes)
    if output_dir is not None and Path(output_dir).exists():
        raise PlauditError(f"{output_dir} exists already", advice="choose another --output-dir, or remove it first")


def _refused(everything: Sequence[Sequence[Encoded]], material: Material) -> dict[int, str]:
    """Judged preferences that one of the trunks cannot read, and why."""
    out: dict[int, str] = {}
    for own in everything:
        for i, (e, p) in enumerate(zip(own, material.preferences, strict=True)):
            if e.refused and p.comparisons():
                out.setdefault(i, e.refused)
    return out


def _equal(case: Docket, encoded: Sequence[Encoded] | None) -> list[int]:
    """Pairs whose two responses are the same tokens to the first trunk; places in the material."""
    if encoded is None:
        return []
    return [int(i) for i, e in zip(case.place, encoded, strict=True) if len(e.responses) == 2 and equal_after_cut(e)]


def priced(material: Material, case: Docket, ballot: Poll, options: AuditOptions) -> Signals:
    """Signals with the key, where a row came from, and what the outline knows of it."""
    limits = Thresholds(options.wrong, options.ambiguous, options.strong)
    signals = price(ballot.votes, thresholds=limits)
    c, o = case.comparisons, material.seen
    at = case.place[c.preference]
    column = lambda values: np.array([values[i] for i in c.preference], object)  # noqa: E731
    chars = np.concatenate([[len(r[-1].text) if r else 0 for r in p.responses] for p in case.preferences])
    ids = np.array([o.id(i) for i in range(len(o))] + [""], object)
    key: dict[str, NDArray] = {
        "id": column([p.id for p in case.preferences]), "better": c.better.astype(np.int32),
        "worse": c.worse.astype(np.int32), "content": column([p.content for p in case.preferences]),
        "source": column([p.source for p in case.preferences]), "group": case.group,
        "annotator": column([p.annotator for p in case.preferences]), "label": case.label,
        "fold": ballot.votes.fold.astype(np.int32),
    }  # fmt: skip
    rest = {
        "p_wrong": np.full(len(at), np.nan), "duplicate_of": ids[first_alike(o)[at]],
        "contradicts": ids[first_opposed(o)[at]],
        "chosen_is_longer": np.sign(chars[case.better] - chars[case.worse]).astype(np.int32),
        "annotator_reliability": checking.reliability(material, case),
    }  # fmt: skip
    return Signals({**key, **signals.columns, **rest}, signals.facts)


def noise_of(signals: Signals, votes: Votes, options: AuditOptions) -> Noise | None:
    """The named noise model, fitted; a note when the votes cannot tell its rate."""
    if options.noise == "none":
        return None
    files = np.array([s.rsplit(":", 1)[0] for s in signals["source"]], object)
    kind = signals["annotator"] if options.noise == "annotator" else files
    found = estimate(signals["mean"], votes.target, kind, model=options.noise)
    if not found.identified:
        note("the votes never become sure enough to tell the rate of wrong labels: p_wrong stays empty")
    return found
