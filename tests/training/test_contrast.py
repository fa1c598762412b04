"""Two noisy views: noise that belongs to the text, one number however a step is cut, prototypes that learn."""

from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import softplus
from torch.testing import assert_close

from families import tiny_family
from plaudit.errors import OptionError, PlauditError
from plaudit.models.forward import Reader
from plaudit.models.trees.noise import Noise, prefixes
from plaudit.models.trees.plan import plan
from plaudit.models.trees.probe import Verdict, sample
from plaudit.training import loop
from plaudit.training.contrast import contrast_for
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.start import accelerator_for
from plaudit.training.steps._gradient import Around, gradient
from plaudit.training.steps.plain import Diverged
from plaudit.training.views import Draw, Views
from small_runs import go, lists, losses, metrics, noise, pairs, rated, write

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

SETS = [("simcse", "pairs"), ("simcse", "difference"), ("swav", "pairs"), ("swav", "difference")]


def record(prompt, *responses):
    """An encoded record; without a prompt nothing is shared and it is read first, as encoders are."""
    ids = [np.array(r, np.int32) for r in responses]
    reads = tuple(len(prompt) + len(r) - 1 for r in responses) if len(prompt) else (0,) * len(ids)
    cuts = (len(prompt),) if len(prompt) else ()
    return SimpleNamespace(prompt=np.array(prompt, np.int32), responses=tuple(ids), cuts=cuts, read=reads, begin=())


def viewed(model, records, draw_of, *, budget):
    """Scores and vectors [2, ...] of every response, by (record, response)."""
    views, found = Views(model), {}
    for tree in plan(records, budget=budget):
        scores, vectors = views(tree, draw_of(tuple(tree.records)))
        for r, key in enumerate(zip(tree.owner.tolist(), tree.which.tolist())):
            found[key] = (scores[:, r], vectors[:, r])
    return found


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "bert"])
@pytest.mark.parametrize("kind", ["attention", "hidden"])
def test_noise_belongs_to_the_text_and_not_to_its_neighbours(family, kind):
    model, _ = tiny_family(family)
    model.train()
    draw = np.random.default_rng(0)
    ids = lambda n: draw.integers(5, 90, n).tolist()  # noqa: E731
    prompt = ids(9) if family != "bert" else []
    records = [
        record(prompt, ids(20), ids(24)),
        record(prompt, ids(21), ids(17)),
        record(ids(11) if prompt else [], ids(30), ids(19)),
    ]
    draw_of = lambda rows: Draw(kind, 0.3, 1, 2, rows)  # noqa: E731
    together = viewed(model, records, draw_of, budget=4096)
    apart = viewed(model, records, draw_of, budget=16)
    assert set(together) == set(apart)
    assert len(together) == 6
    for key, (scores, vectors) in together.items():
        assert_close(apart[key][0], scores, rtol=1e-4, atol=1e-5)
        assert_close(apart[key][1], vectors, rtol=1e-4, atol=1e-4)
        assert (vectors[0] - vectors[1]).abs().max() > 1e-3  # the views differ
    other = viewed(model, records, lambda rows: Draw(kind, 0.3, 1, 3, rows), budget=4096)
    assert (other[0, 0][1] - together[0, 0][1]).abs().max() > 1e-3  # and so do steps


@pytest.mark.parametrize("family", ["llama", "bert", "roberta"])
def test_without_dropout_a_view_is_the_plain_pass(family):
    model, _ = tiny_family(family)
    tree = sample(model)
    views = Views(model)
    expected = views(tree)
    for kind in ("attention", "hidden"):
        scores, _ = views(tree, Draw(kind, 0.0, 0, 0, tuple(tree.records)))
        assert_close(scores, torch.stack([expected, expected]), rtol=1e-4, atol=1e-5)
    assert torch.equal(Reader(model)(tree), expected)


def test_a_padded_model_gives_the_vectors_its_head_reads():
    for family in ("llama", "bert", "roberta"):
        model, _ = tiny_family(family)
        tree = sample(model)
        views = Views(model)
        expected = views(tree)
        views.way = "padded"
        with torch.no_grad():
            model.set_attn_implementation("eager")
            scores, _ = views(tree, Draw("hidden", 0.0, 0, 0, tuple(tree.records)))
        assert_close(scores[0], expected.detach(), rtol=1e-4, atol=1e-5)


def test_the_share_of_dropped_weights_is_the_rate_and_rows_are_unlike():
    records = [record(list(range(5, 40)), list(range(50, 80)), list(range(60, 90)))]
    (tree,) = plan(records)
    thin, module = Noise(tree, rate=0.2, seed=7), torch.nn.Linear(1, 1)
    keys = thin.keys(module, 6, causal=True)
    kept = thin.thin(torch.ones(1, 6, keys.shape[1], 400), keys)
    assert ((kept == 0) | (kept == 1.25)).all()
    assert (kept == 0).float().mean().item() == pytest.approx(0.2, abs=0.005)
    flat = (kept[0] == 0).flatten(0, 1).double()
    agree = torch.corrcoef(flat)
    assert (agree - torch.eye(len(agree))).abs().max() < 0.35
    assert len(set(prefixes(tree, causal=True).tolist())) == len(tree.tokens)
    other = thin.keys(torch.nn.Linear(1, 1), 6, causal=True)
    assert (other != keys).all()
    assert torch.equal(thin.keys(module, 6, causal=True), keys)  # a recomputed layer


# The step's gradient


class Viewer(nn.Module):
    """r = h · (tanh(φ W) under two masks): a tree is a table of features with the slots of its rows."""

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.w = nn.Parameter(torch.randn(3, 5, generator=draw))
        self.h = nn.Parameter(torch.randn(5, generator=draw))
        self.masks = (torch.rand(2, 8, 5, generator=draw) > 0.2) / 0.8

    def forward(self, tree, draw=None):
        vectors = torch.tanh(tree.table @ self.w) * self.masks[:, tree.slot]
        return vectors @ self.h, vectors


TABLE = torch.randn(8, 3, generator=torch.Generator().manual_seed(4))
WEIGHT, TARGET, MARGIN = (
    torch.tensor([1.0, 2, 0, 0.5]),
    torch.tensor([1.0, 0.8, 1, 0.3]),
    torch.tensor([0, 0.5, 0, -1.0]),
)


def cut(swapped=False):
    """Four comparisons of two responses each, one of weight 0, in two micro-batches."""
    out = []
    for k in range(2):
        mine, slot = slice(2 * k, 2 * k + 2), torch.arange(4) + 4 * k
        tree = SimpleNamespace(
            table=TABLE[slot], slot=slot, tokens=(), padding=0, reads=(), node=(), depths=(), spans=()
        )
        better = torch.tensor([0, 2]) + swapped
        out.append(SimpleNamespace(
            tree=tree, group=torch.tensor([0, 0, 1, 1]), ranks=torch.tensor([0, 1, 0, 1]),
            ratings=torch.full((4, 1), torch.nan), better=better, worse=better + 1 - 2 * swapped,
            target=TARGET[mine], margin=MARGIN[mine], weight=WEIGHT[mine], rows=(2 * k, 2 * k + 1),
            side={"slot": slot, "place": torch.arange(2) + 2 * k, "own_weight": WEIGHT[mine].repeat_interleave(2)},
        ))  # fmt: skip
    return out


def through(contrast, micro):
    """The model and the facts of the step after its gradient was taken."""
    model, objective = Viewer(), Objective()
    around = Around(accelerator_for(TrainOptions(device="cpu")), 0.0, contrast=contrast)
    facts, trouble = gradient(model, micro, objective, objective.weights_of(micro), around=around)
    assert trouble is None
    return model, facts


@pytest.mark.parametrize(("method", "on"), SETS)
def test_the_gradient_is_that_of_both_views_and_beta_times_the_regulariser(method, on):
    """L_rm over both views plus beta · L_cl over the set, written down here and differentiated as a whole."""
    options = TrainOptions(contrastive=method, contrastive_on=on, contrastive_prototypes=3, contrastive_beta=0.7)
    contrast = contrast_for(options, 5, "hidden")
    model, facts = through(contrast, cut())
    plain = Viewer()
    tree = SimpleNamespace(table=TABLE, slot=torch.arange(8))
    scores, vectors = plain(tree)
    better, worse = scores[:, ::2], scores[:, 1::2]
    away = better - worse - MARGIN
    bt = TARGET * softplus(-away) + (1 - TARGET) * softplus(away)
    ranking = (bt @ WEIGHT / WEIGHT.sum()).mean()
    live = WEIGHT > 0
    apart = (vectors[:, ::2] - vectors[:, 1::2])[:, live]
    if on == "pairs":
        seen, weight = vectors[:, live.repeat_interleave(2)], WEIGHT[live].repeat_interleave(2)
    else:
        seen, weight = torch.cat([apart, -apart], 1), WEIGHT[live].repeat(2)
    learned = {k: v.detach().clone().requires_grad_() for k, v in contrast.parameters.items()}
    away_from_others = contrast.part.loss(*seen, **learned) @ weight / weight.sum()
    (ranking + 0.7 * away_from_others).backward()
    assert facts["plaudit/contrastive_loss"] == pytest.approx(away_from_others.item(), rel=1e-5)
    assert facts["loss_sum"] == pytest.approx((ranking + 0.7 * away_from_others).item(), rel=1e-5)
    for own, other in [
        (model.w, plain.w),
        (model.h, plain.h),
        *((contrast.parameters[k], v) for k, v in learned.items()),
    ]:
        assert_close(own.grad, other.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("method", "on"), SETS)
def test_which_side_is_the_better_one_is_nothing_to_the_regulariser(method, on):
    options = TrainOptions(contrastive=method, contrastive_on=on, contrastive_prototypes=3)
    one, other = (through(contrast_for(options, 5, "hidden"), cut(swapped=s))[1] for s in (False, True))
    assert one["plaudit/contrastive_loss"] == pytest.approx(other["plaudit/contrastive_loss"], rel=1e-5)


@pytest.mark.parametrize(("method", "on", "beta", "count"), [
    ("simcse", "pairs", 1.0, None), ("simcse", "difference", 1.0, None), ("swav", "pairs", 0.1, 50),
    ("swav", "difference", 0.5, 20),
])  # fmt: skip
def test_what_the_paper_publishes_is_the_default(method, on, beta, count):
    """Secrets of RLHF, part II, section 4; where it is silent, SimCSE's and SwAV's own."""
    options = TrainOptions(contrastive=method, contrastive_on=on)
    contrast = contrast_for(options, 16, "attention")
    assert (contrast.beta, contrast.rate, contrast.options) == (beta, 0.05, {})
    assert [len(p) for p in contrast.parameters.values()] == ([count] if count else [])
    takes = {k: p.default for k, p in signature(contrast.part.loss).parameters.items()}
    assert takes["temperature"] == (0.05 if method == "simcse" else 0.1)
    assert method == "simcse" or (takes["epsilon"], takes["iterations"]) == (0.05, 3)


# Through the front door


@pytest.mark.parametrize(
    "method", [SETS[2], *(pytest.param(s, marks=pytest.mark.slow) for s in SETS if s != SETS[2])], ids=str
)
def test_the_cut_into_micro_batches_changes_no_number(tmp_path, method):
    files = [write(tmp_path / "a.jsonl", noise(20)), write(tmp_path / "l.jsonl", lists(4))]
    for name, how in {"a": {}, "b": {"batch_tokens": 64}}.items():
        go(files, tmp_path / name, contrastive=method[0], contrastive_on=method[1], batch_size=12, max_steps=2,
           contrastive_dropout=0.2, **how)  # fmt: skip
    one, other = metrics(tmp_path / "a"), metrics(tmp_path / "b")
    for key in ("loss", "plaudit/contrastive_loss", "grad_norm"):
        a, b = ([row[key] for row in rows if "loss" in row] for rows in (one, other))
        assert b == pytest.approx(a, rel=2e-4), key


def test_a_model_that_reads_no_token_trees_takes_its_noise_on_what_the_head_reads(tmp_path, monkeypatch):
    file = write(tmp_path / "a.jsonl", noise(20))
    monkeypatch.setattr(loop, "probe", lambda model: Verdict("padded", 0.0, "made so by the test"))
    for kind in ("attention", "hidden"):
        go(file, tmp_path / kind, contrastive="simcse", contrastive_noise=kind, contrastive_dropout=0.2, max_steps=2)
    assert losses(tmp_path / "attention") == losses(tmp_path / "hidden")
    monkeypatch.undo()
    go(file, tmp_path / "tree", contrastive="simcse", contrastive_dropout=0.2, max_steps=2)
    assert losses(tmp_path / "tree") != losses(tmp_path / "attention")


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"tuning": "lora"}, {"tuning": "frozen"}, {"gradient_checkpointing": True},
                                 {"contrastive_noise": "hidden"}, {"dtype": "bfloat16"}], ids=str)  # fmt: skip
def test_every_way_of_training_takes_it(tmp_path, how):
    file = write(tmp_path / "a.jsonl", noise(20))
    for name, more in {"a": {}, "b": {"batch_tokens": 64}}.items():
        go(file, tmp_path / name, contrastive="swav", batch_size=8, max_steps=4, **how, **more)
    tolerance = 2e-2 if "dtype" in how else 2e-4
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), rel=tolerance)


@pytest.mark.slow
def test_gradient_checkpointing_changes_nothing(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(20))
    for name, more in {"a": {}, "b": {"gradient_checkpointing": True}}.items():
        go(file, tmp_path / name, contrastive="simcse", batch_size=8, batch_tokens=64, max_steps=4, **more)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), rel=1e-6)


def test_the_loss_is_that_of_both_views_and_the_regulariser(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(16))
    how = {"max_steps": 2, "contrastive": "simcse", "contrastive_dropout": 0.0}
    run = go(file, tmp_path / "none", **how, contrastive_beta=0.0)
    go(file, tmp_path / "plain", max_steps=2)
    assert losses(tmp_path / "none") == pytest.approx(losses(tmp_path / "plain"), rel=1e-5)
    go(file, tmp_path / "half", **how, contrastive_beta=0.5)
    first = metrics(tmp_path / "half")[0]
    assert first["loss"] == pytest.approx(losses(tmp_path / "plain")[0] + 0.5 * first["plaudit/contrastive_loss"])
    assert run["views"] == {"noise": "attention", "beta": 0.0}


def test_prototypes_learn_are_saved_and_leave_the_model_alone(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(16))
    run = go(file, tmp_path / "D", contrastive="swav", save_steps=1, save_total_limit=9, held_out=0)
    start, end = (load_file(tmp_path / "D" / f"checkpoint-{k}" / "trained.safetensors")["prototypes"] for k in (1, 3))
    assert end.shape[0] == 50
    assert not torch.equal(start, end)
    assert run["loss_parameters"] == {}
    assert set(load_file(tmp_path / "D" / "final" / "model.safetensors")) == set(
        load_file(tmp_path / "D" / "checkpoint-3" / "model.safetensors")
    )
    assert not any("prototype" in k for k in load_file(tmp_path / "D" / "final" / "model.safetensors"))


def test_rows_of_no_weight_are_no_negatives(tmp_path):
    """A step of one weighed row and many without is the step of that row alone."""
    rows = pairs(6, weight=lambda i: float(i == 2))
    how = {"contrastive": "simcse", "max_steps": 1, "batch_size": 6, "held_out": 0}
    go(write(tmp_path / "a.jsonl", rows), tmp_path / "many", **how)
    go(write(tmp_path / "b.jsonl", rows[2:3]), tmp_path / "one", **how, contrastive_noise="attention")
    a, b = metrics(tmp_path / "many")[0], metrics(tmp_path / "one")[0]
    assert a["plaudit/contrastive_loss"] == pytest.approx(b["plaudit/contrastive_loss"], rel=1e-4)
    assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)


def test_rows_without_comparisons_have_nothing_to_contrast(tmp_path):
    for method in ("simcse", "swav"):
        go(write(tmp_path / "a.jsonl", rated(8)), tmp_path / method, contrastive=method, contrastive_dropout=0.0)
        go(str(tmp_path / "a.jsonl"), tmp_path / f"{method}-plain")
        assert losses(tmp_path / method) == pytest.approx(losses(tmp_path / f"{method}-plain"), rel=1e-5)


@pytest.mark.parametrize("how", [{}, {"meta": "GROUPS", "meta_eta": 0.1}, {"margin": "batch_mean"}], ids=str)
def test_a_bad_number_is_named_whatever_is_asked(tmp_path, how):
    how = {k: write(tmp_path / "m.jsonl", lists(4)) if v == "GROUPS" else v for k, v in how.items()}
    file = write(tmp_path / "a.jsonl", pairs(12))
    with pytest.raises(Diverged, match=r"step \d+: (a (score|loss) is|the (meta )?gradient's norm is)"):
        go(file, tmp_path / "D", contrastive="swav", learning_rate=1e30, max_steps=20, max_grad_norm=0,
           lr_scheduler_type="constant", batch_tokens=64, **how)  # fmt: skip


def test_prototypes_of_another_number_are_refused(tmp_path):
    file = write(tmp_path / "a.jsonl", pairs(8))
    go(file, tmp_path / "D", contrastive="swav", max_steps=2)
    with pytest.raises(PlauditError, match="prototypes"):
        go(file, tmp_path / "D", contrastive="swav", contrastive_prototypes=9, resume_run=True, allow_changes=True,
           max_steps=3)  # fmt: skip


def test_options_without_their_part_are_refused(tmp_path):
    file = write(tmp_path / "a.jsonl", pairs(6))
    with pytest.raises(OptionError) as caught:
        go(file, tmp_path / "D", contrastive_beta=0.3, margin_cap=1.0, meta_order="exact")
    assert len(caught.value.mistakes) == 3
    assert TrainOptions().contrastive == "none"
