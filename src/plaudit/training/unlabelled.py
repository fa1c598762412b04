"""Meta groups: prompts with several responses whose labels are not read, in an order of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from plaudit.data.split import groups_of
from plaudit.errors import PlauditError
from plaudit.models.tokens import Encoded, encode_all
from plaudit.models.trees.plan import Tree, plan
from plaudit.records import Preference, digest
from plaudit.seeds import generator
from plaudit.training.batches import position
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import gather


@dataclass(frozen=True)
class Unlabelled:
    """Response groups, encoded; `dropped` of the rows could not be used; `shared` prompt groups are held out too.

    `prompts`: the digests of their prompt groups.
    """

    encoded: list[Encoded]
    size: int
    budget: int
    seed: int
    digest: str
    dropped: int = 0
    shared: int = 0
    prompts: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.encoded)

    def rows(self, step: int) -> np.ndarray:
        """The groups of an optimiser step counted from 0: a pure function of seed and step."""
        size = min(self.size, len(self))
        epoch, first = position(step, len(self), size)
        return generator(self.seed, "meta", epoch).permutation(len(self))[first : first + size]

    def batch(self, step: int) -> list[tuple[Tree, Tensor]]:
        """The micro-batches of a step: trees, and for each read point the number of its prompt."""
        out = []
        for tree in plan([self.encoded[i] for i in self.rows(step)], budget=self.budget):
            dense = {owner: g for g, owner in enumerate(tree.records)}
            out.append((tree, torch.tensor([dense[o] for o in tree.owner.tolist()])))
        return out


def unlabelled(
    options: TrainOptions, policy, *, columns: Mapping[str, str] | None = None, held: Sequence[int] = ()
) -> Unlabelled:
    """The groups of `options.meta`; `held`: prompt groups that are held out.

    Raises:
        PlauditError: no row has two responses that fit.
    """
    found, lost, _ = gather([options.meta], layout=options.meta_layout or None, columns=columns, ignore_columns=True)
    several: list[Preference] = [p for p in found if len(p.responses) > 1]
    encoded = encode_all(several, policy)
    kept = [i for i, e in enumerate(encoded) if not e.refused]
    if not kept:
        raise PlauditError(f"{options.meta}: no prompt with two responses or more to tell apart")
    groups = groups_of([several[i] for i in kept], options.group_by)
    return Unlabelled(
        [encoded[i] for i in kept], options.meta_batch_size or options.batch_size, options.batch_tokens, options.seed,
        digest(*(several[i].content for i in kept)), len(found) + len(lost) - len(kept),
        len(np.intersect1d(groups, np.asarray(held, np.uint64))), frozenset(groups.tolist()),
    )  # fmt: skip
