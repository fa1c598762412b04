"""What `noise.py` publishes: bars, one table of AUROCs and one of differences a set, and what limits the search."""

from collections.abc import Callable
from typing import Any

from harness import machine

Block = dict[str, Any]
RIVALS = ("one model", "training loss", "cleanlab, one model")
WORLDS = ("vector world", "text world")
NO_RIVALS = ("random", "oracle", "knows", "reference", "cleanlab, committee", "one of them")  # how their names begin


def document(blocks: list[Block], committee: str) -> dict[str, Any]:
    """The measurement as `results.py` prints it."""
    names = list(dict.fromkeys(b["set"] for b in blocks))
    by_length = max(b["by_length"] for b in blocks)
    sizes = "; ".join(_size(next(b for b in blocks if b["set"] == name)) for name in names)
    return {
        "title": "Finding wrong labels",
        "question": "Which of my labels are wrong: who finds planted flips, and what does the committee add?",
        "what": f"Planted flips in {len(names)} sets. Votes out of fold (5 folds by prompt) of ten linear members, "
        f"{by_length or 'none'} of which votes by length alone; trunk minilm-l6 where no other is named. Every draw has its own flips (given flips: the "
        f"study's), folds and members' seeds, all from 100 on. Pairs, prompts and draws: {sizes}. Intervals: 95 %, "
        f"bootstrap over prompts of the mean over draws. `one model` is an ordinary head on all rows of its lesson, ridge "
        f"by inner folds; `reference` is the committee on unflipped labels. torch {machine()['torch']}.",
        "bars": world_bars(blocks) + real_bars(blocks, names),
        "tables": [table for name in names for table in tables([b for b in blocks if b["set"] == name], committee)],
        "notes": [limits([b for b in blocks if b["set"] == name]) for name in names],
    }  # fmt: skip


def _size(b: Block) -> str:
    return f"{b['set']} {b['n']:,}, {b['groups']:,}, {b['seeds']}"


def world_bars(blocks: list[Block]) -> list[dict[str, Any]]:
    """25 % flips in the worlds: near the reference when uniform, above the rivals when they follow length."""
    out: list[dict[str, Any]] = []
    for b in blocks:
        if b["set"] not in WORLDS or b["rate"] != 0.25:
            continue
        if b["kind"] == "uniform":
            out.append({"name": f"{b['set']}, 25 % uniform flips: way from 0.5 to the same members on unflipped labels",
                        "bar": "at least 90 %", "value": b["way"]["value"], "at_least": 0.9})  # fmt: skip
        else:
            out += [{"name": f"{b['set']}, length-correlated flips: lower end of committee minus {rival}",
                     "bar": "above 0", "value": b["minus"][rival]["low"], "at_least": 0.0} for rival in RIVALS]  # fmt: skip
    return out


def real_bars(blocks: list[Block], names: list[str]) -> list[dict[str, Any]]:
    """Real sets: at every rate above cleanlab and above the first measurement's linear members."""
    out = []
    for name in names:
        own = [b for b in blocks if b["set"] == name and b["kind"] in ("uniform", "given")]
        rivals = [r for r in own[0]["minus"] if r == "cleanlab, one model" or "members" in r]
        for rival in rivals if name not in WORLDS else []:
            out.append({"name": f"{name}: committee minus {rival}, the least over {_rates(own)}", "bar": "above 0",
                        "value": min(b["minus"][rival]["difference"] for b in own), "at_least": 0.0})  # fmt: skip
    return out


def _rates(own: list[Block]) -> str:
    return ", ".join(f"{b['rate']:.0%}" for b in own)


def tables(own: list[Block], committee: str) -> list[dict[str, Any]]:
    """AUROC with precision, and the committee's lead over every other method."""
    columns = [f"{b['kind']} {b['rate']:.0%}" for b in own]
    clean = own[0]["clean"]

    def rows(cell: Callable[[Block, str], str]) -> list[list[str]]:
        return [[method, *(cell(b, method) for b in own)] for method in own[0]["methods"]]

    return [
        {"title": f"{own[0]['set']}: AUROC for planted flips [95 %] (precision in the top 5 %); the same members agree "
                  f"with {clean['accuracy']:.3f} [{clean['low']:.3f}, {clean['high']:.3f}] of clean labels",
         "columns": ["method", *columns], "rows": rows(_cell)},
        {"title": f"{own[0]['set']}: AUROC of the committee minus that of the other [95 %]",
         "columns": ["other", *columns], "rows": [row for row in rows(_lead) if row[0] != committee and not row[0].startswith(NO_RIVALS)]},
    ]  # fmt: skip


def _cell(b: Block, method: str) -> str:
    row = b["methods"].get(method)
    return "" if row is None else f"{row['auroc']:.3f} [{row['low']:.3f}, {row['high']:.3f}] ({row['top']:.2f})"


def _lead(b: Block, method: str) -> str:
    row = b["minus"].get(method)
    return "" if row is None else f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def limits(own: list[Block]) -> str:
    """How far the same members could get, in one sentence."""
    way = "; ".join(f"{b['kind']} {b['rate']:.0%}: {b['way']['value']:.0%} [{b['way']['low']:.0%}, {b['way']['high']:.0%}]"
                    for b in own)  # fmt: skip
    reference = next(m for m in own[0]["methods"] if m.startswith("reference"))
    best = max(b["methods"][reference]["auroc"] for b in own)
    text = f"{own[0]['set']}: share of the way from 0.5 to the reference: {way}."
    if own[0]["set"] not in WORLDS:
        text += (
            f" What limits it: the members agree with {own[0]['clean']['accuracy']:.1%} of the labels as they came, so even "
            f"trained on unflipped labels they reach {best:.3f}; the set's own disagreements count as clean here."
        )
    return text
