"""A saved checkpoint gives the same number through plain transformers, for decoders, encoders and merged adapters."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from families import FAMILIES, tiny_family
from plaudit.errors import PlauditError
from plaudit.folders import publish
from plaudit.models import checkpoint, template
from plaudit.models.backbone import load_backbone
from plaudit.models.lora import attach
from plaudit.models.tokens import encode, texts
from plaudit.records import pair

RECORD = pair("What is 2 + 2?", "It is 4.", "I do not know, perhaps 5")


def saved(folder, model, tokenizer, **facts):
    with publish(folder) as part:
        checkpoint.save(part, model, tokenizer, facts)
    return folder


def logits(model, rows):
    with torch.no_grad():
        return [float(model(input_ids=torch.as_tensor(row)[None].long()).logits[0, 0]) for row in rows]


@pytest.mark.parametrize("family", [*FAMILIES, "roberta"])
def test_plain_transformers_gives_the_same_number(tmp_path, family):
    model, tokenizer = tiny_family(family)
    template.adopt(tokenizer, encoder=family in ("bert", "roberta"))
    saved(tmp_path / "rm", model, tokenizer, policy={"max_length": 77})
    ours = load_backbone(tmp_path / "rm")
    assert ours.head == "found"
    assert ours.policy.max_length == 77
    assert ours.warnings == []
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm").eval()
    tok = AutoTokenizer.from_pretrained(tmp_path / "rm")
    e = encode(RECORD, ours.policy)
    rows = [tok(t, add_special_tokens=False).input_ids for t in texts(RECORD, ours.policy)]
    assert rows == [e.full(i).tolist() for i in range(2)]
    expected = pytest.approx(logits(model, rows), abs=1e-6)
    assert logits(theirs, rows) == expected
    assert logits(ours.model, rows) == expected


def test_what_the_folder_holds(tmp_path):
    model, tokenizer = tiny_family("llama")
    folder = saved(tmp_path / "rm", model, tokenizer, digests={"train": "ab"})
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert config["problem_type"] == "regression"
    assert len(config["id2label"]) == 1
    assert config["pad_token_id"] != config["eos_token_id"]
    assert not config.get("_name_or_path")
    assert (folder / "model.safetensors").is_file()
    assert not list(folder.glob("*.bin"))
    facts = checkpoint.read_facts(folder)
    assert facts["digests"] == {"train": "ab"}
    assert facts["format"] == 1
    assert "torch" in facts["versions"]
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    assert state["score.weight"].shape == (1, 32)
    assert "score.bias" not in state


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_are_merged_and_kept_beside(tmp_path, family):
    model, tokenizer = tiny_family(family)
    template.adopt(tokenizer, encoder=family == "bert")
    wrapped = attach(model, r=4, alpha=8).eval()
    with torch.no_grad():
        for p in wrapped.parameters():
            if p.requires_grad:
                p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    before = {k: v.clone() for k, v in wrapped.state_dict().items()}
    folder = saved(tmp_path / "rm", wrapped, tokenizer)
    assert all(torch.equal(v, before[k]) for k, v in wrapped.state_dict().items())
    ours = load_backbone(folder)
    rows = [encode(RECORD, ours.policy).full(i) for i in range(2)]
    assert logits(ours.model, rows) == pytest.approx(logits(wrapped, rows), abs=1e-5)
    assert (folder / "adapter/adapter_model.safetensors").is_file()


def test_the_attention_of_the_run_is_not_saved(tmp_path):
    from plaudit.models.forward import Reader

    model, tokenizer = tiny_family("llama")
    folder = saved(tmp_path / "rm", Reader(model).model, tokenizer)
    assert "plaudit" not in (folder / "config.json").read_text()


def test_damaged_facts_are_named(tmp_path):
    (tmp_path / "plaudit.json").write_text("{")
    with pytest.raises(PlauditError, match="plaudit.json: not JSON"):
        checkpoint.read_facts(tmp_path)
    assert checkpoint.read_facts(tmp_path / "nowhere") == {}
