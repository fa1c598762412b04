"""Each silent defect is found on a checkpoint that has it, and the advice says what to do."""

import json

import pytest
import torch
from patients import SHORT, rewrite, saved
from safetensors.torch import load_file, save_file
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from families import tiny_family
from plaudit import folders
from plaudit.doctor.examine import examine
from plaudit.errors import PlauditError
from plaudit.models import checkpoint
from plaudit.models.backbone import load_backbone
from plaudit.models.quiet import quiet

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not


def look(folder, *only):
    return examine(folder, longest=SHORT, only=only)


def failing(report):
    return {c.name for c in report.checks if c.status == "fail"}


def weights(folder, change):
    """Rewrite the folder's weights through a function of their mapping."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def tokenizer(folder, change):
    found = AutoTokenizer.from_pretrained(folder)
    change(found)
    found.save_pretrained(folder)


def test_without_facts_and_seal_a_checkpoint_is_still_healthy(ill):
    report = look(ill())
    assert report.ok
    assert "not sealed" in report.check("seal").advice


def test_pad_is_the_end_mark(ill):
    folder = ill()
    tokenizer(folder, lambda t: setattr(t, "pad_token", t.eos_token))
    rewrite(folder / "config.json", pad_token_id=AutoTokenizer.from_pretrained(folder).eos_token_id)
    report = look(folder, "pad", "transformers")
    assert "pad" in failing(report)
    assert "the end mark is never read" in report.check("pad").advice


def test_no_pad_token(ill):
    folder = ill()
    tokenizer(folder, lambda t: setattr(t, "pad_token", None))
    rewrite(folder / "config.json", pad_token_id=None)
    assert "batches above one raise" in look(folder, "pad").check("pad").advice


def test_tokenizer_and_config_disagree_about_the_pad(ill):
    folder = ill()
    rewrite(folder / "config.json", pad_token_id=5)
    report = look(folder, "pad")
    assert report.check("pad").status == "fail"
    assert "the config looks for 5" in report.check("pad").advice


def test_the_config_alone_names_no_pad(ill):
    folder = ill()
    rewrite(folder / "config.json", pad_token_id=None)
    assert "the config has no pad token" in look(folder, "pad").check("pad").advice


def test_two_beginning_marks(ill):
    folder = ill()

    def change(t):
        t.bos_token = "<|im_start|>"
        t.chat_template = "{{ bos_token }}" + t.chat_template

    tokenizer(folder, change)
    report = look(folder, "bos")
    assert "two beginning marks" in report.check("bos").advice
    assert not report.ok


def with_bos(t):
    """Give texts a beginning mark, as Llama's tokenizers do: `~` stands for it."""
    t.bos_token = "~"
    mark = [("~", t.convert_tokens_to_ids("~"))]
    t.backend_tokenizer.post_processor = TemplateProcessing(single="~ $A", pair="~ $A $B", special_tokens=mark)


def test_the_template_leaves_the_beginning_mark_out(ill):
    folder = ill()
    tokenizer(folder, with_bos)
    report = look(folder, "bos")
    assert "its chat template leaves out" in report.check("bos").advice
    assert report.check("bos").status == "fail"


def test_the_default_call_doubles_the_beginning_mark_and_that_is_told(ill):
    folder = ill()

    def change(t):
        with_bos(t)
        t.chat_template = "{{ bos_token }}" + t.chat_template

    tokenizer(folder, change)
    check = look(folder, "bos").check("bos")
    assert check.status == "pass"
    assert "add_special_tokens=False" in check.advice


def test_a_doubled_mark_where_no_sequence_is_short_is_told_without_a_number(ill):
    folder = ill()

    def change(t):
        with_bos(t)
        t.chat_template = "{{ bos_token }}" + "Be kind. " * 8 + t.chat_template

    tokenizer(folder, change)
    assert look(folder, "bos").check("bos").status == "pass"


def test_no_chat_template(ill):
    folder = ill()
    (folder / "chat_template.jinja").unlink()
    report = look(folder, "template")
    assert report.check("template").status == "fail"
    assert "each tool renders" in report.check("template").advice
    encoder = ill("bert")
    (encoder / "chat_template.jinja").unlink()
    assert look(encoder, "template").check("template").status == "pass"


def test_a_template_that_inserts_the_date(ill):
    folder = ill()
    path = folder / "chat_template.jinja"
    plain = path.read_text()
    path.write_text("{{ 'Today is ' + strftime_now('%d %b %Y') }}" + plain)
    report = look(folder, "template")
    assert failing(report) == {"template"}
    assert f"`plaudit models {folder} --output-dir NEW`" in report.check("template").advice
    tokenizer(folder, lambda t: setattr(t, "chat_template", load_backbone(folder).tokenizer.chat_template))
    assert look(folder, "template").check("template").status == "pass"  # what plaudit saves has its date pinned
    path.write_text("{% if false %}{{ strftime_now('%d') }}{% endif %}" + plain)
    assert look(folder, "template").check("template").status == "pass"  # it is the rendering that counts
    dated = "{% if messages[0]['role'] == 'system' %}{{ strftime_now('%d') }}{% endif %}"
    path.write_text(dated + plain)
    assert failing(look(folder, "template")) == {"template"}


def test_a_template_that_draws(ill):
    folder = ill()
    path = folder / "chat_template.jinja"
    path.write_text("{{ ['a', 'b'] | random }}" + path.read_text())
    report = look(folder, "template", "transformers", "trl", "batched")
    assert failing(report) == {"loads", "template"}
    assert {c.status for c in report.checks if c.name in ("transformers", "trl", "batched")} == {"skip"}


def test_another_template_than_in_training(healthy, ill):
    folder = ill()
    facts = json.loads((healthy("llama") / "plaudit.json").read_text())
    (folder / "plaudit.json").write_text(json.dumps(facts))
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text() + " ")
    report = look(folder, "template")
    assert "not the one it was trained with" in report.check("template").advice


def test_a_sigmoid_between_logit_and_caller(ill):
    folder = ill()
    rewrite(folder / "config.json", problem_type=None)
    report = look(folder)
    assert failing(report) == {"sigmoid", "pipeline"}
    assert '"problem_type": "regression"' in report.check("sigmoid").advice


def test_two_labels(ill):
    folder = ill()
    rewrite(folder / "config.json", id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1})
    weights(folder, lambda t: t.update({"score.weight": torch.ones(2, 32)}))
    report = look(folder, "labels")
    assert failing(report) >= {"loads", "labels"}
    assert "has 2 labels" in report.check("labels").advice


def test_the_head_was_not_saved(ill):
    folder = ill()
    weights(folder, lambda t: t.pop("score.weight"))
    report = look(folder, "head", "transformers", "pipeline")
    assert failing(report) >= {"head", "transformers", "pipeline"}
    assert "hold no scoring head" in report.check("head").advice


@pytest.mark.parametrize(("value", "told"), [(0.0, "all zero"), (float("nan"), "not finite")])
def test_a_head_of_zeros_or_nan(ill, value, told):
    folder = ill()
    weights(folder, lambda t: t["score.weight"].fill_(value))
    report = look(folder, "head")
    assert failing(report) >= {"head", "loads"}
    assert told in report.check("head").advice


def test_a_head_of_which_nobody_says_that_it_was_trained(ill):
    """Drawn by transformers, and nothing in its numbers tells it from a trained one: the pass says so."""
    folder = ill()
    weights(folder, lambda t: t["score.weight"].normal_(0, 0.02, generator=torch.Generator().manual_seed(0)))
    found = look(folder, "head").check("head")
    assert found.status == "pass"
    assert "nothing here says that it was trained" in found.advice


@pytest.mark.parametrize("name", ["llama", "bert"])
@pytest.mark.parametrize("seed", [3, 12345])
def test_a_head_that_was_never_trained(ill, tmp_path, name, seed):
    folder = ill(name)
    weights(folder, lambda t: t.pop("score.weight" if name == "llama" else "classifier.weight"))
    loaded = load_backbone(folder, seed=seed)
    with folders.publish(tmp_path / "fresh") as part:
        checkpoint.save(part, loaded.model, loaded.tokenizer, {"options": {"seed": seed}})
    report = look(tmp_path / "fresh", "head", "transformers", "seal")
    assert failing(report) == {"head"}
    assert f"seed {seed}" in report.check("head").advice


def test_zero_steps(ill):
    folder = ill()
    (folder / "plaudit.json").write_text('{"steps": 0}')
    assert "0 steps" in look(folder, "head").check("head").advice


def test_a_value_head_of_llama_factory(ill):
    folder = ill()
    head = load_file(folder / "model.safetensors")["score.weight"]
    weights(folder, lambda t: t.pop("score.weight"))
    save_file({"v_head.summary.weight": head, "v_head.summary.bias": torch.ones(1)}, folder / "value_head.safetensors")
    report = look(folder, "value-head", "transformers")
    assert failing(report) >= {"value-head", "transformers"}
    assert "plaudit has read it" in report.check("value-head").advice
    weights(folder, lambda t: t.update({"score.weight": head}))
    assert "is ignored" in look(folder, "value-head").check("value-head").advice


def test_a_pickled_value_head(ill):
    folder = ill()
    weights(folder, lambda t: t.pop("score.weight"))
    torch.save({}, folder / "value_head.bin")
    report = look(folder, "value-head")
    assert failing(report) >= {"loads", "value-head"}
    assert "a pickle" in report.check("value-head").advice


def test_a_value_head_among_the_weights(ill):
    folder = ill()
    weights(folder, lambda t: t.update({"v_head.summary.weight": t.pop("score.weight")}))
    report = look(folder, "value-head", "head")
    assert failing(report) >= {"value-head", "head"}
    assert "v_head.summary.weight" in report.check("value-head").advice


def adapters(base, folder, **options):
    """A folder of LoRA adapters on that base."""
    from peft import LoraConfig, get_peft_model

    loaded = load_backbone(base)
    with quiet():
        wrapped = get_peft_model(loaded.model, LoraConfig(r=2, target_modules=["q_proj"], **options))
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))))
    wrapped.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder


def test_adapters_without_their_head(ill, tmp_path):
    base = ill()
    weights(base, lambda t: t.pop("score.weight"))
    report = look(adapters(base, tmp_path / "adapter"), "adapter", "head")
    assert failing(report) >= {"adapter", "head"}
    assert 'task_type="SEQ_CLS"' in report.check("adapter").advice


def test_adapters_with_their_head(ill, tmp_path):
    base = ill()
    weights(base, lambda t: t.pop("score.weight"))
    folder = adapters(base, tmp_path / "adapter", task_type="SEQ_CLS")
    report = look(folder, "adapter", "head")
    assert report.check("adapter").status == "pass"
    assert "merge" in report.check("adapter").advice
    assert report.check("head").status == "pass"
    rewrite(folder / "adapter_config.json", modules_to_save=None, task_type=None)
    assert "peft leaves it out" in look(folder, "adapter").check("adapter").advice


def test_a_model_and_adapters_in_one_folder(ill, tmp_path):
    folder = ill()
    beside = adapters(folder, tmp_path / "adapter", task_type="SEQ_CLS")
    for path in beside.glob("adapter_*"):
        path.rename(folder / path.name)
    assert "both a model and adapters" in look(folder, "adapter").check("adapter").advice


@pytest.mark.parametrize(
    ("named", "told"),
    [("LlamaForRewardModel", "embedding models"), ("LlamaForRewardModeling", "embedding models"),
     ("LlamaForCausalLM", "will not score"), (None, "names no class")],
)  # fmt: skip
def test_a_class_that_engines_misread(ill, named, told):
    folder = ill()
    rewrite(folder / "config.json", architectures=[named] if named else None)
    report = look(folder, "class-name")
    assert "class-name" in failing(report)
    assert told in report.check("class-name").advice


def test_a_broken_seal_names_the_file(tmp_path):
    folder = saved(tmp_path / "rm", *tiny_family("llama"))
    path = folder / "tokenizer_config.json"
    path.write_text(path.read_text().replace("4096", "4095"))
    report = look(folder, "seal", "pad", "template", "labels")
    assert failing(report) == {"seal"}
    assert "tokenizer_config.json" in report.check("seal").advice
    (folder / "seal.json").unlink()
    assert "its seal is gone" in look(folder, "seal").check("seal").advice
    (folder / "seal.json").write_text("[]")
    assert "seal.json" in look(folder, "seal").check("seal").advice


def test_weights_in_half_precision(ill):
    folder = ill()
    weights(folder, lambda t: t.update({n: w.bfloat16() for n, w in t.items()}))
    check = look(folder, "stored-dtype").check("stored-dtype")
    assert check.status == "pass"
    assert "head is stored in bfloat16" in check.advice
    weights(folder, lambda t: t.update({"score.weight": t["score.weight"].float()}))
    assert "load with dtype=float32" in look(folder, "stored-dtype").check("stored-dtype").advice


def test_lengths_that_disagree(ill):
    folder = ill()
    (folder / "plaudit.json").write_text('{"policy": {"max_length": 512}}')
    tokenizer(folder, lambda t: setattr(t, "model_max_length", 128))
    check = look(folder, "length").check("length")
    assert check.status == "fail"
    assert "trained with 512 tokens" in check.advice


@pytest.mark.parametrize(("family", "takes"), [("llama", 512), ("roberta", 511)])
def test_a_tokenizer_that_allows_more_than_the_model_takes(ill, family, takes):
    folder = ill(family)
    for says in (takes, takes + 1):
        tokenizer(folder, lambda t, says=says: setattr(t, "model_max_length", says))
        check = look(folder, "length").check("length")
        assert check.status == "pass"
        told = f"its tokenizer allows {says} tokens, the model takes {takes}; set model_max_length to {takes}"
        assert check.advice == (told if says > takes else "")


def test_a_truncation_inside_the_tokenizer_file(ill):
    folder = ill()
    cut = {"direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0}
    tokenizer(folder, lambda t: setattr(t, "model_max_length", 512))
    rewrite(folder / "tokenizer.json", truncation=cut)
    assert "truncation to 128 tokens" in look(folder, "length").check("length").advice


def test_bfloat16_ties_are_counted_and_gate_nothing(ill):
    folder = ill("bert")
    weights(folder, lambda t: (t["classifier.bias"].fill_(9.0), t["classifier.weight"].mul_(0.01)))
    report = look(folder)
    assert report.ok
    assert "pairs tie exactly" in report.check("bf16-ties").advice


@pytest.mark.parametrize(("longest", "told"), [(28, ""), (SHORT, "change order")])
def test_how_far_bfloat16_moves_scores_is_told_whether_or_not_their_order_changes(healthy, longest, told):
    check = examine(healthy("llama"), longest=longest, only=["bf16-ties"]).check("bf16-ties")
    assert check.status == "pass"
    assert told in check.advice
    assert bool(told) == bool(check.advice)
    assert 1e-3 < check.deviation < 0.3


@pytest.mark.parametrize("what", ["nothing", "empty", "rubbish", "cut"])
def test_nothing_loadable(ill, tmp_path, what):
    folder = tmp_path / "no"
    if what == "empty":
        folder.mkdir()
    if what in ("rubbish", "cut"):
        folder = ill()
        name = "config.json" if what == "rubbish" else "model.safetensors"
        (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.raises(PlauditError):
        look(folder)


def test_a_damaged_checkpoint_is_told_by_its_seal(tmp_path):
    folder = saved(tmp_path / "rm", *tiny_family("llama"))
    (folder / "model.safetensors").write_bytes(b"1234")
    with pytest.raises(PlauditError, match="files differ from its seal"):
        look(folder)


def test_damaged_files_are_findings_not_tracebacks(ill):
    folder = ill()
    (folder / "plaudit.json").write_text("{")
    report = look(folder)
    assert "not JSON" in report.check("loads").advice
    assert "not JSON" in report.check("template").advice
    assert report.check("transformers").status == "skip"


def test_a_vocabulary_that_the_model_has_not(ill):
    folder = ill()
    tokenizer(folder, lambda t: t.add_tokens([f"<{i}>" for i in range(40)] + ["Hello", "Name three"]))
    report = look(folder)
    assert "IndexError" in report.check("loads").advice
    assert {c.status for c in report.checks if c.name in ("transformers", "token-tree")} == {"skip"}


def test_a_device_that_there_is_not(healthy):
    with pytest.raises(PlauditError, match="device 'toaster'"):
        examine(healthy("llama"), device="toaster")


@pytest.mark.parametrize("family", ["llama", "bert"])
@pytest.mark.parametrize("longest", range(16, 29, 2))
def test_a_healthy_checkpoint_is_healthy_however_short_the_sample(healthy, family, longest):
    report = examine(healthy(family), longest=longest, only=["left-padded", "bos"])
    if report.check("loads").status == "pass":
        assert report.ok, report
        assert "absolute" not in report.check("left-padded").advice
