"""The committee of the first measurement: five plain linear heads on unlike features, out of fold, z-scored and averaged.

What a committee has to beat: smollm2-135m layer 24 and 15 at the last token and 21 averaged over the response,
minilm-l6 layer 4 averaged over the response and 5 over prompt and response; feature differences on unit mean square,
ridge 0.2, no bootstrap, no second look. Where smollm2-135m is not at hand its members are left out, and layer 5 of
minilm-l6 is averaged over the response, which needs no reading of its own.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from noise_sets import Case, trunk_of
from plaudit.auditing.influence import unit_scale
from plaudit.models.forward import hidden_states, inner
from plaudit.models.members import View
from plaudit.models.tokens import encode_all
from plaudit.models.trees.attention import layout
from plaudit.models.trees.plan import plan
from plaudit.records import digest
from plaudit.training.solve import solve

RIDGE = 0.2
RECIPE = (
    ("smollm2-135m", 24, "read"), ("smollm2-135m", 21, "mean"), ("smollm2-135m", 15, "read"),
    ("minilm-l6", 4, "mean"), ("minilm-l6", 5, "whole"),
)  # fmt: skip


def members_of(trunks: Sequence[str]) -> list[tuple[str, int, str]]:
    """The members whose trunk is at hand."""
    found = [m for m in RECIPE if m[0] in trunks]
    return found if len(found) == len(RECIPE) else [(t, layer, "mean" if p == "whole" else p) for t, layer, p in found]


def five(
    case: Case, trunks: Sequence[str], label: NDArray[np.int64], fold: NDArray[np.int64], store: Path
) -> dict[str, NDArray[np.float64]]:
    """Margins out of fold in the label's direction [P]: of every member by its name, and of all, under `all`."""
    pairs = case.pairs(label)
    out = {}
    for trunk, layer, pool in members_of(trunks):
        x = matrix(case, trunks, trunk, layer, pool, store)
        out[f"{trunk} {layer} {pool}"] = _margins(x[pairs.better] - x[pairs.worse], fold)
    return {**out, "all": np.mean([(m - m.mean()) / m.std() for m in out.values()], 0)}


def _margins(x: NDArray[np.float32], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.zeros(len(x))
    for f in np.unique(fold):
        seen = fold != f
        scale = unit_scale(x[seen].astype(np.float64)).astype(np.float32)
        rows = torch.from_numpy(x[seen] / scale)
        one = torch.ones(len(rows))
        w = solve(rows, one[:, None], one, torch.tensor([RIDGE]))[:, 0].numpy()
        out[~seen] = (x[~seen] / scale) @ w
    return out


def matrix(case: Case, trunks: Sequence[str], trunk: str, layer: int, pool: str, store: Path) -> NDArray[np.float32]:
    """Features of all responses [N, H]; `whole` is the mean over prompt and response."""
    if pool == "whole":
        return whole_mean(case, trunk, layer, store)
    return case.matrix(case.views.index(View(list(trunks).index(trunk), layer, pool)))


@torch.no_grad()
def whole_mean(case: Case, trunk: str, layer: int, store: Path) -> NDArray[np.float32]:
    """The mean of one layer over prompt and response [N, H], read once and kept in `store`."""
    model = trunk_of(trunk)
    key = digest(model.fingerprint, f"whole {layer}", *(p.content for p in case.preferences))
    path = store / f"whole-{key}.npy"
    if path.exists():
        return np.load(path)
    encoded = encode_all(case.preferences, model.loaded.policy)
    out = np.zeros((2 * len(encoded), inner(model.reader.model).config.hidden_size), np.float32)
    for tree in plan(encoded, budget=model.budget):
        hidden = hidden_states(inner(model.reader.model), layout(tree), [layer])[layer].float()
        for read, owner, which in zip(tree.reads, tree.owner, tree.which, strict=True):
            leaf = int(tree.node[read])
            tokens = torch.cat([torch.arange(*tree.spans[s]) for s in [*tree.paths[leaf], leaf]])
            out[2 * owner + which] = hidden[tokens].mean(0).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, out)
    return out
