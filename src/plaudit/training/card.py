"""What a checkpoint says about the run that made it: the facts of `plaudit.json`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plaudit.training.prepare import Prepared

if TYPE_CHECKING:
    from plaudit.training.loop import Run


def rows(prepared: Prepared) -> dict[str, int]:
    """Counts of preferences by what became of them."""
    c = prepared.counts
    return {"train": c["train"], "held_out": c["held_out"], "dropped": c["dropped"], "cut": c["cut"]}


def groups(run: "Run") -> dict[str, Any]:
    """Digests of the prompt groups trained on, meta groups too; `before`: the same of the model it began from."""
    found = {int(g) for g in run.prepared.train.groups}
    if run.extras.ascent:
        found |= run.extras.ascent.groups.prompts
    own: dict[str, Any] = {"by": run.options.group_by, "train": [f"{g:016x}" for g in sorted(found)]}
    base = run.loaded.facts.get("groups")
    if not isinstance(base, dict) or "train" not in base:
        return own
    begun = {"by": base.get("by", "auto"), "train": base["train"]}
    return own | {"before": [begun, *base.get("before", [])]}


def card(run: "Run", held: Mapping[str, float] | None) -> dict[str, Any]:
    """The facts of a checkpoint; `held` are the held-out numbers it goes by."""
    p = run.prepared
    learned = {n: p.item() for n, p in run.objective.parameters.items() if p.numel() == 1}  # prototypes score nothing
    reward = calibration = None
    if held:
        if "plaudit/eval_temperature" in held:
            calibration = {"temperature": held["plaudit/eval_temperature"], "source": "held-out"}
        reward = {"mean": held["eval_mean_reward"], "std": held["plaudit/eval_std_reward"], "source": "held-out"}
    return {
        "base_model": run.loaded.origin,
        "base_fingerprint": run.loaded.fingerprint,
        "steps": int(held["step"]) if held else run.done,
        "rows": rows(p),
        "options": run.wanted,
        "digests": run.digests,
        "groups": groups(run),
        "held_out": dict(held) if held else None,
        "reward": reward,
        "calibration": calibration,
        "loss_parameters": learned,
        "way": run.verdict.way,
        "policy": run.loaded.policy.facts(),
    }
