"""From a name to a model: seeded heads, pads, foreign heads, adapters, and errors that say what to do."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from families import tiny_family
from plaudit.errors import OptionError, PlauditError
from plaudit.folders import SEAL
from plaudit.models import checkpoint, embedded
from plaudit.models.backbone import _one_rope, load_backbone
from plaudit.models.lora import attach


@pytest.fixture
def rm(tmp_path):
    model, tokenizer = tiny_family("llama")
    checkpoint.save(tmp_path, model, tokenizer, {})
    return tmp_path


def edit(path, **changes):
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, **changes}))


def without_head(folder):
    state = load_file(folder / "model.safetensors")
    save_file(
        {k: v for k, v in state.items() if not k.startswith("score")}, folder / "model.safetensors", {"format": "pt"}
    )


def test_a_fresh_head_comes_from_the_seed():
    one, same, other = (load_backbone("tiny", seed=s, for_training=True) for s in (0, 0, 1))
    assert one.head == "fresh"
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert torch.equal(one.model.score.weight, same.model.score.weight)
    assert one.model.score.weight.std() > 0.05
    assert one.model.config.problem_type == "regression"
    assert one.model.config.num_labels == 1
    assert one.origin == "tiny"
    assert not one.model.training


def test_a_head_in_the_files_is_found(rm):
    loaded = load_backbone(rm)
    assert loaded.head == "found"
    assert torch.equal(loaded.model.score.weight, tiny_family("llama")[0].score.weight)


def test_a_lost_head_is_said(rm, capsys):
    without_head(rm)
    assert load_backbone(rm).head == "fresh"
    assert "hold no scoring head" in capsys.readouterr().err


def test_a_damaged_trunk_is_refused(rm):
    state = load_file(rm / "model.safetensors")
    state.pop("model.layers.0.mlp.up_proj.weight")
    save_file(state, rm / "model.safetensors", {"format": "pt"})
    with pytest.raises(PlauditError, match=r"weights are missing: model.layers.0.mlp.up_proj.weight"):
        load_backbone(rm)


def test_pad_equal_to_eos_is_kept_for_a_trained_head_and_mended_for_a_fresh_one(rm):
    eos = json.loads((rm / "config.json").read_text())["eos_token_id"]
    edit(rm / "config.json", pad_token_id=eos)
    edit(rm / "tokenizer_config.json", pad_token="<|im_end|>")
    kept = load_backbone(rm)
    assert kept.policy.pad_id == eos
    assert "never read" in kept.warnings[0]
    without_head(rm)
    fresh = load_backbone(rm, for_training=True)
    assert fresh.policy.pad_id == fresh.tokenizer.pad_token_id == fresh.model.config.pad_token_id != eos


def test_a_pad_is_added_when_the_vocabulary_has_none(tmp_path):
    from transformers import PreTrainedTokenizerFast

    from plaudit.models.padding import settle_padding

    model, tokenizer = tiny_family("llama")
    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|im_end|>")
    model.resize_token_embeddings(len(bare), mean_resizing=False)
    vocabulary = {k: v for k, v in bare.get_vocab().items() if k != "<|pad|>"}
    bare.get_vocab = lambda: vocabulary
    bare.add_special_tokens = lambda marks: setattr(bare, "pad_token", marks["pad_token"])
    notes = settle_padding(model, bare, trained=False)
    assert "was added" in notes[0]
    assert bare.pad_token_id == model.config.pad_token_id != bare.eos_token_id


def test_dropout_can_be_silenced():
    loaded = load_backbone("tiny", dropout=False)
    assert loaded.model.config.attention_dropout == 0.0


def test_a_value_head_of_another_tool_is_read(tmp_path, capsys):
    from transformers import AutoModelForCausalLM

    source = embedded.path("tiny")
    AutoModelForCausalLM.from_pretrained(source).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    weight = torch.arange(64.0)[None]
    save_file(
        {"v_head.summary.weight": weight, "v_head.summary.bias": torch.tensor([0.5])},
        tmp_path / "value_head.safetensors",
    )
    loaded = load_backbone(tmp_path)
    assert loaded.head == "imported"
    assert torch.equal(loaded.model.score.weight, weight)
    assert "constant 0.5" in capsys.readouterr().err
    (tmp_path / "value_head.safetensors").rename(tmp_path / "value_head.bin")
    with pytest.raises(PlauditError, match="pickle"):
        load_backbone(tmp_path)


def test_adapters_load_with_their_base_and_say_when_the_head_is_lost(tmp_path):
    loaded = load_backbone("tiny", for_training=True)
    wrapped = attach(loaded.model, r=2)
    with torch.no_grad():
        wrapped.base_model.model.score.modules_to_save["default"].weight.fill_(0.25)
    checkpoint.save(tmp_path, wrapped, loaded.tokenizer, {})
    again = load_backbone(tmp_path / "adapter")
    assert again.head == "found"
    assert torch.equal(again.model.score.weight, torch.full((1, 64), 0.25))
    weights = tmp_path / "adapter/adapter_model.safetensors"
    (tmp_path / "adapter" / SEAL).unlink()
    save_file({k: v for k, v in load_file(weights).items() if "score" not in k}, weights, {"format": "pt"})
    headless = load_backbone(tmp_path / "adapter")
    assert headless.head == "fresh"
    assert any("without their head" in w for w in headless.warnings)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("tinny", OptionError, "did you mean 'tiny'"),
        ("./nowhere", PlauditError, "no such folder"),
        ("nobody/nothing", PlauditError, "cannot be had from the hub"),
    ],
)
def test_names_that_lead_nowhere(name, kind, words):
    with pytest.raises(kind, match=words):
        load_backbone(name)


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(PlauditError, match=r"config.json is missing"):
        load_backbone(tmp_path)


def test_pickled_weights_need_permission(rm):
    torch.save(load_file(rm / "model.safetensors"), rm / "pytorch_model.bin")
    (rm / "model.safetensors").unlink()
    with pytest.raises(PlauditError, match="pickled weights can run code"):
        load_backbone(rm)
    assert load_backbone(rm, allow_pickles=True).head == "found"


def test_several_labels_are_refused_for_scoring_and_replaced_for_training(rm):
    edit(rm / "config.json", id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1})
    state = load_file(rm / "model.safetensors")
    state["score.weight"] = torch.ones(2, 32)
    save_file(state, rm / "model.safetensors", {"format": "pt"})
    with pytest.raises(PlauditError, match="2 numbers per response"):
        load_backbone(rm)
    assert load_backbone(rm, for_training=True).model.score.weight.shape == (1, 32)


def test_a_length_beyond_the_positions_is_refused(rm):
    with pytest.raises(OptionError, match="beyond the model's 512 positions"):
        load_backbone(rm, max_length=513)
    assert load_backbone(rm, max_length=100).policy.max_length == 100


def test_two_sets_of_frequencies_would_make_neighbours_count():
    """longrope takes the long ones for a whole batch as soon as one sequence is long."""
    from transformers import Phi3Config

    plain = Phi3Config(rope_scaling=None, max_position_embeddings=4096)
    assert _one_rope(plain) > 4096
    factors = {"short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
    long = Phi3Config(
        max_position_embeddings=8192, original_max_position_embeddings=64, rope_scaling={"type": "longrope", **factors}
    )
    assert _one_rope(long) == 64
