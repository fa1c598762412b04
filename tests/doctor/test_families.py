"""Healthy checkpoints of every family pass every path; what a family cannot do is skipped with the reason."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from patients import SHORT, saved

import plaudit
from families import FAMILIES, wordpieces
from plaudit.doctor.conversations import DOZEN, sample
from plaudit.doctor.examine import examine

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

PATHS = {
    "batched", "left-padded", "one-by-one", "pipeline", "right-padded", "token-tree", "transformers", "trl"
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_a_healthy_checkpoint_gives_one_number(name, report):
    report = report(name)
    assert [c for c in report.checks if c.status == "fail"] == []
    walked = {c.name: c for c in report.checks if c.name in PATHS}
    assert set(walked) == PATHS
    skipped = {n for n, c in walked.items() if c.status == "skip"}
    absent = set() if find_spec("trl") else {"trl"}  # the dev extra brings it
    assert skipped == absent | ({"left-padded"} if name in ("gpt2", "bert") else set())
    assert all(c.advice for c in walked.values() if c.status == "skip")
    assert all(c.deviation < 1e-4 for c in walked.values() if c.status == "pass")
    assert report.sequences == sum(len(answers) for _, answers in DOZEN)


def test_absolute_positions_are_found_out_by_trial(report):
    assert "positions are absolute" in report("gpt2").check("left-padded").advice
    assert "first token" in report("bert").check("left-padded").advice


@pytest.mark.slow
def test_a_family_without_token_trees_is_read_padded_and_says_so(tmp_path):
    from transformers import AutoModelForSequenceClassification, DebertaV2Config

    tokenizer = wordpieces()
    config = DebertaV2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=512, pad_token_id=tokenizer.pad_token_id, num_labels=1, problem_type="regression",
        relative_attention=True, pos_att_type=["c2p", "p2c"], initializer_range=0.2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(config).eval()
    report = examine(saved(tmp_path / "deberta", model, tokenizer), longest=SHORT)
    assert [c for c in report.checks if c.status == "fail"] == []
    tree = report.check("token-tree")
    assert (tree.status, tree.deviation) == ("skip", None)
    assert "read in padded batches" in tree.advice


def test_a_sequence_that_extends_another_is_read_apart_by_an_encoder(healthy, report):
    """The dozen holds a conversation and its continuation: none may be the start of another."""
    loaded = plaudit.load(healthy("bert")).scorer.loaded
    rows = sample(loaded.policy, longest=512).ids
    assert any(a != b and a == b[: len(a)] for a in rows for b in rows)
    assert report("bert").check("batched").status == report("bert").check("token-tree").status == "pass"


def test_the_longest_conversation_is_as_long_as_asked_for_and_cut(healthy):
    policy = plaudit.load(healthy("llama")).scorer.loaded.policy
    found = sample(policy, longest=200)
    assert 100 < max(map(len, found.ids)) <= 200
    assert not all(found.whole)
    assert [policy.tokenizer(t, add_special_tokens=False)["input_ids"] for t in found.texts] == list(
        map(list, found.ids)
    )


@pytest.mark.slow
def test_bfloat16_needs_its_own_tolerance(healthy):
    rough = examine(healthy("llama"), dtype="bfloat16", longest=SHORT)
    assert not rough.ok
    assert rough.check("transformers").deviation == 0
    assert rough.check("bf16-ties").status == "skip"
    assert examine(healthy("llama"), dtype="bfloat16", tolerance=1.0, longest=SHORT).ok


def test_the_report_is_plain_json_values(report):
    document = report("llama").document()
    assert document["ok"] is True
    assert {type(c["deviation"]) for c in document["checks"]} <= {float, type(None)}
    assert all(set(c) == {"name", "status", "deviation", "advice"} for c in document["checks"])
    assert np.isfinite([c["deviation"] for c in document["checks"] if c["deviation"] is not None]).all()
