"""Adapters: neutral when fresh, seeded, head trained, merged weights score alike."""

import pytest
import torch
from transformers import BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

from families import FAMILIES, tiny_family
from plaudit.errors import OptionError
from plaudit.models.backbone import load_backbone
from plaudit.models.lora import attach, is_adapted, merge, merged_state
from plaudit.training.options import TrainOptions
from plaudit.training.start import ready


def run(model, ids):
    with torch.no_grad():
        return model(input_ids=ids).logits


IDS = torch.arange(5, 25)[None]


@pytest.mark.parametrize("family", FAMILIES)
def test_fresh_adapters_change_nothing_and_merged_ones_score_alike(family):
    model, _ = tiny_family(family)
    before = run(model, IDS)
    wrapped = attach(model, r=4, alpha=8, seed=3).eval()
    assert torch.equal(run(wrapped, IDS), before)
    with torch.no_grad():
        for p in wrapped.parameters():
            if p.requires_grad:
                p.add_(0.05)
    moved = run(wrapped, IDS)
    assert not torch.allclose(moved, before, atol=1e-3)
    torch.testing.assert_close(run(merge(wrapped), IDS), moved, atol=2e-5, rtol=1e-5)
    plain, _ = tiny_family(family)
    assert set(merged_state(wrapped)) == set(plain.state_dict())
    plain.load_state_dict(merged_state(wrapped))
    torch.testing.assert_close(run(plain, IDS), moved, atol=2e-5, rtol=1e-5)
    assert is_adapted(wrapped)
    assert torch.equal(run(wrapped, IDS), moved)


def test_head_and_adapters_are_all_that_moves():
    model, _ = tiny_family("llama")
    wrapped = attach(model)
    moving = [n for n, p in wrapped.named_parameters() if p.requires_grad]
    assert all("lora_" in n or "score.modules_to_save" in n for n in moving)
    assert any("score" in n for n in moving)


def test_the_seed_decides_and_the_global_stream_is_left_alone():
    def first(seed):
        model, _ = tiny_family("llama")
        return next(p.clone() for n, p in attach(model, seed=seed).named_parameters() if ".lora_A." in n)

    state = torch.random.get_rng_state()
    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_unknown_targets_are_named():
    model, _ = tiny_family("llama")
    with pytest.raises(OptionError, match="no_such"):
        attach(model, targets=["no_such"])


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("lacking", ["pooler", "pre_classifier"])
def test_what_the_base_lacks_goes_with_the_adapters(tmp_path, lacking, seed):
    """A pooler that was drawn for one training is no part of the base: others would draw another."""
    base = tmp_path / "base"
    if lacking == "pooler":
        model, tokenizer = tiny_family("bert")
        BertForMaskedLM(model.config).save_pretrained(base)
    else:
        tokenizer = tiny_family("bert")[1]
        size = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64}
        DistilBertForMaskedLM(DistilBertConfig(vocab_size=len(tokenizer), **size, pad_token_id=0)).save_pretrained(base)
    tokenizer.save_pretrained(base)
    loaded = ready(str(base), TrainOptions(tuning="lora", seed=seed, lora_r=2))
    assert loaded.drawn == (lacking,)
    assert any(f"{lacking}.modules_to_save" in n for n, p in loaded.model.named_parameters() if p.requires_grad)
    loaded.model.save_pretrained(tmp_path / "adapter")
    again = load_backbone(tmp_path / "adapter")
    assert again.drawn == ()
    torch.testing.assert_close(run(again.model, IDS), run(loaded.model.eval(), IDS))
