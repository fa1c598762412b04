"""What a batch costs: pairs, lists and ratings combined into one number, the same however the batch is cut.

With l the loss of a pair or list and w its weight, over ALL micro-batches and ranks of one optimiser step:

    loss = [ sum w·l + center · sum w·(chosen + rejected)² ] / sum w  +  prior
           + pointwise_coefficient · [ sum w·l over ratings ] / [ sum w over ratings ]

A preference's weight is split evenly over its comparisons (`data.pairs.targets` does it); a list counts once; every
rating counts with its preference's weight. Each micro-batch adds its share of the numerators over the denominators of
the whole step, so gradients may simply be summed: `weights_of` gives the denominators before the first forward.
A row of weight 0 is taken out before it is computed: not even a NaN in it is seen.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from plaudit import catalog
from plaudit.errors import OptionError
from plaudit.losses import _contract as contract
from plaudit.losses import centering

ROOM = "plaudit.losses"


class Batch(Protocol):
    """The columns of a micro-batch that the objective reads (`training.batches.Batch` holds them).

    `group, ranks` [N] (rank -1: nobody judged), `ratings` [N, A] (NaN: not rated), `better, worse` [P] index into N,
    `target, margin, weight` [P]; `side["own_weight"]` [N], when there, is the weight of each response's preference, and
    `side["label"]` [P] the targets as they came, where training moves them.
    """

    @property
    def group(self) -> Tensor: ...
    @property
    def ranks(self) -> Tensor: ...
    @property
    def ratings(self) -> Tensor: ...
    @property
    def better(self) -> Tensor: ...
    @property
    def worse(self) -> Tensor: ...
    @property
    def target(self) -> Tensor: ...
    @property
    def margin(self) -> Tensor: ...
    @property
    def weight(self) -> Tensor: ...
    @property
    def side(self) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True)
class Weights:
    """Denominators: total weight of the pairs and lists, and of the ratings.

    >>> Weights(2.0) + Weights(1.0, 4.0), Weights().empty
    (Weights(pairs=3.0, points=4.0), True)
    """

    pairs: float = 0.0
    points: float = 0.0

    def __add__(self, other: "Weights") -> "Weights":
        return Weights(self.pairs + other.pairs, self.points + other.points)

    @property
    def empty(self) -> bool:
        """Nothing weighs anything: there is no step to take."""
        return self.pairs == 0 and self.points == 0


class Objective:
    """Losses by name, their options and coefficients; called on the scores of each micro-batch.

    `pair` is a pair loss; `lists` is `pairs` (a list counts as all its comparisons) or a list loss for groups of more
    than two; `points` is a point loss. `options` go to whichever of them knows the name; naming a learnable parameter
    (theta's `a`, nu's `b`) fixes it. `parameters` holds those that are learned: optimise them without weight decay,
    and save them with the run.

    Raises:
        OptionError: unknown names, options or kinds, all at once; or, when called, columns that the chosen loss would
            silently leave unread.
    """

    def __init__(
        self,
        *,
        pair: str = "bradley_terry",
        lists: str = "pairs",
        points: str = "mse",
        center: float = 0.0,
        pointwise_coefficient: float = 1.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        given = dict(options or {})
        named = {"pair": pair, "point": points} | ({} if lists == "pairs" else {"list": lists})
        self._parts = {kind: catalog.load(ROOM, name) for kind, name in named.items()}
        if mistakes := [*_wrong_kinds(self._parts), *_unknown_options(self._parts, given)]:
            raise OptionError(mistakes)
        self._options = {k: _known(part.loss, given) for k, part in self._parts.items()}
        self._prior_options = {k: _known(p.prior, given) for k, p in self._parts.items() if hasattr(p, "prior")}
        self._center, self._pointwise = center, pointwise_coefficient
        self._learned = {k: [n for n in _initial(p) if n not in given] for k, p in self._parts.items()}
        self.parameters = nn.ParameterDict(
            {n: nn.Parameter(torch.tensor(_initial(p)[n])) for k, p in self._parts.items() for n in self._learned[k]}
        )

    def weights(self, batch: Batch) -> Weights:
        """Total weights of one micro-batch; no scores are needed."""
        rows = _Rows(batch, torch.zeros(len(batch.group), dtype=torch.float64), "list" in self._parts)
        return Weights(float(rows.weight[rows.pairs].sum() + rows.list_weight.sum()), float(rows.rating_weight.sum()))

    def weights_of(self, batches: Iterable[Batch]) -> Weights:
        """Total weights of all micro-batches of a step, on all ranks: the denominators."""
        return sum((self.weights(b) for b in batches), Weights())

    def __call__(self, scores: Tensor, batch: Batch, denominators: Weights) -> tuple[Tensor, dict[str, float]]:
        """This micro-batch's share of the loss, to call backward on, and its sums for the log.

        `scores` [N] in float32 or better. The sums: `loss_sum`, the share itself, adds up to the step's loss;
        `blank_sum` is what equal scores would pay; `pair_sum` of `weight` (pairs and lists as trained, centring
        included), `point_sum` of `point_weight`: its parts before division; `plain_sum` of `plain_weight` is
        Bradley-Terry on all comparisons without margin and with hard labels (which side the target, as it came,
        favours). Over the `compared` comparisons, labelled ties and targets of 1/2 left out: `accurate` (exact ties of
        the scores, counted in `ties`, are half) and `margin_sum`, the raw difference in favour of the label.
        `reward_sum`, `reward_min`, `reward_max` over the `n` responses that weigh something.
        """
        rows = _Rows(batch, scores, "list" in self._parts)
        self._refuse_unread(rows)
        loss, parts = self._share(rows, denominators)
        with torch.no_grad():
            blank, _ = self._share(rows.even(), denominators)
        sums = {"loss_sum": loss, "blank_sum": blank, **parts}
        return loss, _floats(sums | _plain(rows) | _rewards(rows))

    def _share(self, rows: "_Rows", denominators: Weights) -> tuple[Tensor, dict[str, Tensor]]:
        """The share of the loss, and its parts before division."""
        scores = rows.scores
        pairs = rows.weight[rows.pairs] @ self._call("pair", rows.columns(rows.pairs)) + self._listed(rows)
        if self._center:
            chosen, rejected = scores[rows.better[rows.live]], scores[rows.worse[rows.live]]
            pairs = pairs + self._center * (rows.weight[rows.live] @ centering.loss(chosen, rejected))
        rated = rows.rating_weight.any(1)
        entries = self._call("point", {"scores": scores[rated], "ratings": rows.ratings[rated]})
        points = (rows.rating_weight[rated] * entries).sum()
        weight, point_weight = rows.weight[rows.pairs].sum() + rows.list_weight.sum(), rows.rating_weight.sum()
        loss = scores[:0].sum()  # zero, and part of the graph: a rank without weight must still call backward
        if denominators.pairs:
            loss = loss + (pairs + self._priors(scores) * weight) / denominators.pairs
        if denominators.points:
            loss = loss + self._pointwise * points / denominators.points
        return loss, {"pair_sum": pairs, "weight": weight, "point_sum": points, "point_weight": point_weight}

    @torch.no_grad()
    def culprits(self, scores: Tensor, batch: Batch) -> Tensor:
        """The groups of a micro-batch whose own pairs, list or ratings cost something that is not finite."""
        rows = _Rows(batch, scores, "list" in self._parts)
        pairs = rows.weight[rows.pairs] * self._call("pair", rows.columns(rows.pairs))
        rated = rows.rating_weight.any(1)
        points = self._call("point", {"scores": scores[rated], "ratings": rows.ratings[rated]})
        points = torch.where(rows.rating_weight[rated] > 0, points, 0.0)
        found = [
            rows.group[rows.better[rows.pairs]][~pairs.isfinite()],
            rows.group[rated][~points.isfinite().all(1)],
        ]
        if "list" in self._parts:
            found.append(torch.nonzero(rows.list_weight > 0)[:, 0][~self._each_list(rows).isfinite()])
        return torch.cat(found).unique()

    def refuse_unread(self, batch: Batch) -> None:
        """Raise for columns that the chosen losses would leave unread, before any step is taken.

        Raises:
            OptionError: which loss, which column.
        """
        self._refuse_unread(_Rows(batch, torch.zeros(len(batch.group)), "list" in self._parts))

    def _call(self, kind: str, columns: Mapping[str, Tensor]) -> Tensor:
        part, scores = self._parts[kind], next(iter(columns.values()))
        learned = {n: self.parameters[n].to(scores) for n in self._learned[kind]}
        return part.loss(**{c: columns[c] for c in contract.columns(part)}, **self._options[kind], **learned)

    def _listed(self, rows: "_Rows") -> Tensor | float:
        if "list" not in self._parts:
            return 0.0
        return rows.list_weight[rows.list_weight > 0] @ self._each_list(rows)

    def _each_list(self, rows: "_Rows") -> Tensor:
        member = rows.list_weight[rows.group] > 0
        columns = {"scores": rows.scores[member], "group": rows.group[member], "ranks": rows.ranks[member]}
        return self._call("list", columns)

    def _priors(self, scores: Tensor) -> Tensor | float:
        total: Tensor | float = 0.0
        for kind, options in self._prior_options.items():
            if learned := {n: self.parameters[n].to(scores) for n in self._learned[kind]}:
                total = total + self._parts[kind].prior(**learned, **options)
        return total

    def _refuse_unread(self, rows: "_Rows") -> None:
        """A target or margin that no loss would read is said aloud: it was put there to change the training."""
        plain = torch.where(rows.tied, 0.5, 1.0)
        touched = {"target": rows.target != plain, "margin": rows.margin != 0}
        mistakes = []
        for kind, chosen in (("pair", rows.pairs), ("list", rows.live & ~rows.pairs)):
            part = self._parts.get(kind)
            for column in sorted(set(touched) - set(contract.columns(part) if part else touched)):
                if bool(touched[column][chosen].any()):
                    name = part.__name__.rpartition(".")[2] if part else kind
                    mistakes.append(f"{name} does not read {column!r}, which these comparisons carry")
        if mistakes:
            advice = "train lists as pairs with bradley_terry, or leave the columns out with --ignore-columns"
            raise OptionError(mistakes, advice=advice)


class _Rows:
    """The columns of a micro-batch where the scores are, and which of them weigh something."""

    def __init__(self, batch: Batch, scores: Tensor, lists: bool) -> None:
        where, dtype = scores.device, scores.dtype
        self.scores, self.group, self.ranks = scores, batch.group.to(where), batch.ranks.to(where)
        self.better, self.worse = batch.better.to(where), batch.worse.to(where)
        self.target, self.margin, self.weight = (v.to(where, dtype) for v in (batch.target, batch.margin, batch.weight))
        self.ratings = batch.ratings.to(where, dtype)
        own = batch.side.get("own_weight")
        own = torch.ones_like(scores) if own is None else own.to(where, dtype)
        label = batch.side.get("label")
        self.label = self.target if label is None else label.to(where, dtype)
        self.tied = self.ranks[self.better] == self.ranks[self.worse]
        self.live = self.weight > 0
        self.rating_weight = torch.where(torch.isnan(self.ratings), 0.0, own[:, None])
        size = torch.bincount(self.group)
        judged = torch.zeros_like(size, dtype=torch.bool).index_put((self.group,), self.ranks >= 0)
        heaviest = own.detach().new_zeros(len(size)).index_put((self.group,), own)
        self.list_weight = torch.where((size > 2) & judged & lists, heaviest, 0.0)  # [G]
        self.pairs = self.live & ~((size > 2) & lists)[self.group[self.better]]

    def even(self) -> "_Rows":
        """The same rows with all scores zero."""
        other = copy(self)
        other.scores = torch.zeros_like(self.scores)
        return other

    def columns(self, chosen: Tensor) -> dict[str, Tensor]:
        """What a pair loss may ask for, over the chosen comparisons."""
        target, tied = self.target[chosen], self.tied[chosen]
        return {
            "chosen": self.scores[self.better[chosen]], "rejected": self.scores[self.worse[chosen]],
            "target": target, "margin": self.margin[chosen], "tie": tied & (target == 0.5),
        }  # fmt: skip


def _plain(rows: _Rows) -> dict[str, Tensor]:
    """Loss, accuracy and margin that can be compared between runs: a swapped row with target 1 - t gives the same."""
    weight = rows.weight[rows.live]
    gap = (rows.scores[rows.better] - rows.scores[rows.worse])[rows.live].detach()
    label = torch.where(rows.tied, 0.0, torch.sign(rows.label - 0.5))[rows.live]  # 1, -1, or 0: nobody won
    won = torch.where(label < 0, -gap, gap)
    plain = torch.where(label == 0, -(logsigmoid(gap) + logsigmoid(-gap)) / 2, -logsigmoid(won))
    judged = won[label != 0]
    even = (judged == 0).sum()
    return {
        "plain_sum": weight @ plain, "plain_weight": weight.sum(), "accurate": (judged > 0).sum() + even / 2,
        "compared": torch.tensor(len(judged)), "ties": even, "margin_sum": judged.sum(),
    }  # fmt: skip


def _rewards(rows: _Rows) -> dict[str, Tensor]:
    """Sum and range of the rewards of the responses that weigh something."""
    counts = rows.rating_weight.any(1) | (rows.list_weight > 0)[rows.group]
    counts[rows.better[rows.live]] = True
    counts[rows.worse[rows.live]] = True
    rewards = rows.scores.detach()[counts]
    edge = torch.tensor([torch.inf], dtype=rewards.dtype, device=rewards.device)
    low, high = torch.cat([rewards, edge]).min(), torch.cat([rewards, -edge]).max()
    return {"reward_sum": rewards.sum(), "reward_min": low, "reward_max": high, "n": torch.tensor(len(rewards))}


def _floats(sums: Mapping[str, Tensor | float]) -> dict[str, float]:
    """All sums in one copy from the device."""
    values = [torch.as_tensor(v).detach().to(torch.float64) for v in sums.values()]
    where = next(iter(values)).device
    return dict(zip(sums, torch.stack([v.to(where) for v in values]).tolist()))


def _initial(part: ModuleType) -> dict[str, float]:
    return part.parameters() if hasattr(part, "parameters") else {}


def _known(function: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in given.items() if k in contract.options(function)}


def _wrong_kinds(parts: Mapping[str, ModuleType]) -> list[str]:
    mistakes = []
    for kind, part in parts.items():
        name = part.__name__.rpartition(".")[2]
        if contract.kind(part) != kind:
            mistakes.append(f"{name} is a {contract.kind(part)} loss and cannot be used as the {kind} loss")
        elif getattr(part, "REGULARISER", False):
            mistakes.append(f"{name} reads no label: it is added to a loss by its coefficient, and is none itself")
    return mistakes


def _unknown_options(parts: Mapping[str, ModuleType], given: Mapping[str, Any]) -> list[str]:
    known: set[str] = set()
    for part in parts.values():
        known |= set(contract.options(part.loss)) | set(contract.options(part.prior) if hasattr(part, "prior") else ())
    mistakes = []
    for name in sorted(set(given) - known):
        near = get_close_matches(name, sorted(known), 1)
        has = f"they have {', '.join(sorted(known))}" if known else "they have none"
        hint = f" (did you mean {near[0]!r}?)" if near else f": {has}"
        mistakes.append(f"no chosen loss has an option {name!r}{hint}")
    return mistakes
