"""Targets and margins that move while a run goes on: what `relabel/` computes, kept, saved with the position, shown.

Estimators see a whole step in the order of the data and in float64: how it is cut into micro-batches changes nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plaudit import catalog
from plaudit.errors import OptionError, PlauditError
from plaudit.records import Preference
from plaudit.training.batches import Batch, Columns, everything
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.relabel import _contract as contract
from plaudit.training.relabel import smoothing
from plaudit.training.relabel._sides import favoured

ROOM = "plaudit.training.relabel"


class Labels:
    """What the targets are by now, the differences of this epoch, and what a margin estimator remembers.

    `columns` are the columns to train on; with smoothing their targets are changed in place after every epoch.
    `looks`: the estimator wants the differences of a step before its loss.
    """

    def __init__(self, columns: Columns, options: TrainOptions) -> None:
        self.beta = options.smoothing_beta
        self.columns = replace(columns, target=columns.target.copy(), label=columns.target) if self.beta else columns
        self.gap = np.full(len(columns.target), np.nan)
        self.mean = 0.0
        self.part: ModuleType | None = None
        self.given: dict[str, float] = {}
        if options.margin != "none":
            self.part = catalog.load(ROOM, options.margin)
            self.given = {"scale": options.margin_scale, "cap": options.margin_cap, "decay": options.margin_decay}
        self.looks = self.part is not None and "gap" in contract.columns(self.part.relabel)
        self.watches = bool(self.beta) or (self.part is not None and hasattr(self.part, "remember"))

    def before(self, micro: Sequence[Batch], scores: Tensor | None) -> tuple[list[Batch], dict[str, float]]:
        """The micro-batches of a step with their margins, and what the log says; `scores` [S] by slot if it `looks`."""
        if self.part is None:
            return list(micro), {}
        rows = self._rows(micro, scores)
        target, margin = self._ask(self.part.relabel, rows)
        extra = favoured(target) * (margin - rows["margin"])
        found = np.zeros(len(self.columns.target))
        found[rows["place"]] = margin
        moved = [
            replace(b, margin=torch.as_tensor(found[b.side["place"].numpy()], dtype=b.margin.dtype)) for b in micro
        ]
        for b, was in zip(moved, micro, strict=True):  # rows that weigh nothing stay as they are
            b.margin[was.weight <= 0] = was.margin[was.weight <= 0]
        total = rows["weight"].sum()
        return moved, {"plaudit/extra_margin": float(rows["weight"] @ extra / total) if total else 0.0}

    def after(self, micro: Sequence[Batch], scores: Tensor) -> dict[str, float]:
        """Remember the differences of a step, from its scores [S] by slot; what the log says."""
        rows = self._rows(micro, scores)
        if self.part is not None and hasattr(self.part, "remember"):
            self.mean = float(self._ask(self.part.remember, rows))
        if not self.beta:
            return {}
        self.gap[rows["place"]] = rows["gap"]
        return {"plaudit/label_shift": float(np.abs(self.columns.target - self._first()).mean())}

    def asked(self, columns: Columns, gap: NDArray[np.float64]) -> NDArray[np.float64]:
        """Margins [P] of other comparisons, those held out, asked as of one step; `gap` [P] are their differences."""
        margin, live = columns.margin.copy(), columns.weight > 0
        if self.part is None or not live.any():
            return margin
        strength = np.zeros(len(margin)) if columns.strength is None else columns.strength
        whole = {"target": columns.target, "margin": margin, "weight": columns.weight, "strength": strength, "gap": gap}
        rows = {name: column[live] for name, column in whole.items()}
        margin[live] = self._ask(self.part.relabel, rows | {"mean": self.mean})[1]
        return margin

    def epoch(self) -> None:
        """An epoch is over: move the labels towards what the model believed in it."""
        if self.beta:
            target, _ = smoothing.relabel(self.columns.target, self.columns.margin, self._moving(), beta=self.beta)
            self.columns.target[:] = target
            self.gap[:] = np.nan

    def _first(self) -> NDArray[np.float64]:
        return self.columns.target if self.columns.label is None else self.columns.label

    def _moving(self) -> NDArray[np.float64]:
        """The differences of this epoch; NaN where the label came as an even one, which is a tie and stays."""
        return np.where(self._first() == 0.5, np.nan, self.gap)

    def _rows(self, micro: Sequence[Batch], scores: Tensor | None) -> dict[str, Any]:
        """The comparisons of a step that weigh something, in the order of the data."""
        live = [b.weight > 0 for b in micro]
        place = torch.cat([b.side["place"][k] for b, k in zip(micro, live, strict=True)])
        order = torch.argsort(place)
        place_P = place[order].numpy()
        c = self.columns
        strength = np.zeros(len(c.target)) if c.strength is None else c.strength
        rows: dict[str, Any] = {
            "place": place_P, "target": c.target[place_P], "margin": c.margin[place_P], "weight": c.weight[place_P],
            "strength": strength[place_P], "mean": self.mean,
        }  # fmt: skip
        if scores is not None:
            values = scores.double().cpu()
            gaps = [
                values[b.side["slot"][b.better[k]]] - values[b.side["slot"][b.worse[k]]]
                for b, k in zip(micro, live, strict=True)
            ]
            rows["gap"] = torch.cat(gaps)[order].numpy()
        return rows

    def _ask(self, function: Any, rows: Mapping[str, Any]) -> Any:
        known = {k: v for k, v in self.given.items() if k in contract.options(function)}
        return function(**{name: rows[name] for name in contract.columns(function)}, **known)

    # what is saved and shown

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on."""
        state = {"target": self.columns.target, "gap": self.gap, "mean": np.array([self.mean])}
        return {name: torch.from_numpy(value.copy()) for name, value in state.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put `tensors` back.

        Raises:
            PlauditError: they belong to other data.
        """
        if len(state["target"]) != len(self.gap):
            raise PlauditError(f"the checkpoint holds {len(state['target'])} moving labels, this data {len(self.gap)}")
        if self.beta:
            self.columns.target[:] = state["target"].numpy()
        self.gap[:] = state["gap"].numpy()
        self.mean = float(state["mean"][0])

    def lines(self, preferences: Sequence[Preference]) -> Iterator[str]:
        """One JSON line per comparison: the preference's id, its responses (counted from 0), first and last target."""
        c = self.columns
        rows = zip(c.preference, c.better, c.worse, self._first(), c.target, strict=True)
        for i, better, worse, first, last in rows:
            sides = {"better": int(better), "worse": int(worse), "label": float(first), "target": float(last)}
            yield json.dumps({"id": preferences[i].id, **sides}) + "\n"


def labels_for(columns: Columns, options: TrainOptions, objective: Objective) -> Labels | None:
    """Labels that move as the options say; None when nothing moves.

    Raises:
        OptionError: a chosen loss would not read what moves.
    """
    if options.margin == "none" and not options.smoothing_beta:
        return None
    moved = replace(
        columns,
        target=np.where(columns.target == 0.5, 0.5, 0.75) if options.smoothing_beta else columns.target,
        margin=columns.margin + (columns.target != 0.5) * (options.margin != "none"),
    )
    try:
        objective.refuse_unread(everything(moved))
    except OptionError as error:
        advice = "train lists as pairs, or leave --smoothing-beta and --margin out"
        raise OptionError(error.mistakes, advice=advice) from error
    return Labels(columns, options)
