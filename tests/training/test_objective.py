"""The objective gives one number however the batch is cut, and reads exactly what it says it reads."""

import math
from dataclasses import dataclass, field, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import softplus
from torch.testing import assert_close

from plaudit.errors import OptionError
from plaudit.losses import davidson, plackett_luce
from plaudit.training.objective import Objective, Weights
from tiers import examples

NAN = math.nan


@dataclass(frozen=True)
class Columns:
    group: torch.Tensor
    ranks: torch.Tensor
    ratings: torch.Tensor
    better: torch.Tensor
    worse: torch.Tensor
    target: torch.Tensor
    margin: torch.Tensor
    weight: torch.Tensor
    side: dict = field(default_factory=dict)


def batch(*preferences):
    """Each preference: (ranks, ratings or None, weight[, target, margin]); weights are split over its comparisons."""
    group, ranks, ratings, own, rows = [], [], [], [], []
    for g, (places, rated, weight, *remedy) in enumerate(preferences):
        first, n = len(group), len(places)
        group += [g] * n
        ranks += places
        ratings += [[v] for v in (rated or [NAN] * n)]
        own += [weight] * n
        found = [(i, j) for i in range(n) for j in range(n) if places[i] < places[j]]
        if n == 2 and places[0] == places[1] >= 0:
            found = [(0, 1)]
        target, margin = remedy or (0.5 if n == 2 and places[0] == places[1] else 1.0, 0.0)
        rows += [(first + i, first + j, target, margin, weight / len(found)) for i, j in found]
    better, worse, target, margin, weight = (list(v) for v in zip(*rows)) if rows else ([], [], [], [], [])
    long = lambda v: torch.tensor(v, dtype=torch.long)  # noqa: E731
    real = lambda v: torch.tensor(v, dtype=torch.float64)  # noqa: E731
    return Columns(
        long(group), long(ranks), real(ratings).reshape(len(group), 1), long(better), long(worse), real(target),
        real(margin), real(weight), {"own_weight": real(own)},
    )  # fmt: skip


PAIR = ([0, 1], None, 1.0)
MIXED = [
    PAIR, ([1, 0], None, 2.0, 0.8, 0.3), ([0, 0], None, 1.0), ([0, 1, 2], None, 1.5), ([0, 1, 1, 2], None, 1.0),
    ([-1], [3.0], 1.0), ([-1, -1], [0.5, NAN], 2.0), ([0, 1], [1.0, 4.0], 0.5), ([0, 1], None, 0.0),
    ([0, 0, 0], None, 1.0), ([-1, -1, -1], None, 1.0),
]  # fmt: skip
SIZES = [len(p[0]) for p in MIXED]
GIVEN = [
    {}, {"pair": "rao_kupper", "lists": "plackett_luce"}, {"pair": "davidson", "center": 0.01},
    {"lists": "plackett_luce", "pointwise_coefficient": 0.3, "options": {"top_k": 2}}, {"center": 0.1},
]  # fmt: skip


def run(objective, scores, micro):
    """Loss, gradient of the scores and summed facts of a step given as micro-batches (preferences, their scores)."""
    scores = scores.clone().requires_grad_()
    objective.parameters.zero_grad()
    columns = [batch(*[MIXED[i] for i in part]) for part in micro]
    whole, facts, total = objective.weights_of(columns), {}, 0.0
    starts = [sum(SIZES[:i]) for i in range(len(SIZES))]
    for part, c in zip(micro, columns):
        where = torch.tensor([starts[i] + k for i in part for k in range(SIZES[i])], dtype=torch.long)
        loss, found = objective(scores[where], c, whole)
        loss.backward()
        total += loss.item()
        for name, value in found.items():
            fold = {"reward_min": min, "reward_max": max}.get(name, lambda a, b: a + b)
            facts[name] = fold(facts[name], value) if name in facts else value
    return total, scores.grad, facts, [p.grad.clone() for p in objective.parameters.values()]


@pytest.mark.parametrize("given_options", GIVEN, ids=str)
@examples(20)
@given(data=st.data())
def test_the_cut_into_micro_batches_changes_nothing(given_options, data):
    objective = Objective(**given_options)
    objective.parameters.double()
    order = data.draw(st.permutations(range(len(MIXED))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(MIXED) - 1), max_size=6)))
    micro = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(MIXED)])]
    scores = torch.randn(sum(SIZES), dtype=torch.float64, generator=torch.Generator().manual_seed(len(cuts))) * 3
    loss, gradient, facts, learned = run(objective, scores, [list(range(len(MIXED)))])
    other, same, sums, again = run(objective, scores, micro)
    assert other == pytest.approx(loss, abs=1e-12)
    assert_close(same, gradient, rtol=0, atol=1e-12)
    assert_close(again, learned, rtol=0, atol=1e-12)
    assert sums == pytest.approx(facts, abs=1e-10)


def score(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def value(objective, scores, columns):
    return objective(scores, columns, objective.weights(columns))


def test_the_formula_on_a_pair_a_tie_and_a_rating():
    columns = batch(([0, 1], None, 3.0, 0.9, 0.5), ([0, 0], None, 1.0), ([-1], [2.0], 1.0))
    scores = score(1.0, 0.0, 0.4, 0.0, 5.0)
    loss, facts = value(Objective(pointwise_coefficient=0.1, center=0.01), scores, columns)
    soft = 0.9 * math.log(1 + math.exp(-0.5)) + 0.1 * math.log(1 + math.exp(0.5))
    tie = (math.log(1 + math.exp(-0.4)) + math.log(1 + math.exp(0.4))) / 2
    pairs = 3 * soft + tie + 0.01 * (3 * 1.0 + 0.16)
    even = 0.9 * math.log(1 + math.exp(0.5)) + 0.1 * math.log(1 + math.exp(-0.5))
    assert loss.item() == pytest.approx(pairs / 4 + 0.1 * 9)
    assert facts == pytest.approx(
        {
            "loss_sum": loss.item(), "blank_sum": (3 * even + math.log(2)) / 4 + 0.1 * 4,
            "pair_sum": pairs, "weight": 4, "point_sum": 9, "point_weight": 1,
            "plain_sum": 3 * 0.31326169 + tie, "plain_weight": 4, "accurate": 1, "compared": 1, "ties": 0,
            "margin_sum": 1, "reward_sum": 6.4, "reward_min": 0, "reward_max": 5, "n": 5,
        }
    )  # fmt: skip


@given(st.floats(-9, 9), st.floats(0, 1), st.floats(-3, 3))
def test_a_swapped_row_is_the_same_row(gap, target, margin):
    flipped = round(1 - target, 12)
    one = batch(([0, 1], None, 1.0, round(1 - flipped, 12), margin))
    other = batch(([1, 0], None, 1.0, flipped, -margin))
    other = replace(other, better=torch.tensor([0]), worse=torch.tensor([1]))
    first, facts = value(Objective(), score(gap, 0.0), one)
    second, same = value(Objective(), score(0.0, gap), other)
    assert second.item() == pytest.approx(first.item(), abs=1e-9)
    assert same == pytest.approx(facts, abs=1e-9)


@pytest.mark.parametrize("given_options", GIVEN, ids=str)
def test_weight_zero_removes_a_row_whatever_is_in_it(given_options):
    objective = Objective(**given_options)
    kept = batch(PAIR, ([0, 1, 2], None, 1.0))
    more = batch(PAIR, ([0, 1, 2], None, 1.0), ([0, 1], [1.0, 2.0], 0.0, 0.3, 7.0), ([0, 1, 2], None, 0.0))
    scores = score(0.3, 1.0, 2.0, 1.0, 0.0)
    longer = torch.cat([scores.detach(), torch.tensor([NAN, math.inf, 1e30, -NAN, 3.0])]).requires_grad_()
    loss, facts = value(objective, scores, kept)
    other, same = value(objective, longer, more)
    assert other.item() == loss.item()
    assert same == facts
    loss.backward()
    other.backward()
    assert torch.equal(longer.grad[:5], scores.grad)
    assert not longer.grad[5:].any()


def test_no_weight_is_no_loss_and_still_part_of_the_graph():
    columns, scores = batch(([0, 1], None, 0.0)), score(1.0, 2.0)
    assert Objective().weights(columns).empty
    loss, facts = value(Objective(pair="davidson"), scores, columns)
    loss.backward()
    assert (loss.item(), facts["n"], facts["reward_min"], facts["reward_max"]) == (0, 0, math.inf, -math.inf)
    assert scores.grad.tolist() == [0, 0]
    empty = batch()
    loss, facts = value(Objective(), score(), empty)
    assert (loss.item(), facts["compared"]) == (0, 0)


def test_weights_are_repetitions():
    scores = score(0.2, 1.0, -0.4, 0.1)
    loss, _ = value(Objective(), scores, batch(([0, 1], None, 3.0), PAIR))
    again = score(*scores.tolist()[:2] * 3, *scores.tolist()[2:])
    assert value(Objective(), again, batch(PAIR, PAIR, PAIR, PAIR))[0].item() == pytest.approx(loss.item())


def test_a_list_counts_once_by_pairs_and_by_ranking():
    columns, scores = batch(PAIR, ([0, 1, 2], None, 1.0)), score(1.0, 0.0, 2.0, 1.0, 0.0)
    bt = softplus(torch.tensor([-1.0, -2.0], dtype=torch.float64))
    assert value(Objective(), scores, columns)[0].item() == pytest.approx(
        ((bt[0] + (2 * bt[0] + bt[1]) / 3) / 2).item()
    )
    ranking = plackett_luce.loss(score(2.0, 1.0, 0.0), torch.zeros(3), torch.arange(3))
    loss, facts = value(Objective(lists="plackett_luce"), scores, columns)
    assert loss.item() == pytest.approx(((bt[0] + ranking[0]) / 2).item())
    assert (facts["weight"], facts["compared"], facts["accurate"]) == (2, 4, 4)


def test_ties_of_scores_are_half_and_labelled_ties_no_comparison():
    columns, scores = batch(PAIR, PAIR, PAIR, ([0, 0], None, 1.0)), score(1.0, 1.0, 2.0, 1.0, 0.0, 1.0, 5.0, 0.0)
    _, facts = value(Objective(), scores, columns)
    assert (facts["compared"], facts["accurate"], facts["ties"], facts["margin_sum"]) == (3, 1.5, 1, 0)


def test_a_labelled_tie_is_the_tie_event_and_its_parameter_learns():
    columns = batch(PAIR, ([0, 0], None, 1.0), ([0, 1], None, 1.0, 0.5, 0.0))
    scores = score(1.0, 0.0, 0.3, 0.0, 0.3, 0.0)
    objective = Objective(pair="davidson", options={"prior": 0.0})
    loss, _ = value(objective, scores, columns)
    zero, one = torch.zeros(3).double(), torch.tensor([1.0, 0.5, 0.5]).double()
    flags = torch.tensor([False, True, False])
    assert loss.item() == pytest.approx(davidson.loss(scores[::2].detach(), zero, one, zero, flags).mean().item())
    loss.backward()
    assert objective.parameters["b"].grad.item() != 0
    fixed = Objective(pair="davidson", options={"b": -0.5})
    assert not len(fixed.parameters)
    assert value(fixed, scores, columns)[0].item() == pytest.approx(
        davidson.loss(scores[::2].detach(), zero, one, zero, flags, b=-0.5).mean().item()
    )


def test_the_prior_counts_once_a_step():
    objective = Objective(pair="rao_kupper", options={"prior": 2.0})
    objective.parameters["a"].data += 3
    columns, scores = batch(PAIR, PAIR), score(0.0, 0.0, 0.0, 0.0)
    halves = objective.weights_of([columns, columns])
    once = value(objective, scores, columns)[0].item()
    assert 2 * objective(scores, columns, halves)[0].item() == pytest.approx(once)
    assert once == pytest.approx(9 + math.log(2 + math.exp(3.0)), abs=1e-5)


@pytest.mark.parametrize(
    ("given_options", "message"),
    [
        ({"pair": "bradley-terri"}, "did you mean 'bradley_terry'"),
        ({"pair": "mse"}, "mse is a point loss and cannot be used as the pair loss"),
        ({"lists": "davidson"}, "davidson is a pair loss and cannot be used as the list loss"),
        ({"pair": "centering"}, "centering reads no label"),
        ({"options": {"topk": 3}, "lists": "plackett_luce"}, r"'topk' \(did you mean 'top_k'\?\)"),
        ({"options": {"a": 0.0}}, "no chosen loss has an option 'a'"),
    ],
)
def test_wrong_choices_are_named(given_options, message):
    with pytest.raises(OptionError, match=message):
        Objective(**given_options)


def test_every_mistake_at_once():
    with pytest.raises(OptionError) as caught:
        Objective(pair="mse", points="bradley_terry", options={"x": 1})
    assert len(caught.value.mistakes) == 3


@pytest.mark.parametrize(("target", "margin", "column"), [(0.8, 0.0, "target"), (1.0, 0.5, "margin")])
def test_a_list_loss_refuses_columns_it_would_leave_unread(target, margin, column):
    columns, scores = batch(([0, 1, 2], None, 1.0, target, margin)), score(2.0, 1.0, 0.0)
    with pytest.raises(OptionError, match=f"plackett_luce does not read '{column}'"):
        value(Objective(lists="plackett_luce"), scores, columns)
    value(Objective(), scores, columns)
    value(Objective(lists="plackett_luce"), scores, batch(([0, 1, 2], None, 4.0)))


def test_scores_in_float32_and_columns_without_a_preference_weight():
    columns = replace(batch(PAIR, ([-1], [1.0], 5.0)), side={})
    loss, facts = value(Objective(), torch.zeros(3, requires_grad=True), columns)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(2) + 1)
    assert Objective().weights(columns) == Weights(1.0, 1.0)
    assert all(type(v) is float for v in facts.values())


@given(st.sampled_from([2.0, 1e4]), st.sampled_from(["bradley_terry", "rao_kupper", "davidson"]))
def test_far_scores_stay_finite(scale, pair):
    columns = batch(([0, 1], None, 1.0), ([1, 0], None, 1.0), ([0, 0], None, 1.0))
    scores = score(scale, -scale, scale, -scale, scale, -scale)
    loss, _ = value(Objective(pair=pair, center=0.01), scores, columns)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()
