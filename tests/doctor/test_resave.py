"""What the doctor's advice names: a model saved anew loads everywhere and scores as before."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from patients import SHORT, rewrite
from safetensors.torch import load_file, save_file
from test_defects import adapters, failing, look, tokenizer, weights
from transformers import AutoTokenizer

from plaudit import folders
from plaudit.cli import run
from plaudit.doctor import resave as room
from plaudit.doctor.examine import examine
from plaudit.doctor.resave import resave
from plaudit.errors import GateError, PlauditError
from plaudit.folders import is_sealed
from plaudit.models import checkpoint, lora
from plaudit.models.backbone import load_backbone

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not


def follow(folder, check, target, *flags):
    """Run the very command that the doctor's advice on `check` names."""
    told = examine(folder, longest=SHORT, only=[check], allow_pickles="--allow-pickles" in flags).check(check).advice
    command = next(part for part in told.split("`") if part.startswith("plaudit models"))
    assert run(command.replace("NEW", str(target)).split()[1:]) == 0
    return target


def test_adapters_are_merged_with_their_head(ill, tmp_path, capsys):
    base = ill()
    folder = adapters(base, tmp_path / "adapter", task_type="SEQ_CLS")
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    new = follow(folder, "adapter", tmp_path / "new")
    assert "adapters merged" in capsys.readouterr().out
    assert look(new).ok
    assert is_sealed(new, deep=True)
    one, other = load_backbone(folder).model.state_dict(), load_backbone(new).model.state_dict()
    assert not torch.equal(other["score.weight"], load_file(base / "model.safetensors")["score.weight"])
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before
    facts = json.loads((new / "plaudit.json").read_text())
    assert facts["saved_from"]["merged"] is True


@pytest.mark.slow
def test_a_head_that_the_adapters_do_not_name_is_used(ill, tmp_path):
    folder = adapters(ill(), tmp_path / "adapter", task_type="SEQ_CLS")
    head = load_backbone(folder).model.score.weight
    rewrite(folder / "adapter_config.json", modules_to_save=None, task_type=None)
    assert torch.equal(load_backbone(folder).model.score.weight, head)
    new = follow(folder, "adapter", tmp_path / "new")
    assert torch.equal(load_file(new / "model.safetensors")["score.weight"], head)


@pytest.mark.slow
@pytest.mark.parametrize("pickled", [False, True])
def test_a_value_head_goes_where_everybody_looks(ill, tmp_path, pickled):
    folder = ill()
    head = load_file(folder / "model.safetensors")["score.weight"]
    weights(folder, lambda t: t.pop("score.weight"))
    beside = {"v_head.summary.weight": head, "v_head.summary.bias": torch.ones(1)}
    if pickled:
        torch.save(beside, folder / "value_head.bin")
        with pytest.raises(PlauditError, match="--allow-pickles"):
            resave(folder, tmp_path / "new")
    else:
        save_file(beside, folder / "value_head.safetensors")
    new = follow(folder, "value-head", tmp_path / "new", *(["--allow-pickles"] if pickled else []))
    assert torch.equal(load_file(new / "model.safetensors")["score.weight"], head)
    assert look(new).ok


@pytest.mark.slow
def test_a_pad_that_is_the_end_mark_stays_and_no_score_moves(ill, tmp_path, capsys):
    folder = ill()
    tokenizer(folder, lambda t: setattr(t, "pad_token", t.eos_token))
    rewrite(folder / "config.json", pad_token_id=AutoTokenizer.from_pretrained(folder).eos_token_id)
    found = resave(folder, tmp_path / "new")
    assert found.deviation == 0
    assert any("never read" in note for note in found.notes)
    assert failing(look(tmp_path / "new", "pad")) == {"pad"}


@pytest.mark.slow
def test_no_pad_gets_one(ill, tmp_path):
    folder = ill()
    tokenizer(folder, lambda t: setattr(t, "pad_token", None))
    rewrite(folder / "config.json", pad_token_id=None)
    new = follow(folder, "pad", tmp_path / "new")
    assert look(new).ok


@pytest.mark.slow
def test_a_dated_template_is_pinned(ill, tmp_path):
    folder = ill()
    path = folder / "chat_template.jinja"
    path.write_text("{{ 'Today is ' + strftime_now('%d %b %Y') }}" + path.read_text())
    assert look(follow(folder, "template", tmp_path / "new")).ok


@pytest.mark.slow
@pytest.mark.parametrize("named", ["RewardModel", "LlamaForRewardModel", "LlamaForCausalLM", None])
def test_a_head_under_another_class_name_is_kept(ill, tmp_path, named):
    folder = ill()
    rewrite(folder / "config.json", architectures=[named] if named else None)
    head = load_file(folder / "model.safetensors")["score.weight"]
    new = follow(folder, "class-name", tmp_path / "new")
    assert torch.equal(load_file(new / "model.safetensors")["score.weight"], head)
    assert look(new).ok


def test_facts_of_an_earlier_run_are_kept(healthy, tmp_path):
    resave(healthy("llama"), tmp_path / "new")
    facts = json.loads((tmp_path / "new" / "plaudit.json").read_text())
    assert facts["saved_from"]["head"] == "found"
    assert facts["policy"] == json.loads((healthy("llama") / "plaudit.json").read_text())["policy"]


def test_a_score_that_moves_is_a_gate(ill, tmp_path, monkeypatch, capsys):
    folder = ill()
    monkeypatch.setattr(room, "deviation", lambda found, before: float(np.abs(found - before).max()) + 1e-4)
    with pytest.raises(GateError, match="was not written"):
        resave(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert run(["models", str(folder), "--output-dir", str(tmp_path / "new")]) == 1
    assert run(["models", str(folder), "--output-dir", str(tmp_path / "new"), "--tolerance", "0.01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["deviation"] == pytest.approx(1e-4, rel=0.1)


def test_what_cannot_be_saved_anew(ill, tmp_path, capsys):
    folder = ill()
    with pytest.raises(PlauditError, match="exists already"):
        resave(folder, folder)
    assert run(["models", str(folder)]) == 2
    assert "--output-dir is missing" in capsys.readouterr().err
    weights(folder, lambda t: t.pop("score.weight"))
    with pytest.raises(PlauditError, match="no scoring head"):
        resave(folder, tmp_path / "new")


def test_our_own_adapters_on_an_embedded_base(tmp_path):
    """Their base's name means nothing to others: those paths are left out, with a way that works."""
    loaded = load_backbone("tiny")
    adapted = lora.attach(loaded.model, r=2)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if weight.requires_grad:
                weight.add_(0.02 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))))
    with folders.publish(tmp_path / "final") as part:
        checkpoint.save(part, adapted, loaded.tokenizer, {"policy": loaded.policy.facts()})
    for folder in (
        tmp_path / "final" / "adapter",
        Path(shutil.copytree(tmp_path / "final" / "adapter", tmp_path / "x")),
    ):
        report = examine(folder, longest=SHORT)
        assert report.ok, failing(report)
        assert report.check("seal").status == report.check("batched").status == "pass"
        for path in ("transformers", "pipeline", "trl"):
            assert report.check(path).status == "skip"
            assert f"plaudit models {folder} --output-dir NEW" in report.check(path).advice
    new = follow(tmp_path / "x", "adapter", tmp_path / "new")
    assert examine(new, longest=SHORT).check("transformers").status == "pass"
    (tmp_path / "x" / "adapter_config.json").write_bytes((tmp_path / "x" / "adapter_config.json").read_bytes() + b" ")
    assert "adapter_config.json" in examine(tmp_path / "x", longest=SHORT, only=["seal"]).check("seal").advice
