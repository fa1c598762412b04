"""`plaudit train` as a person runs it, and what others make of its checkpoint."""

import json
import os
import pty
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from plaudit.cli import run
from plaudit.commands.train import _show
from plaudit.models.embedded import path as embedded_path
from plaudit.rewards.load import load
from small_runs import go, pairs, rated, write


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "a.jsonl", pairs(24))


def test_the_summary_and_one_json_document(tmp_path, file, capsys):
    common = ["train", file, "--model", "tiny", "--max-steps", "2", "--device", "cpu"]
    assert run([*common, "--output-dir", str(tmp_path / "D")]) == 0
    out, err = capsys.readouterr()
    assert all(words in out for words in ("held-out accuracy", "length-only accuracy", "best at step"))
    assert "plaudit doctor" in err
    assert run([*common, "--output-dir", str(tmp_path / "E"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((tmp_path / "E" / "run.json").read_text())
    assert run([*common, "--output-dir", str(tmp_path / "E"), "--json", "--resume"]) == 0
    assert json.loads(capsys.readouterr().out) == document
    assert run([*common, "--output-dir", str(tmp_path / "E")]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(("trained", "said"), [(0.6587353948863411, False), (0.66, True)])
def test_a_second_loss_is_shown_where_it_is_another_one_not_where_the_last_bit_differs(trained, said, capsys):
    held = {"eval_loss": 0.658735394886341, "eval_accuracy": 0.6, "plaudit/eval_trained_loss": trained, "step": 4}
    rows = {"train": 20, "dropped": 0, "held_out": 4}
    _show({"steps": 4, "rows": rows, "held_out": held, "options": {}}, "D")
    assert ("as trained" in capsys.readouterr().out) == said


def test_one_process_of_several_speaks(tmp_path, file, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert (
        run(["train", file, "--model", "tiny", "--max-steps", "1", "--output-dir", str(tmp_path / "D"), "--json"]) == 0
    )
    assert capsys.readouterr().out == ""


def test_a_rehearsal_says_everything_and_writes_nothing(tmp_path, file, capsys):
    with open(file, "a") as f:
        f.write("broken\n")
    argv = ["train", file, "--model", "tiny", "--output-dir", str(tmp_path / "D"), "--epochs", "2", "--dry-run"]
    assert run(argv) == 0
    shown = capsys.readouterr().out
    for words in ("learning_rate", "held_out", "p95", "computed once", "memory: about", "disk: up to", "time: about",
                  "first preference, chosen", "<|im_start|>user", "a.jsonl:25: broken JSON"):  # fmt: skip
        assert words in shown, words
    assert run([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"]["read"], found["rows"]["dropped"]) == (25, 1)
    assert found["rows"]["train"] + found["rows"]["held_out"] == 24
    assert found["steps"] == 2 * -(-found["rows"]["train"] // 16)
    assert found["options"]["learning_rate"] == 2e-5
    assert set(found["tokens"]) == {"sequences", "preferences", "total", "computed", "saved"}
    assert min(found["memory_bytes"], found["disk_bytes"], found["seconds"]) > 0
    assert not (tmp_path / "D").exists()
    assert run(["train", write(tmp_path / "r.jsonl", rated(6)), *argv[2:], "--held-out", "0"]) == 0
    assert "first preference, response 1" in capsys.readouterr().out


def test_a_rehearsal_counts_what_each_filter_leaves(tmp_path, file, capsys):
    long = {"prompt": "Rice?", "chosen": "pot " * 400, "rejected": "No."}
    with open(file, "a") as f:
        f.write(f"broken\n{json.dumps(long)}\n")
    say = lambda role, text: [{"role": role, "content": text}]  # noqa: E731
    tied = {"prompt": say("user", "Tea?"), "responses": [say("assistant", c) for c in "abc"], "ranks": [0, 0, 0]}
    argv = ["train", file, write(tmp_path / "tied.jsonl", [tied]), "--model", "tiny", "--output-dir",
            str(tmp_path / "D"), "--max-length", "256", "--dry-run"]  # fmt: skip
    assert run([*argv, "--json"]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)["rows"]
    named = ("read", "readable", "judged", "fitting", "different", "dropped")
    assert [rows[name] for name in named] == [27, 26, 25, 24, 24, 3]
    assert rows["train"] + rows["held_out"] == 24
    assert "a.jsonl: layout trl\n" in said.err
    assert "tied.jsonl: layout canonical\n" in said.err
    assert run(argv) == 0
    assert "preferences with something to learn" in capsys.readouterr().out


MEMORY = """
import sys
sys.path.insert(0, sys.argv[1])
from small_runs import pairs, write
from plaudit.models.forward import Reader
from plaudit.training.batches import batches
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import prepare
from plaudit.training.rehearse import largest, memory, trial
from plaudit.training.start import accelerator_for, objective_for, optimizer_for, ready
from plaudit.training.steps.plain import Around, step

def status(name):
    return int([x for x in open("/proc/self/status") if x.startswith(name)][0].split()[1]) * 1024

options = TrainOptions(held_out=0, device="cpu", batch_size=32, batch_tokens=2048, tuning=sys.argv[3])
part = prepare([sys.argv[2]], ready("tiny", options).policy, options).train
accelerator = accelerator_for(options)
trial(ready("tiny", options).model, part, options)  # what any first step brings: threads, kernels
before = status("VmRSS")
loaded = ready(sys.argv[4], options)
expected = memory(loaded.model, largest(part, 32, options), options, trial(loaded.model, part, options).kept)
objective, reader = objective_for(options), Reader(loaded.model)
model, optimizer = accelerator.prepare(reader, optimizer_for(reader, objective, options))
feed = batches(part.encoded, part.columns, size=32, budget=2048, seed=0)
open("/proc/self/clear_refs", "w").write("5")
model.train()
for _ in range(2):
    step(model, next(feed), objective, optimizer, around=Around(accelerator, 1.0))
print(expected / (status("VmHWM") - before))
"""


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_the_memory_estimate_is_near_a_measured_peak(tmp_path, tuning):
    from transformers import LlamaConfig, LlamaForCausalLM

    from plaudit.models.embedded import tiny

    tokenizer = tiny.tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=384, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=4,
        num_key_value_heads=2, pad_token_id=0, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    rows = [{k: v * 4 if k in ("chosen", "rejected") else v for k, v in row.items()} for row in pairs(64)]
    file = write(tmp_path / "a.jsonl", rows)
    here = os.path.dirname(os.path.dirname(__file__))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, here, file, tuning, str(tmp_path / "m")], capture_output=True, text=True,
        check=False, env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"},  # else the allocator keeps what was freed
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 1 / 1.5 < float(done.stdout) < 1.5


@pytest.mark.slow
def test_the_progress_bar_shows_what_matters(tmp_path, file):
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "plaudit", "train", file, "--model", "tiny", "--max-steps", "30",
               "--output-dir", str(tmp_path / "D"), "--held-out", "0"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=child, env=os.environ | {"COLUMNS": "160", "TERM": "xterm"}
    ) as process:
        os.close(child)
        seen = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        process.wait()
    os.close(parent)
    text = seen.decode(errors="replace")
    assert process.returncode == 0, text
    for words in ("training", "loss", "accuracy", "margin", "tokens/s", "/30"):
        assert words in text, words
    assert "0:00:" in text  # time gone and time left


def plain_scores(folder, texts):
    """What transformers alone makes of a checkpoint."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert model.config.num_labels == 1
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    with torch.no_grad():
        ids = [tokenizer(t, add_special_tokens=False, return_tensors="pt") for t in texts]
        return [float(model(**i).logits[0, 0]) for i in ids]


QUESTION = ("How do I cook rice?", ["First rinse it, then cover the pot.", "Why would you?"])


def agree(folder):
    from plaudit.records import message, pair

    handle = load(str(folder))
    prompt, answers = QUESTION
    record = pair((message("user", prompt),), *answers)
    assert handle.score(prompt, answers) == pytest.approx(plain_scores(folder, handle.texts(record)), abs=1e-5)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_final_gives_the_same_scores_in_plain_transformers(tmp_path, file, tuning):
    go(file, tmp_path / "D", tuning=tuning, max_steps=5)
    agree(tmp_path / "D" / "final")


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_real_encoder_too(tmp_path, file, tuning):
    go(file, tmp_path / "D", model="minilm-l6", tuning=tuning, max_steps=3, learning_rate=2e-5)
    agree(tmp_path / "D" / "final")


def base(folder, kind):
    """`tiny` as somebody else might have left it."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded_path("tiny"))
    labels = 3 if kind == "three labels" else 1
    model = AutoModelForSequenceClassification.from_pretrained(embedded_path("tiny"), num_labels=labels)
    if kind == "pad is the end mark":
        model.config.architectures = ["LlamaForCausalLM"]
        tokenizer.pad_token, tokenizer.chat_template = tokenizer.eos_token, None
        model.config.pad_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if kind == "pad is the end mark":
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForCausalLM"]}))
        weights = load_file(folder / "model.safetensors")
        save_file(
            {k: v for k, v in weights.items() if k != "score.weight"}, folder / "model.safetensors", {"format": "pt"}
        )
    return folder


@pytest.mark.parametrize("kind", ["tiny", "pad is the end mark", "three labels"])
def test_the_adapter_beside_a_merged_model_gives_its_scores(tmp_path, file, kind):
    """Alone too: with the pad, the template and the one label that it was trained with."""
    model = "tiny" if kind == "tiny" else base(tmp_path / "base", kind)
    go(file, tmp_path / "D", model=model, tuning="lora", max_steps=5)
    merged, adapter = load(str(tmp_path / "D" / "final")), load(str(tmp_path / "D" / "final" / "adapter"))
    assert adapter.score(*QUESTION) == pytest.approx(merged.score(*QUESTION), abs=1e-5)
    one, other = merged.loaded.policy, adapter.loaded.policy
    assert (one.pad_id, one.template) == (other.pad_id, other.template)
    assert one.pad_id != one.tokenizer.eos_token_id
