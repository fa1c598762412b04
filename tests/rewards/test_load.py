"""Asking for a scorer: what resolves, and what the errors say."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import plaudit
from families import tiny_family
from plaudit import folders
from plaudit.cli import run
from plaudit.errors import DataError, OptionError, PlauditError
from plaudit.models import checkpoint
from plaudit.records import Message, pair
from plaudit.rewards.stream import CHUNK, chunks, scored


def test_built_in_scorers_score_texts_and_messages():
    handle = plaudit.load("length")
    assert handle.score("2+2?", ["four", "5"]) == [4.0, 1.0]
    assert handle.score([{"role": "user", "content": "2+2?"}], "four") == [4.0]
    assert handle.score("", [[Message("assistant", ("abc",))]]) == [3.0]
    assert handle.score("2+2?", []) == []
    assert plaudit.load("random", seed=1).score("p", ["x"]) != plaudit.load("random").score("p", ["x"])
    assert plaudit.load(handle) is handle


def test_a_text_prompt_is_one_user_turn():
    one = plaudit.load("random").score("2+2?", ["4", "5"])
    assert one == plaudit.load("random").score([{"role": "user", "content": "2+2?"}], ["4", "5"])
    assert one == plaudit.load("random").score_all([pair("2+2?", "4", "5")])[0].tolist()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("lenght", r"unknown scorer 'lenght' \(did you mean 'length'\?\)"),
        ("http://localhost:1", "through a server is not supported"),
        ("cached", "unknown scorer 'cached'"),
    ],
)
def test_unknown_scorers(spec, words):
    with pytest.raises(OptionError, match=words):
        plaudit.load(spec)


def test_folders_that_are_no_checkpoint(tmp_path):
    with pytest.raises(PlauditError, match=r"config\.json is missing"):
        plaudit.load(tmp_path)
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "config.json").write_text("{}")
    with pytest.raises(PlauditError, match="did you mean .*final"):
        plaudit.load(tmp_path)
    (tmp_path / "final" / "seal.json").write_text('{"files": {"weights": {"bytes": 3, "digest": ""}}}')
    with pytest.raises(PlauditError, match="is damaged"):
        plaudit.load(tmp_path / "final")
    (tmp_path / "mix.yaml").write_text("")
    with pytest.raises(OptionError, match="composed scorers are not supported"):
        plaudit.load(tmp_path / "mix.yaml")


def flipped(path):
    """The same file with one bit of its last byte turned round."""
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))


def test_a_changed_file_of_the_same_size_is_refused_wherever_a_model_is_loaded(tmp_path):
    model, tokenizer = tiny_family("llama")
    with folders.publish(tmp_path / "rm") as part:
        checkpoint.save(part, model, tokenizer, {})
    plaudit.load(tmp_path / "rm")
    flipped(tmp_path / "rm" / "model.safetensors")
    with pytest.raises(PlauditError, match="damaged: files differ from its seal.json: model.safetensors"):
        plaudit.load(tmp_path / "rm")
    with pytest.raises(PlauditError, match="damaged"):
        plaudit.train([], model=str(tmp_path / "rm"), output_dir=tmp_path / "run")
    (tmp_path / "rm" / "seal.json").unlink()
    plaudit.load(tmp_path / "rm")


def test_a_committee_goes_by_the_seal_of_its_audit(tmp_path):
    with folders.publish(tmp_path / "audit") as part:
        (part / "committee").mkdir()
        (part / "committee" / "committee.json").write_text('{"format": 1, "kind": "scorers", "members": []}')
        (part / "report.html").write_text("")
    (tmp_path / "audit" / "report.html").write_text("read it")
    folders.refuse_changed(tmp_path / "audit" / "committee")  # what lies beside it is not its business
    flipped(tmp_path / "audit" / "committee" / "committee.json")
    with pytest.raises(PlauditError, match="damaged: files differ from its seal.json: committee/committee.json"):
        plaudit.load(tmp_path / "audit" / "committee")


def test_what_needs_trust_is_read_with_a_flag_only(tmp_path, capsys):
    model, tokenizer = tiny_family("llama")
    checkpoint.save(tmp_path, model, tokenizer, {})
    tensors = load_file(tmp_path / "model.safetensors")
    head = tensors.pop("score.weight")
    torch.save({"v_head.summary.weight": head}, tmp_path / "value_head.bin")
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(PlauditError, match="--allow-pickles"):
        plaudit.load(tmp_path)
    found = plaudit.load(tmp_path, allow_pickles=True)
    assert torch.equal(found.loaded.model.score.weight, head)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "q", "chosen": "yes", "rejected": "no"}\n')
    for command in (["score", str(tmp_path), str(rows), "--output", str(tmp_path / "s")],
                    ["evaluate", str(tmp_path), str(rows)]):  # fmt: skip
        assert run(command) == 2
        assert run([*command, "--allow-pickles"]) == 0


OWN = """
from transformers import AutoModel, LlamaConfig, LlamaForSequenceClassification, LlamaModel

class OwnConfig(LlamaConfig):
    model_type = "own"

class OwnModel(LlamaModel):
    config_class = OwnConfig

class OwnForSequenceClassification(LlamaForSequenceClassification):
    config_class = OwnConfig

AutoModel.register(OwnConfig, OwnModel, exist_ok=True)
"""


@pytest.mark.slow
def test_a_model_with_code_of_its_own_is_scored_audited_and_inspected_with_the_flag(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    model, tokenizer = tiny_family("llama")
    rm = tmp_path / "rm"
    rm.mkdir()
    checkpoint.save(rm, model, tokenizer, {})
    config = json.loads((rm / "config.json").read_text()) | {
        "model_type": "own", "architectures": ["OwnForSequenceClassification"],
        "auto_map": {
            "AutoConfig": "own_plaudit_test.OwnConfig",
            "AutoModelForSequenceClassification": "own_plaudit_test.OwnForSequenceClassification",
        },
    }  # fmt: skip
    (rm / "config.json").write_text(json.dumps(config))
    (rm / "own_plaudit_test.py").write_text(OWN)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"prompt": "q{i}", "chosen": "yes {i}", "rejected": "no"}}\n' for i in range(30)))
    commands = [
        ["score", str(rm), str(rows), "--output", str(tmp_path / "s")], ["evaluate", str(rm), str(rows)],
        ["inspect", str(rows), "--model", str(rm)],
        ["audit", str(rows), "--model", str(rm), "--members", "2", "--output-dir", str(tmp_path / "a"), "--cache",
         str(tmp_path / "cache")],
        ["score", str(tmp_path / "a/committee"), str(rows), "--output", str(tmp_path / "c")],
        ["doctor", str(rm), "--only", "pad"], ["models", str(rm), "--output-dir", str(tmp_path / "new")],
    ]  # fmt: skip
    for command in commands:
        assert run(command) == 2, command
        assert "--trust-remote-code" in capsys.readouterr().err
        assert run([*command, "--trust-remote-code"]) == 0, command
    plain = [json.loads(line)["scores"] for line in (tmp_path / "s").read_text().splitlines()]
    again = plaudit.load(tmp_path / "new", trust_remote_code=True).score("q3", ["yes 3", "no"])
    assert again == pytest.approx(plain[3], abs=1e-5)


def test_a_turn_without_text_is_refused():
    with pytest.raises(PlauditError, match="must have a role and a text content"):
        plaudit.load("length").score([{"role": "user"}], ["x"])


class Odd:
    fingerprint = ""

    def __init__(self, answer):
        self.answer = answer

    def score_all(self, preferences):
        return [np.array(self.answer) for _ in preferences]


def test_streams_are_checked_and_keep_their_order():
    rows = [pair(f"p{i}", "a", "b", id=str(i), source=f"f:{i}") for i in range(CHUNK + 3)]
    assert [len(c) for c in chunks(rows)] == [CHUNK, 3]
    assert [p.id for p, _ in scored(plaudit.load("length"), iter(rows))] == [p.id for p in rows]
    with pytest.raises(DataError, match=r"f:0 \(id 0\): the score of response 2 is not a number"):
        list(scored(Odd([1, float("nan")]), rows))
    with pytest.raises(DataError, match=r"f:0 \(id 0\): the score of response 1 is -inf"):
        list(scored(Odd([float("-inf"), 1]), rows))
    with pytest.raises(DataError, match="3 scores for 2 responses"):
        list(scored(Odd([1, 2, 3]), rows))
    handle = plaudit.load(Odd([1, 2]))
    assert handle.name == "Odd"
    with pytest.raises(PlauditError, match="cannot say which text"):
        handle.texts(rows[0])
