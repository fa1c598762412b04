"""MetaRM: the paper's toy step, the exact order against finite differences, and nothing at all at eta 0."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from families import tiny_family
from plaudit.errors import PlauditError
from plaudit.models.forward import Reader
from plaudit.models.trees.plan import plan
from plaudit.models.trees.probe import Verdict
from plaudit.training import loop
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.start import accelerator_for
from plaudit.training.steps import meta, plain
from plaudit.training.steps._gradient import Around, Ascent
from small_runs import bits, go, losses, metrics, noise, pairs, write

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not


class Linear(nn.Module):
    """r = φ · θ: a tree is a table of features."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))

    def forward(self, tree):
        return tree.table @ self.theta


@dataclass
class Table:
    """Features, with what a step counts of a tree."""

    table: torch.Tensor
    tokens: tuple = ()
    padding: int = 0
    position: np.ndarray = field(default_factory=lambda: np.zeros(9, int))
    reads: np.ndarray = field(default_factory=lambda: np.zeros(0, int))


@dataclass(frozen=True)
class Groups:
    """Meta groups that are the same in every step: micro-batches of (features, group)."""

    micro: tuple

    def batch(self, step):
        return [(Table(x), g) for x, g in self.micro]


def batch_of(chosen, rejected):
    n = len(chosen)
    table = torch.stack([torch.as_tensor(v, dtype=torch.float64) for v in [*chosen, *rejected]])
    whole = torch.arange(2 * n)
    return SimpleNamespace(
        tree=Table(table), group=whole % n, ranks=whole // n, ratings=torch.full((2 * n, 1), torch.nan),
        better=torch.arange(n), worse=torch.arange(n) + n, target=torch.ones(n), margin=torch.zeros(n),
        weight=torch.ones(n), rows=tuple(range(n)), side={"slot": whole, "place": torch.arange(n)},
    )  # fmt: skip


def stepped(theta, micro, groups, *, eta, order="first", rate=0.1):
    """(θ after one step of gradient descent, the facts of the step)."""
    model = Linear(theta)
    accelerator = accelerator_for(TrainOptions(device="cpu"))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    around = Around(accelerator, 0.0, ascent=Ascent(groups, eta, order))
    facts = meta.step(model, micro, Objective(), optimizer, around=around)
    return model.theta.detach(), facts


TOY = Groups(((torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.long)),))


def test_the_toy_of_the_specification():
    theta, facts = stepped([0.6, 0.1], [batch_of([[1.0, -0.5]], [[0.0, 0.0]])], TOY, eta=0.5)
    assert facts["plaudit/meta_difference"] == pytest.approx(0.311230, abs=1e-6)
    assert facts["plaudit/meta_grad_norm"] == pytest.approx(0.117502 * 2**0.5, abs=1e-6)
    assert theta.tolist() == pytest.approx([0.634567, 0.082716], abs=1e-6)
    plain_theta, _ = stepped([0.6, 0.1], [batch_of([[1.0, -0.5]], [[0.0, 0.0]])], TOY, eta=0.0)
    assert plain_theta.tolist() == pytest.approx([0.636586, 0.081707], abs=1e-6)


@pytest.mark.parametrize(("k", "expected"), [(2, 0.25), (4, 0.375)])
def test_equal_rewards_are_dead(k, expected):
    scores = torch.zeros(k, dtype=torch.float64, requires_grad=True)
    told = meta.difference(scores, torch.zeros(k, dtype=torch.long))
    told.sum().backward()
    assert told.tolist() == [expected]
    assert not scores.grad.any()
    groups = Groups(((torch.ones(k, 2, dtype=torch.float64), torch.zeros(k, dtype=torch.long)), *TOY.micro))
    _, facts = stepped([0.6, 0.1], [batch_of([[1.0, -0.5]], [[0.0, 0.0]])], groups, eta=0.5)
    assert (facts["plaudit/meta_dead"], facts["plaudit/meta_groups"]) == (1, 2)


def test_a_prompt_is_dead_when_all_its_responses_tie():
    scores, group = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0, 2.0]), torch.tensor([0, 0, 1, 1, 2, 2])
    assert meta._dead(scores, group) == 2
    assert meta._dead(torch.tensor([1.0, 1.0, 1.0, 2.0]), torch.zeros(4, dtype=torch.long)) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=1, max_size=9), st.floats(-9, 9))
def test_j_is_a_mean_over_pairs_that_sees_no_shift(rows, shift):
    names = sorted({g for g, _ in rows})
    group = torch.tensor([names.index(g) for g, _ in rows])
    scores = torch.tensor([s for _, s in rows], dtype=torch.float64)
    told = meta.difference(scores, group)
    for g in range(len(names)):
        own = scores[group == g]
        by_hand = sum(
            torch.sigmoid((own[i] - own[j]).abs()).item() for i in range(len(own)) for j in range(i + 1, len(own))
        )
        assert told[g].item() == pytest.approx(2 / len(own) ** 2 * by_hand)
    assert meta.difference(scores + shift, group).tolist() == pytest.approx(told.tolist(), abs=1e-9)


def test_the_exact_order_is_the_derivative_of_the_looked_ahead_loss():
    """θ -> L(θ + eta ∇J(θ)) by central differences, three parameters in float64."""
    draw = torch.Generator().manual_seed(3)
    normal = lambda *shape: torch.randn(*shape, generator=draw, dtype=torch.float64)  # noqa: E731
    micro = [batch_of(normal(4, 3), normal(4, 3)), batch_of(normal(2, 3), normal(2, 3))]
    groups = Groups(tuple((normal(5, 3), torch.tensor([0, 0, 0, 1, 1])) for _ in range(2)))
    start, eta, rate = [0.4, -0.3, 0.2], 0.7, 1.0

    def ahead(theta):
        theta = theta.clone().requires_grad_()
        j = sum(meta.difference(x @ theta, g).sum() for x, g in groups.micro) / 4
        (rise,) = torch.autograd.grad(j, theta)
        moved = (theta + eta * rise).detach()
        gaps = torch.cat([b.tree.table[b.better] @ moved - b.tree.table[b.worse] @ moved for b in micro])
        return float(torch.nn.functional.softplus(-gaps).mean())

    at, h = torch.tensor(start, dtype=torch.float64), 1e-5
    numeric = [(ahead(at + h * e) - ahead(at - h * e)) / (2 * h) for e in torch.eye(3, dtype=torch.float64)]
    exact, _ = stepped(start, micro, groups, eta=eta, order="exact", rate=rate)
    assert ((at - exact) / rate).tolist() == pytest.approx(numeric, rel=1e-6)
    first, _ = stepped(start, micro, groups, eta=eta, rate=rate)
    assert ((at - first) / rate).tolist() != pytest.approx(numeric, rel=1e-3)


@pytest.mark.parametrize("budget", [4096, 40])
def test_the_second_derivative_holds_through_attention_on_token_trees(budget):
    """H · v by differentiating the gradient is the difference of the gradients on either side, v of length one.

    Weights are float64, but heads compute in float32: the difference cannot be nearer than 1e-7 over the step.
    """
    model, _ = tiny_family("llama")
    reader = Reader(model.double())
    draw = np.random.default_rng(1)
    ids = lambda n: draw.integers(5, 90, n).astype(np.int32)  # noqa: E731
    records = [
        SimpleNamespace(
            prompt=ids(7), responses=(ids(9), ids(12), ids(5)), cuts=(7,), read=(15, 18, 11), begin=()
        )
        for _ in range(3)
    ]  # fmt: skip
    micro = []
    for tree in plan(records, budget=budget):
        names = sorted(set(tree.owner.tolist()))
        micro.append((tree, torch.tensor([names.index(o) for o in tree.owner.tolist()])))
    around = Around(accelerator_for(TrainOptions(device="cpu")), 0.0)
    moving = list(reader.parameters())
    along = [torch.from_numpy(draw.normal(size=p.shape)) for p in moving]
    length = sum(v.square().sum() for v in along).sqrt()
    along = [v / length for v in along]
    found = meta.hessian_product(reader, micro, moving, along, around)
    h, sides = 1e-2, []
    for sign in (1, -1):
        with torch.no_grad():
            for p, v in zip(moving, along):
                p.add_(v, alpha=sign * h)
        sides.append(meta.climb(reader, micro, moving, around)[0])
        with torch.no_grad():
            for p, v in zip(moving, along):
                p.add_(v, alpha=-sign * h)
    flat = lambda parts: torch.cat([p.flatten() for p in parts])  # noqa: E731
    numeric = (flat(sides[0]) - flat(sides[1])) / (2 * h)
    assert ((flat(found) - numeric).norm() / numeric.norm()).item() < 3e-4


def test_a_bad_number_leaves_the_weights(tmp_path):
    model = Linear([0.6, 0.1])
    groups = Groups(
        ((torch.tensor([[torch.inf, 0], [0, 1.0]], dtype=torch.float64), torch.zeros(2, dtype=torch.long)),)
    )
    around = Around(accelerator_for(TrainOptions(device="cpu")), 0.0, ascent=Ascent(groups, 0.5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(plain.Diverged):
        meta.step(model, [batch_of([[1.0, -0.5]], [[0.0, 0.0]])], Objective(), optimizer, around=around)
    assert model.theta.tolist() == [0.6, 0.1]
    assert model.theta.grad is None


# Through the front door


def shifted(n):
    """Unlabelled groups of two to four responses, in canonical form."""
    say = lambda role, text: [{"role": role, "content": text}]  # noqa: E731
    return [
        {"prompt": say("user", f"And how is {i}?"), "ranks": None,
         "responses": [say("assistant", f"Well, {i} {k}.") for k in range(2 + i % 3)]} for i in range(n)
    ]  # fmt: skip


HOW = {"max_steps": 4, "save_steps": 2, "held_out": 0.2}


@pytest.mark.parametrize("order", ["first", "exact"])
@pytest.mark.parametrize("tuning", ["full", pytest.param("lora", marks=pytest.mark.slow)])
def test_eta_zero_is_plain_training_bit_for_bit(tmp_path, order, tuning):
    file, groups = write(tmp_path / "a.jsonl", noise(16)), write(tmp_path / "m.jsonl", shifted(6))
    how = HOW | {"tuning": tuning, "lora_dropout": 0.2 if tuning == "lora" else 0.0}
    go(file, tmp_path / "plain", **how)
    go(file, tmp_path / "meta", meta=groups, meta_eta=0.0, meta_order=order, **how)
    one, other = bits(tmp_path / "plain"), bits(tmp_path / "meta")
    for name in one:
        if name not in ("state", "metrics"):
            assert one[name] == other[name], name
    assert losses(tmp_path / "plain") == losses(tmp_path / "meta")
    assert all(0 < row["plaudit/meta_difference"] < 1 for row in metrics(tmp_path / "meta") if "loss" in row)


def test_both_orders_move_the_weights_and_differ(tmp_path):
    file, groups = write(tmp_path / "a.jsonl", noise(16)), write(tmp_path / "m.jsonl", shifted(6))
    found = {}
    for name, how in {"plain": {}, "first": {}, "exact": {"meta_order": "exact"}}.items():
        more = {} if name == "plain" else {"meta": groups, "meta_eta": 0.5, "meta_batch_size": 3}
        run = go(file, tmp_path / name, **HOW, **more, **how)
        found[name] = bits(tmp_path / name)["final"]
    assert len(set(found.values())) == 3
    assert run["meta"] == {"groups": 6, "dropped": 0, "held_out_groups": 0}
    assert set(run["digests"]) >= {"meta"}
    known = [set(json.loads((tmp_path / name / "final/plaudit.json").read_text())["groups"]["train"]) for name in found]
    assert len(known[1]) == len(known[0]) + 6  # evaluation marks meta prompts too


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"batch_tokens": 64}, {"gradient_checkpointing": True}], ids=str)
@pytest.mark.parametrize("order", ["first", "exact"])
def test_memory_and_speed_options_change_no_number(tmp_path, how, order):
    file, groups = write(tmp_path / "a.jsonl", noise(16)), write(tmp_path / "m.jsonl", shifted(9))
    for name, more in {"a": {}, "b": how}.items():
        go(file, tmp_path / name, meta=groups, meta_eta=0.5, meta_order=order, batch_size=8, **HOW, **more)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), rel=1e-5)


def samples(n):
    """The groups of `shifted` as samples of a policy are usually kept."""
    content = lambda turns: turns[0]["content"]  # noqa: E731
    return [
        {"prompt": content(row["prompt"]), "responses": [content(turns) for turns in row["responses"]]}
        for row in shifted(n)
    ]


def test_samples_of_a_policy_are_meta_groups_under_any_layout(tmp_path):
    file, found = write(tmp_path / "a.jsonl", pairs(12)), {}
    rated = [row | {"scores": list(range(len(row["responses"])))} for row in samples(6)]
    for name, rows, layout in [
        ("canonical", shifted(6), ""), ("samples", samples(6), ""), ("rated", rated, "responses"),
    ]:  # fmt: skip
        groups = write(tmp_path / f"{name}.jsonl", rows)
        run = go(file, tmp_path / name, meta=groups, meta_layout=layout, meta_eta=0.5, **HOW)
        assert run["meta"] == {"groups": 6, "dropped": 0, "held_out_groups": 0}
        found[name] = bits(tmp_path / name)["final"]
    assert len(set(found.values())) == 1
    with pytest.raises(PlauditError, match="no layout recognises these rows"):
        go(file, tmp_path / "D", meta=groups)
    with pytest.raises(PlauditError, match=r"unknown layout 'respones' \(did you mean 'responses'\?\)"):
        go(file, tmp_path / "D", meta=groups, meta_layout="respones")


def test_what_cannot_be_done_is_said(tmp_path, monkeypatch):
    file = write(tmp_path / "a.jsonl", pairs(8))
    lone = write(tmp_path / "m.jsonl", [row | {"responses": row["responses"][:1]} for row in shifted(3)])
    with pytest.raises(PlauditError, match="no prompt with two responses"):
        go(file, tmp_path / "D", meta=lone)
    with pytest.raises(PlauditError, match="--meta-eta does nothing without --meta"):
        go(file, tmp_path / "D", meta_eta=0.5)
    with pytest.raises(PlauditError, match="--meta-layout does nothing without --meta"):
        go(file, tmp_path / "D", meta_layout="responses")
    monkeypatch.setattr(loop, "probe", lambda model: Verdict("padded", 0.0, "made so by the test"))
    with pytest.raises(PlauditError, match="a model that cannot read token trees has no second derivative here"):
        go(file, tmp_path / "D", meta=write(tmp_path / "g.jsonl", shifted(3)), meta_order="exact")
    assert not (tmp_path / "D").exists()
