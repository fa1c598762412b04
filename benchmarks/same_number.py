"""One number whatever the company: 500 random cases over five families, every path against single sequences.

PLAUDIT_DATA=... python benchmarks/same_number.py [--cases 100]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from harness import data_folder, machine, write

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from families import FAMILIES, tiny_family
from plaudit.data.read import read
from plaudit.models.forward import Reader, is_causal
from plaudit.models.score import scores
from plaudit.models.template import adopt
from plaudit.models.tokens import Encoded, TokenPolicy, encode_all
from plaudit.models.trees.probe import probe
from plaudit.seeds import generator

PAIRS = 20  # pairs in one case


def policy_of(model, tokenizer) -> TokenPolicy:
    """The family's rules of tokenising, as loading a checkpoint would make them."""
    causal = is_causal(model)
    adopt(tokenizer, encoder=not causal)
    pad = model.config.get_text_config().pad_token_id
    return TokenPolicy(tokenizer, 480, read="last" if causal else "first", share=causal, pad_id=pad)


@torch.no_grad()
def alone(model, encoded: list[Encoded]) -> NDArray:
    """Every sequence by itself through the family's own forward: [pairs, 2]."""
    model.set_attn_implementation("eager")
    rows = [
        [float(model(input_ids=torch.as_tensor(e.full(i).astype(np.int64))[None]).logits[0, 0]) for i in (0, 1)]
        for e in encoded
    ]
    return np.array(rows)


@torch.no_grad()
def padded(model, encoded: list[Encoded], size: int) -> NDArray:
    """Right-padded batches of `size` pairs through the family's own forward: [pairs, 2]."""
    model.set_attn_implementation("eager")
    pad = model.config.get_text_config().pad_token_id
    out = []
    for at in range(0, len(encoded), size):
        rows = [torch.as_tensor(e.full(i).astype(np.int64)) for e in encoded[at : at + size] for i in (0, 1)]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
        lengths = torch.tensor([len(r) for r in rows])
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
        out.append(model(input_ids=ids, attention_mask=mask).logits[:, 0].view(-1, 2).numpy())
    return np.concatenate(out)


def case(name: str, number: int, model, way, policy, texts) -> dict:
    """One random case: which pairs, in which order, in which company, with which budget."""
    draw = generator(0, f"same number {name}", number)
    picked = [texts[i] for i in draw.choice(len(texts), PAIRS, replace=False)]
    encoded = [e for e in encode_all(picked, policy) if not e.refused]
    reference = alone(model, encoded)
    budget = int(draw.choice([64, 512, 4096, 32768]))
    order = draw.permutation(len(encoded))
    reader = Reader(model, way)
    single = np.stack([scores(reader, [e])[0] for e in encoded])
    company = np.stack(scores(reader, [encoded[i] for i in order], budget=budget))[np.argsort(order)]
    half = np.stack(scores(reader, encoded, budget=budget, dtype="bfloat16"))
    other = padded(model, [encoded[i] for i in order], int(draw.integers(1, 9)))[np.argsort(order)]
    bound = 1e-5 * np.maximum(1, np.abs(reference))
    margin = reference[:, 0] - reference[:, 1]
    sure = np.abs(margin) > 2 * bound.max(1)
    flips = lambda s: int((np.sign(s[:, 0] - s[:, 1]) != np.sign(margin))[sure].sum())  # noqa: E731
    return {
        "deviation": float((np.abs(company - reference) / np.maximum(1, np.abs(reference))).max()),
        "padded": float((np.abs(other - reference) / np.maximum(1, np.abs(reference))).max()),
        "flips": flips(company), "half_flips": flips(half), "pairs": len(encoded),
        "bits": int((company == single).sum()), "scores": company.size, "spread": float(np.std(margin)),
    }  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--cases", type=int, default=100)
    cases = ask.parse_args().cases
    texts = [p for row in read(data_folder() / "hh/harmless-base/train.jsonl.gz") for p in row.records]
    rows, every = [], []
    for name in FAMILIES:
        model, tokenizer = tiny_family(name, 0)
        way, policy = probe(model).way, policy_of(model, tokenizer)
        found = [case(name, n, model, way, policy, texts) for n in range(cases)]
        every += found
        total = sum(c["pairs"] for c in found)
        rows.append([
            name, way, len(found), max(c["deviation"] for c in found), max(c["padded"] for c in found),
            sum(c["flips"] for c in found), sum(c["bits"] for c in found) / sum(c["scores"] for c in found),
            10_000 * sum(c["half_flips"] for c in found) / total, float(np.mean([c["spread"] for c in found])),
        ])  # fmt: skip
        print(rows[-1], flush=True)
    where = machine()
    write("same_number", {
        "title": "The same number in any company",
        "question": "Does a score depend on its neighbours, their order, padding, or the token budget?",
        "what": f"{len(every)} random cases of {PAIRS} HH harmless-base pairs, {cases} for each of five families "
        f"(random weights, two layers); order, company and budget (64 to 32,768) drawn per case; reference: each sequence "
        f"alone through transformers; {where['threads']} threads, torch {where['torch']}.",
        "bars": [
            {"name": "largest deviation in fp32", "bar": "1e-5 of max(1, |score|)", "value": max(c["deviation"] for c in every), "at_most": 1e-5},
            {"name": "pairs with |margin| above twice the bound that flip", "bar": "none", "value": sum(c["flips"] for c in every), "equals": 0},
            {"name": "cases", "bar": "500 over five families", "value": len(every), "at_least": 500},
        ],
        "tables": [{"title": "by family", "columns": [
            "family", "read as", "cases", "largest deviation", "padded transformers' own", "flips", "scores with the same bits alone and in company",
            "bf16 flips in 10,000 pairs", "margin spread"], "rows": rows}],
        "notes": ["bf16 flips are against fp32 and count pairs however close: random heads give the harshest case."],
    })  # fmt: skip


if __name__ == "__main__":
    main()
