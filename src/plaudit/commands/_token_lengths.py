"""Lengths in tokens, taken while rows pass by on their way to the outline."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from plaudit.data.read import Row
from plaudit.data.tally import QUANTILES
from plaudit.models.tokens import WINDOW, TokenPolicy, encode_all
from plaudit.records import Preference


@dataclass(slots=True)
class TokenLengths:
    """Tokens of every full sequence (prompt and one response) by file; records that the template refuses."""

    policy: TokenPolicy
    lengths: dict[str, array] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def of(self, path: str) -> dict[str, Any] | None:
        """Quantiles (5, 25, 50, 75, 95, 100 %), how many sequences there are, and how many the model cannot hold."""
        import numpy as np

        found = np.asarray(self.lengths.get(path, ()), np.int64)
        if not len(found):
            return None
        quantiles = np.quantile(found, QUANTILES).round().astype(int).tolist()
        over = int((found > self.policy.max_length).sum())
        return {"sequences": len(found), "quantiles": quantiles, "max_length": self.policy.max_length,
                "over_max_length": over, "refused": self.refused.get(path, 0)}  # fmt: skip


def policy_of(model: str, *, trust_remote_code: bool = False, allow_pickles: bool = False) -> TokenPolicy:
    """How that model's records become ids."""
    from plaudit.models.backbone import load_backbone

    loaded = load_backbone(model, for_training=True, trust_remote_code=trust_remote_code, allow_pickles=allow_pickles)
    return loaded.policy


def measured(rows: Iterable[Row], lengths: TokenLengths) -> Iterator[Row]:
    """Pass rows on; their preferences are tokenised a window at a time, uncut."""
    uncut = replace(lengths.policy, max_length=1 << 30)
    waiting: list[tuple[str, Preference]] = []
    for row in rows:
        waiting += [(row.where.rpartition(":")[0], r) for r in row.records if isinstance(r, Preference)]
        if len(waiting) >= WINDOW:
            _measure(waiting, uncut, lengths)
            waiting.clear()
        yield row
    _measure(waiting, uncut, lengths)


def _measure(waiting: list[tuple[str, Preference]], uncut: TokenPolicy, lengths: TokenLengths) -> None:
    encoded = encode_all([record for _, record in waiting], uncut)
    for (path, _), found in zip(waiting, encoded, strict=True):
        if found.refused:
            lengths.refused[path] = lengths.refused.get(path, 0) + 1
            continue
        lengths.lengths.setdefault(path, array("q")).extend(len(found.prompt) + len(r) for r in found.responses)
