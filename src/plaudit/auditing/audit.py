"""Price every preference of some files: `plaudit.audit`, one pass of a trunk and a folder that says what to trust."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing import cache, checking, scorers, store, summary
from plaudit.auditing.crew import numbers_of
from plaudit.auditing.influence_asked import Asked, asked, fair_groups, told
from plaudit.auditing.influence_fair import GROUPS, kinds_of, known_groups
from plaudit.auditing.material import Docket, Material, docket, gather
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.trained import poll_trained
from plaudit.auditing.vote import Poll, names_of, poll, trunks_of
from plaudit.data.columns import renames
from plaudit.data.findings import Equal, Finding
from plaudit.data.limits import Limits
from plaudit.data.options import given
from plaudit.data.split import group_digest
from plaudit.data.tally import first_alike, first_opposed
from plaudit.errors import OptionError, PlauditError, all_of
from plaudit.folders import refuse_unwritable
from plaudit.models.backbone import refuse_unknown
from plaudit.models.device import refuse_absent
from plaudit.models.foreign import adapter_base
from plaudit.models.tokens import Encoded, encode_all
from plaudit.report.pages.audit import page
from plaudit.report.terminal import clean, note
from plaudit.rewards.load import refuse_unknown as refuse_unknown_scorer
from plaudit.signals.noise import WIDEST, Noise, NoiseModel, estimate
from plaudit.signals.price import Thresholds, price
from plaudit.signals.votes import Signals, Votes, likeness

TRAINED = ("lora", "full")
FEATURES = ("layers", "pools", "length_member", "apart")  # options of heads that read features
LESSONS = ("learning_rate", "epochs")  # of members that are trained models
OF_MEMBERS = ("folds", "members", "heads", *FEATURES, *LESSONS)
NOISE = ("none", "uniform", "group", "annotator")
UNNAMED = "(not said)"  # rows without the tag or annotator that a noise model asks about


@dataclass(frozen=True)
class Audit:
    """What an audit found: one row of `signals` per comparison, and the `summary` that audit.json holds."""

    signals: Signals
    summary: dict[str, Any]


def audit(
    files: str | Path | Sequence[str | Path],
    *,
    output_dir: str | Path | None = None,
    options: AuditOptions | None = None,
    on_checks: Callable[[Sequence[Finding]], None] | None = None,
    **more: Any,
) -> Audit:
    """Let a committee price every preference in the files; publish a folder when `output_dir` is given.

    `more` are options by name: `plaudit.audit(["hh.jsonl"], model="minilm-l6")`. Signals are described in
    `signals.price`; the folder in `auditing.store`. `on_checks` is told what the checks found that need no model,
    before any is loaded.

    Raises:
        PlauditError: the folder exists already, nothing in the files was compared, or a model cannot be read.
    """
    options = AuditOptions(**{**(options.model_dump() if options else {}), **more})
    ready(options, output_dir)
    against = checking.benchmark(options.against)
    material = gather(
        files, layout=options.layout, columns=renames(options.columns), by=options.group_by, rejects=options.rejects,
        limits=Limits(line_bytes=options.line_bytes),
    )  # fmt: skip
    _tagged(material, options)
    found = checking.before(material, against)
    if on_checks:
        on_checks(found)
    case, ballot, equal, added = _voted(material, options)
    found += checking.after(material, equal)
    signals = priced(material, case, ballot, options)
    noise = noise_of(signals, case, ballot.votes, options)
    signals = signals if noise is None else signals.having(p_wrong=noise.p_wrong)
    document = summary.document(material, case, signals, ballot.votes, noise, found, options, likeness(ballot.votes))
    if added is not None:
        signals = signals.having(**added.columns)
    document["apart"] = ballot.apart
    document["influence"] = told(added.facts, signals) if added else None
    if output_dir is not None:
        html = page(document, signals, summary.suspicious(case, signals, options.shown))
        learned = () if options.scorer else map(group_digest, case.preferences)
        store.save(Path(output_dir), signals, document, html, ballot.write, learned)
    cache.prune(cache.folder_of(options.cache), options.cache_gb * 1e9)  # last: until here it is read from
    return Audit(signals, document)


def _voted(material: Material, options: AuditOptions) -> tuple[Docket, Poll, list[Equal] | None, Asked | None]:
    """What is voted on, the votes, comparisons equal to the model (None: nobody looked), influence if asked for."""
    if options.scorer:
        return (*scorers.ask(material, options), None, None)
    trunks = trunks_of(options)
    everything = [encode_all(material.preferences, t.loaded.policy) for t in trunks]
    case = docket(material, _refused(everything, material))
    kind = fair_groups(case, options)  # what it refuses is refused before the long pass
    kept = [[own[i] for i in case.place] for own in everything]
    ballot = poll_trained(case, trunks, options) if options.heads in TRAINED else poll(case, trunks, kept, options)
    wanted = options.influence or options.fair_by
    equal = checking.alike(case, kept, [t.loaded.policy for t in trunks])
    return case, ballot, equal, asked(case, trunks, kept, kind, options) if wanted else None


def ready(options: AuditOptions, output_dir: str | Path | None) -> None:
    """Refuse at once what would fail after the long pass."""
    mistakes = []
    if bool(options.model.strip(" ,")) == bool(options.scorer.strip(" ,")):
        mistakes.append("name what votes: --model (heads on a trunk) or --scorer (trained models), one of them")
    if not options.strong < options.ambiguous <= options.wrong:
        mistakes.append("thresholds must rise: --strong below --ambiguous, not above --wrong")
    if (options.influence or options.fair_by) and (options.scorer or options.in_sample):
        mistakes.append("--influence and --fair-by need heads that vote out of fold: no --scorer, no --in-sample")
    if options.scorer and options.in_sample:
        mistakes.append("--in-sample is about heads; given scorers vote as they are")
    if options.heads in TRAINED and options.in_sample and not options.scorer:
        mistakes.append("--in-sample is about heads; train models with `plaudit train` and give them as --scorer")
    mistakes += _idle(options)
    if options.noise not in NOISE and not (options.noise.startswith("tag:") and options.noise[4:]):
        mistakes.append(f"--noise: unknown model {options.noise!r}; known: {', '.join(NOISE)}, tag:NAME")
    if options.apart not in ("auto", "none", "file") and not (options.apart.startswith("tag:") and options.apart[4:]):
        mistakes.append(f"--apart: {options.apart!r}; known: auto, none, file, tag:NAME")
    if options.fair_by and not known_groups(options.fair_by):
        mistakes.append(f"--fair-by: unknown groups {options.fair_by!r}; known: {', '.join(GROUPS)}, tag:NAME")
    if mistakes:
        raise OptionError(mistakes)
    if output_dir is not None and Path(output_dir).exists():
        raise PlauditError(f"{output_dir} exists already", advice="choose another --output-dir, or remove it first")
    if output_dir is not None:
        refuse_unwritable(Path(output_dir), "choose another --output-dir")
    if not options.scorer:
        refuse_unwritable(cache.folder_of(options.cache), "name another --cache, or set PLAUDIT_CACHE")
    _look_up(options)


def _look_up(options: AuditOptions) -> None:
    """Refuse names of models, scorers, layers and devices that nothing can stand for; nothing is loaded or fetched."""
    all_of(
        *(partial(_refuse_model, name) for name in names_of(options)),
        *(partial(refuse_unknown_scorer, name) for name in scorers.asked(options)),
        partial(numbers_of, options.layers), partial(refuse_absent, options.device),
    )  # fmt: skip


def _refuse_model(name: str) -> None:
    refuse_unknown(name)
    base, adapter = adapter_base(str(Path(name).expanduser()))
    if adapter:
        refuse_unknown(base)


def _idle(options: AuditOptions) -> list[str]:
    """Options that were given and that nobody would read beside the others, as mistakes."""
    own = [name for name in given(options) if name in OF_MEMBERS]
    flags = lambda names: ", ".join(f"--{name.replace('_', '-')}" for name in names if name in own)  # noqa: E731
    if options.scorer:
        return [f"{flags(OF_MEMBERS)}: about members of a committee; given scorers vote as they are"] if own else []
    out = []
    if options.heads in TRAINED and flags(FEATURES):
        out.append(f"{flags(FEATURES)}: about heads on features, not about --heads {options.heads}")
    if options.heads not in TRAINED and flags(LESSONS):
        out.append(f"{flags(LESSONS)}: about --heads lora or full; heads on features are solved")
    if options.in_sample and flags(("folds", "apart")):
        out.append(f"{flags(('folds', 'apart'))}: with --in-sample every member learns and votes on all rows")
    if options.length_member and options.members == 1 and options.heads not in TRAINED:
        out.append("--length-member takes one seat of several: --members 2 or more")
    return out


def _refused(everything: Sequence[Sequence[Encoded]], material: Material) -> dict[int, str]:
    """Judged preferences that one of the trunks cannot read, and why."""
    out: dict[int, str] = {}
    for own in everything:
        for i, (e, p) in enumerate(zip(own, material.preferences, strict=True)):
            if e.refused and p.comparisons():
                out.setdefault(i, e.refused)
    return out


def priced(material: Material, case: Docket, ballot: Poll, options: AuditOptions) -> Signals:
    """Signals with the key, where a row came from, and what the outline knows of it."""
    limits = Thresholds(options.wrong, options.ambiguous, options.strong)
    signals = price(ballot.votes, thresholds=limits)
    c, o = case.comparisons, material.seen
    at = case.place[c.preference]
    column = lambda values: np.array([values[i] for i in c.preference], object)  # noqa: E731
    file = kinds_of(case.preferences, c, "source")  # no folder of this machine
    line = column([p.source.rpartition(":")[2] for p in case.preferences])
    chars = np.concatenate([[len(r[-1].text) if r else 0 for r in p.responses] for p in case.preferences])
    ids = np.array([o.id(i) for i in range(len(o))] + [""], object)
    key: dict[str, NDArray] = {
        "id": column([p.id for p in case.preferences]), "better": c.better.astype(np.int32),
        "worse": c.worse.astype(np.int32), "content": column([p.content for p in case.preferences]),
        "source": np.array([f"{f}:{n}" for f, n in zip(file, line, strict=True)], object), "group": case.group,
        "annotator": column([p.annotator for p in case.preferences]), "label": case.label,
        "fold": ballot.votes.fold.astype(np.int32),
    }  # fmt: skip
    rest = {
        "verdict": np.where(case.label == 0.5, "ambiguous", signals["verdict"]),  # a tie cannot be the wrong way round
        "p_wrong": np.full(len(at), np.nan), "duplicate_of": ids[first_alike(o)[at]],
        "contradicts": ids[first_opposed(o)[at]],
        "chosen_is_longer": np.sign(chars[case.better] - chars[case.worse]).astype(np.int32),
        "annotator_reliability": checking.reliability(material, case),
    }  # fmt: skip
    return Signals({**key, **signals.columns, **rest}, signals.facts)


def _tagged(material: Material, options: AuditOptions) -> None:
    """Refuse a noise model, or groups, by a tag that no row has."""
    for flag, by in (("--noise", options.noise), ("--fair-by", options.fair_by), ("--apart", options.apart)):
        tag = by.removeprefix("tag:")
        if not by.startswith("tag:") or any(p.tags.get(tag) for p in material.preferences):
            continue
        tags = sorted({name for p in material.preferences for name in p.tags})
        known = "tags of these rows: " + ", ".join(clean(name, 40) for name in tags[:20]) if tags else "no row has tags"
        raise OptionError([f"{flag}: no row has the tag {tag!r}"], advice=known)


def noise_groups(case: Docket, options: AuditOptions) -> NDArray[np.object_]:
    """Whose rate of wrong labels is asked for, by name, for every comparison [P]."""
    if options.noise in ("none", "uniform"):
        return np.full(len(case.group), "all", object)
    kind = kinds_of(case.preferences, case.comparisons, "source" if options.noise == "group" else options.noise)
    return np.where(kind == "", UNNAMED, kind).astype(object)


def noise_of(signals: Signals, case: Docket, votes: Votes, options: AuditOptions) -> Noise | None:
    """The named noise model, fitted; a note on whose rate the votes cannot tell. None, too, where the votes may have
    seen the labels: a member that learned a wrong label repeats it, and every rate comes out too small.
    """
    if options.noise == "none":
        return None
    if summary.in_sample(votes):
        note(f"no rate of wrong labels: {summary.SEEN}")
        return None
    model: NoiseModel = "group" if options.noise.startswith("tag:") else options.noise  # type: ignore[assignment]
    found = estimate(signals["mean"], votes.target, noise_groups(case, options), model=model)
    unsure = [name for name, (_, low, high, _) in found.rates.items() if high - low >= WIDEST]
    if unsure:
        some = len(unsure) < len(found.rates)
        of = " of " + ", ".join(clean(name, 60) for name in unsure[:5]) if some else ""
        of += f" and {len(unsure) - 5} more" if some and len(unsure) > 5 else ""
        note(f"the votes never become sure enough to tell the rate of wrong labels{of}: p_wrong is empty"
             + (" there" if some else ""))  # fmt: skip
    return found
