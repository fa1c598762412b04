"""Worlds on disk: TRL's explicit conversations as jsonl, or npz for vectors, and the truth beside it."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from plaudit.data.worlds._truth import World
from plaudit.folders import write_file
from plaudit.records import Conversation, Preference


def save(world: World, output: Path, truth: Path) -> None:
    """Write the preferences and their truth; the caller has made sure that neither file exists."""
    ids = [p.id for p in world.preferences]
    write_file(truth, lines(world.truth.rows(ids)))
    write_file(output, npz(world) if world.features is not None else lines(map(row, world.preferences)))


def row(preference: Preference) -> dict[str, Any]:
    """A pair as TRL's explicit conversation, with our columns beside it."""
    better, worse = preference.comparisons()[0]
    return {
        "prompt": turns(preference.prompt),
        "chosen": turns(preference.responses[better]),
        "rejected": turns(preference.responses[worse]),
        "id": preference.id, "group": preference.group, "annotator": preference.annotator,
            "tags": dict(preference.tags),
    }  # fmt: skip


def turns(messages: Conversation) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.text} for m in messages]


def lines(rows: Iterable[Any]) -> bytes:
    """JSON lines."""
    encode = msgspec.json.Encoder().encode
    return b"".join(encode(r) + b"\n" for r in rows)


def npz(world: World) -> bytes:
    """features [n, 2, d]; labels [n], the recorded better; ids; group; and every column of the truth."""
    if world.features is None:
        raise ValueError(f"{world.name} has no features")
    buffer = io.BytesIO()
    t = world.truth
    np.savez(
        buffer, features=world.features, labels=np.array([p.comparisons()[0][0] for p in world.preferences]),
        ids=np.array([p.id for p in world.preferences]),
             group=np.array([int(p.tags["group"]) for p in world.preferences]),
        gold=t.gold, clean_better=t.clean_better, flipped=t.flipped, p_wrong=t.p_wrong, p_prior=t.p_prior,
    )  # fmt: skip
    return buffer.getvalue()
