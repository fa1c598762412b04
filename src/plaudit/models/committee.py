"""A committee of heads on frozen trunks: one folder, and itself a scorer that shows its members.

The folder holds the heads of every fold, what they look at, and the fingerprints of the trunks they were fitted on.
The trunks themselves are named, not copied; a trunk that has changed since is refused.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from plaudit.errors import PlauditError
from plaudit.models.backbone import load_backbone
from plaudit.models.device import place
from plaudit.models.features import Features, Pool, features
from plaudit.models.members import Fitted, Member, View, view_matrix
from plaudit.models.score import ModelScorer
from plaudit.models.tokens import encode_all
from plaudit.records import Preference, digest
from plaudit.signals.aggregate import Combine, aggregate

FILE, HEADS, FORMAT = "committee.json", "heads.safetensors", 2
WINDOW = 512  # preferences scored together


@dataclass(frozen=True)
class TrunkSpec:
    """Which trunk, as it was asked for, and what of it is read."""

    model: str
    fingerprint: str
    dtype: str
    max_length: int
    layers: tuple[int, ...]
    pools: tuple[Pool, ...]


def load_trunk(
    model: str, *, dtype: str = "float32", budget: int = 4096, max_length: int | None = None, device: str = "",
    trust_remote_code: bool = False, allow_pickles: bool = False,
) -> ModelScorer:  # fmt: skip
    """A model whose hidden states are read; its scoring head plays no part. Trust as in `load_backbone`."""
    loaded = load_backbone(
        model, for_training=True, max_length=max_length, trust_remote_code=trust_remote_code,
        allow_pickles=allow_pickles,
    )  # fmt: skip
    place(loaded.model, device)
    return ModelScorer(loaded, dtype=dtype, budget=budget)


class Committee:
    """Heads on trunks as a `Panel`: `votes_all` gives every member's score, `score_all` their mean.

    A member's score is the mean over the heads it had in the folds. Scores are on the scale of unit mean square
    held-out margin, so members weigh alike, and less `center` [K], each member's mean over the responses audited: only
    differences within a prompt were learned, and without it members would differ by constants that mean nothing.
    """

    def __init__(
        self, trunks: Sequence[ModelScorer], specs: Sequence[TrunkSpec], views: Sequence[View],
        fitted: Sequence[Fitted], *, combine: Combine = "mean", center: NDArray | None = None,
    ) -> None:  # fmt: skip
        self.trunks, self.specs, self.views, self.fitted = list(trunks), list(specs), list(views), list(fitted)
        self.combine: Combine = combine
        self.center = np.zeros(len(self.fitted)) if center is None else np.asarray(center, np.float64)
        heads = digest(*(a.tobytes().hex() for f in fitted for _, a in sorted(f.weights.items())))
        self.fingerprint = digest(
            "committee", heads, combine, repr(self.center.tolist()), *(s.fingerprint for s in specs)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What each member is, in words [K]."""
        return tuple(member_name(f.member, self.views, self.specs) for f in self.fitted)

    def votes_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One float array [K, N] per preference."""
        out: list[NDArray] = []
        rows = list(preferences)
        for at in range(0, len(rows), WINDOW):
            out += self._window(rows[at : at + WINDOW])
        return out

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One float array [N] per preference."""
        return [aggregate(votes, self.combine) for votes in self.votes_all(preferences)]

    def refusals(self, preferences: Sequence[Preference]) -> list[str]:
        """Why a trunk cannot take each preference, '' where all can: the first trunk that refuses speaks."""
        each = [[e.refused for e in encode_all(preferences, t.loaded.policy)] for t in self.trunks]
        return [next(filter(None, reasons), "") for reasons in zip(*each, strict=True)]

    def cut(self, preferences: Sequence[Preference]) -> list[bool]:
        """Whether a trunk has to cut each preference's prompt."""
        each = [[e.dropped_tokens > 0 for e in encode_all(preferences, t.loaded.policy)] for t in self.trunks]
        return [any(of) for of in zip(*each, strict=True)] if each else [False] * len(preferences)

    def texts(self, preference: Preference) -> list[str]:
        """The exact strings that the first trunk reads."""
        return self.trunks[0].texts(preference)

    def _window(self, window: Sequence[Preference]) -> list[NDArray]:
        with TemporaryDirectory(prefix="plaudit-committee-") as scratch:
            read = [
                features(t, window, scratch, layers=s.layers, pools=s.pools)
                for t, s in zip(self.trunks, self.specs, strict=True)
            ]
            votes = self.member_scores(read, window)  # [K, N]
        ends = np.cumsum([len(p.responses) for p in window])
        return np.split(votes, ends[:-1], axis=1) if len(window) else []

    def member_scores(self, read: Sequence[Features], preferences: Sequence[Preference]) -> NDArray[np.float64]:
        """Every member's score of every response, end to end [K, N], from features already at hand."""
        count = sum(len(p.responses) for p in preferences)
        out = np.zeros((len(self.fitted), count))
        for v, view in enumerate(self.views):
            here = [k for k, f in enumerate(self.fitted) if f.member.view == v]
            if here:
                matrix = view_matrix(view, read, preferences)
                for k in here:
                    out[k] = self.fitted[k].scores(matrix).mean(0) - self.center[k]
        return out

    def save(self, folder: Path) -> None:
        """Write into an existing folder (a part that `folders` publishes)."""
        arrays = {f"{k}.{name}": a for k, f in enumerate(self.fitted) for name, a in f.weights.items()}
        save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, folder / HEADS)
        document = {
            "format": FORMAT, "kind": "heads", "combine": self.combine,
            "trunks": [asdict(s) for s in self.specs], "views": [asdict(v) for v in self.views],
            "members": [
                {
                    **asdict(f.member), "name": name, "ridge": f.ridge.tolist(), "bag_loss": f.bag_loss.tolist(),
                    "center": float(center),
                }
                for f, name, center in zip(self.fitted, self.names, self.center, strict=True)
            ],
        }  # fmt: skip
        (folder / FILE).write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")


def member_name(member: Member, views: Sequence[View], specs: Sequence[TrunkSpec]) -> str:
    """A member in words, unlike every other's: `smollm2-135m layer 21 mean, linear, seed 3`."""
    view = views[member.view]
    place = "length" if view.trunk < 0 else f"{Path(specs[view.trunk].model).name} layer {view.layer} {view.pool}"
    return f"{place}, {member.kind}, seed {member.seed}"


def load_committee(
    folder: str | Path, *, device: str = "", budget: int = 4096, combine: Combine | None = None, **trust: bool
) -> Committee:
    """A saved committee with its trunks loaded; `trust`: `trust_remote_code` and `allow_pickles` of the trunks.

    Raises:
        PlauditError: the folder is damaged, or a trunk is not the one its heads were fitted on.
    """
    folder = Path(folder)
    document = read_document(folder)
    specs = [_spec(entry) for entry in document["trunks"]]
    trunks = [
        load_trunk(s.model, dtype=s.dtype, budget=budget, max_length=s.max_length, device=device, **trust)
        for s in specs
    ]
    for spec, trunk in zip(specs, trunks, strict=True):
        if trunk.fingerprint != spec.fingerprint:
            raise PlauditError(
                f"{folder}: its heads were fitted on another version of {spec.model}",
                advice="run the audit again with the model as it is now",
            )
    arrays = load_file(folder / HEADS)
    fitted = []
    for k, entry in enumerate(document["members"]):
        weights = {name.split(".", 1)[1]: a for name, a in arrays.items() if name.split(".", 1)[0] == str(k)}
        member = Member(entry["view"], entry["kind"], entry["seed"])
        facts = (np.array(entry[name]) for name in ("ridge", "bag_loss"))
        fitted.append(Fitted(member, weights, *facts))
    center = np.array([entry["center"] for entry in document["members"]])
    return Committee(
        trunks, specs, [View(**v) for v in document["views"]], fitted, combine=combine or document["combine"],
        center=center,
    )  # fmt: skip


def read_document(folder: Path) -> dict[str, Any]:
    """The committee.json of a folder; an error in words when it is not one."""
    try:
        document = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise PlauditError(f"{folder / FILE}: format {document['format']}, which this version does not read")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlauditError(f"{folder / FILE} is no committee: {error}", advice="run the audit again") from error
    return document


def _spec(entry: dict[str, Any]) -> TrunkSpec:
    return TrunkSpec(**{**entry, "layers": tuple(entry["layers"]), "pools": tuple(entry["pools"])})
