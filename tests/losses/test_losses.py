"""Every loss keeps the contract; each formula has constants worked out by hand or by its paper."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus
from torch.testing import assert_close

from plaudit import catalog
from plaudit.errors import OptionError
from plaudit.losses import bce, bradley_terry, centering, davidson, mse, plackett_luce, rao_kupper, simcse, swav
from plaudit.losses._contract import CHECKS, columns, kind, options

NAMES = catalog.names("plaudit.losses")
numbers = st.floats(-30, 30, allow_nan=False)


def row(*values):
    return [torch.tensor([v], dtype=torch.float64) for v in values]


def pair(d, target=1.0, margin=0.0):
    return bradley_terry.loss(*row(d, 0.0, target, margin)).item()


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_contract(name, check):
    check(catalog.load("plaudit.losses", name))


def test_the_room_holds_every_kind():
    kinds = {name: kind(catalog.load("plaudit.losses", name)) for name in NAMES}
    assert kinds == {
        "bce": "point", "bradley_terry": "pair", "centering": "pair", "davidson": "pair", "mse": "point",
        "plackett_luce": "list", "rao_kupper": "pair", "simcse": "view", "swav": "view",
    }  # fmt: skip
    assert columns(rao_kupper) == ["chosen", "rejected", "target", "margin", "tie"]
    assert options(plackett_luce.loss) == ["top_k"]


# The pair kernel


@pytest.mark.parametrize(
    ("d", "target", "margin", "expected"),
    [
        (0, 1, 0, 0.693147), (-20, 1, 0, 20.0), (1, 1, 0, 0.313262), (2.197225, 0.9, 0, 0.325083),
        (1, 1, 1, 0.693147), (1, 1, 2, 1.313262), (1, 1, 3, 2.126928), (1, 0, 0, 1.313262), (5, 0.5, 0, 2.506715),
    ],
)  # fmt: skip
def test_pair_constants(d, target, margin, expected):
    assert pair(d, target, margin) == pytest.approx(expected, abs=1e-6)


@given(numbers, st.floats(0, 1), numbers)
def test_a_margin_is_a_shift_and_a_flip_is_target_zero(d, target, margin):
    assert pair(d, target, margin) == pytest.approx(pair(d - margin, target), abs=1e-12)
    assert pair(d, 0.0, margin) == pytest.approx(pair(-d, 1.0, -margin), abs=1e-12)
    assert pair(d, target) == pytest.approx(target * pair(d) + (1 - target) * pair(-d), abs=1e-9)


@given(st.floats(0.01, 0.5))
def test_smoothing_has_its_minimum_at_the_log_odds(alpha):
    best = math.log((1 - alpha) / alpha)
    d = torch.tensor([best], dtype=torch.float64, requires_grad=True)
    bradley_terry.loss(d, *row(0.0, 1 - alpha, 0.0)).sum().backward()
    assert d.grad.item() == pytest.approx(0, abs=1e-12)


def test_a_margin_equal_to_the_difference_pushes_by_one_half():
    d = torch.tensor([0.3, -4.0, 12.0], dtype=torch.float64, requires_grad=True)
    value = bradley_terry.loss(d, torch.zeros_like(d), torch.ones_like(d), d.detach())
    value.sum().backward()
    assert_close(value.detach(), torch.full_like(value, math.log(2)))
    assert_close(d.grad, torch.full_like(d, -0.5))


def test_a_narrow_score_is_widened_before_it_is_subtracted():
    chosen, rejected = torch.tensor([8.0625], dtype=torch.bfloat16), torch.tensor([0.01], dtype=torch.bfloat16)
    one, zero = torch.ones(1, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.bfloat16)
    exact = softplus(-(chosen.double() - rejected.double()))
    assert bradley_terry.loss(chosen, rejected, one, zero) == exact.bfloat16()


# Ties


def rao(s, tie, theta):
    a = math.log(theta - 1) if theta > 1 else -math.inf
    scores = [math.log(v) for v in s]
    return math.exp(-rao_kupper.loss(*row(*scores, 0.5 if tie else 1.0, 0.0), torch.tensor([tie]), a=a).item())


def david(s, tie, nu):
    b = math.log(nu) if nu else -math.inf
    scores = [math.log(v) for v in s]
    return math.exp(-davidson.loss(*row(*scores, 0.5 if tie else 1.0, 0.0), torch.tensor([tie]), b=b).item())


def test_tie_constants():
    assert [rao((2, 1), False, 2), rao((1, 2), False, 2), rao((2, 1), True, 2)] == pytest.approx([0.5, 0.2, 0.3])
    assert [david((2, 1), False, 1), david((1, 2), False, 1), david((2, 1), True, 1)] == pytest.approx(
        [0.453082, 0.226541, 0.320377], abs=1e-6
    )
    assert rao((1, 1), True, 2) == pytest.approx(1 / 3)
    assert david((1, 1), True, 1) == pytest.approx(1 / 3)


@given(st.floats(0.05, 20), st.floats(0.05, 20), st.floats(1.01, 9))
def test_win_tie_and_loss_exhaust_what_can_happen(one, other, strength):
    for model in (rao, david):
        total = model((one, other), False, strength) + model((other, one), False, strength)
        assert total + model((one, other), True, strength) == pytest.approx(1, abs=1e-9)
        assert model((1, 1), True, strength) == pytest.approx(
            (strength - 1) / (strength + 1) if model is rao else strength / (2 + strength)
        )
    odds = david((one, other), False, strength) / david((other, one), False, strength)
    assert odds == pytest.approx(one / other, rel=1e-9)


def test_rao_kupper_does_not_keep_the_odds():
    assert rao((2, 1), False, 2) / rao((1, 2), False, 2) == pytest.approx(2.5)


@given(numbers, st.floats(0, 1), st.floats(-3, 3))
def test_no_ties_is_bradley_terry_and_a_rao_kupper_win_is_a_margin(d, target, a):
    no = torch.tensor([False])
    columns = row(d, 0.0, target, 0.0)
    expected = pytest.approx(pair(d, target), abs=1e-9)
    assert rao_kupper.loss(*columns, no, a=-math.inf).item() == expected
    assert davidson.loss(*columns, no, b=-math.inf).item() == expected
    win = rao_kupper.loss(*row(d, 0.0, 1.0, 0.0), no, a=a).item()
    assert win == pytest.approx(pair(d, 1.0, math.log(1 + math.exp(a))), abs=1e-9)


@pytest.mark.parametrize(("module", "name"), [(rao_kupper, "a"), (davidson, "b")])
def test_the_prior_holds_the_parameter_when_all_or_none_are_ties(module, name):
    for tie in (True, False):
        value = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
        flag = torch.full((4,), tie)
        zero, target = torch.zeros(4, dtype=torch.float64), torch.full((4,), 0.5 if tie else 1.0, dtype=torch.float64)
        optimizer = torch.optim.LBFGS([value], lr=1, max_iter=200, line_search_fn="strong_wolfe")

        def closure(value=value, flag=flag, zero=zero, target=target, optimizer=optimizer):
            optimizer.zero_grad()
            total = module.loss(zero, zero, target, zero, flag, **{name: value}).mean() + module.prior(value)
            total.backward()
            return total

        optimizer.step(closure)
        assert 1 < abs(value.item()) < 8
        assert value.grad.item() == pytest.approx(0, abs=1e-4)


@given(st.floats(-9, 9), st.floats(0, 9))
def test_a_prior_is_half_its_strength_times_the_square(value, strength):
    for part in (rao_kupper, davidson):
        found = part.prior(torch.tensor(value, dtype=torch.float64), prior=strength)
        assert found.item() == pytest.approx(strength * value**2 / 2)


# Lists


def luce(scores, ranks, **named):
    group = torch.zeros(len(scores), dtype=torch.long)
    return plackett_luce.loss(torch.tensor(scores, dtype=torch.float64), group, torch.tensor(ranks), **named).item()


@given(st.tuples(numbers, numbers, numbers))
def test_all_orders_of_three_exhaust_what_can_happen(scores):
    total = sum(math.exp(-luce(list(scores), list(order))) for order in itertools.permutations(range(3)))
    assert total == pytest.approx(1, abs=1e-9)


@given(numbers, numbers)
def test_a_list_of_two_is_a_pair(one, other):
    assert luce([one, other], [0, 1]) == pytest.approx(pair(one - other), abs=1e-9)
    assert luce([one, other], [3, 1]) == pytest.approx(pair(other - one), abs=1e-9)


def test_list_constants():
    assert luce([2.0, 1.0, 0.0], [0, 1, 2]) == pytest.approx(0.407606 + 0.313262, abs=1e-6)
    assert luce([0.0, 0.0, 0.0], [0, 1, 2]) == pytest.approx(math.log(6))
    # Breslow: both of a tie for first against all three, the last alone
    assert luce([2.0, 1.0, 0.0], [0, 0, 1]) == pytest.approx(2 * 2.407606 - 3, abs=1e-6)
    assert luce([4.0], [0]) == 0


def test_top_k_keeps_the_first_places():
    scores = [0.3, -1.0, 2.0, 0.1]
    assert luce(scores, [2, 1, 0, 3], top_k=1) == pytest.approx(-torch.tensor(scores).log_softmax(0)[2].item())
    assert luce(scores, [2, 1, 0, 3], top_k=3) == pytest.approx(luce(scores, [2, 1, 0, 3]))
    assert luce(scores, [0, 0, 1, 2], top_k=1) == pytest.approx(luce(scores, [0, 0, 1, 1], top_k=2))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), numbers), min_size=1, max_size=10))
def test_lists_do_not_see_each_other(rows):
    group, ranks, scores = (torch.tensor(v) for v in zip(*rows))
    together = plackett_luce.loss(scores.double(), group, ranks)
    alone = [
        luce(scores[group == g].double().tolist(), ranks[group == g].tolist()) for g in sorted(set(group.tolist()))
    ]
    assert together.tolist() == pytest.approx(alone, abs=1e-9)


# Points


def test_point_constants():
    ratings = torch.tensor([[1.0], [torch.nan], [3.0]])
    assert mse.loss(torch.tensor([0.0, 9.0, 1.0]), ratings).flatten().tolist() == [1, 0, 4]
    value = bce.loss(torch.tensor([0.0, 2.0, -3.0]), torch.tensor([[1.0], [0.0], [0.25]])).flatten()
    expected = binary_cross_entropy_with_logits(
        torch.tensor([0.0, 2.0, -3.0]), torch.tensor([1.0, 0.0, 0.25]), reduction="none"
    )
    assert_close(value, expected)


@pytest.mark.parametrize("module", [mse, bce])
def test_a_missing_rating_has_value_and_gradient_exactly_zero(module):
    scores = torch.tensor([1e30, torch.inf, 2.0], requires_grad=True)
    value = module.loss(scores, torch.tensor([[torch.nan], [torch.nan], [1.0]]))
    assert value[:2].flatten().tolist() == [0, 0]
    value.sum().backward()
    assert scores.grad[:2].tolist() == [0, 0]
    assert scores.grad[2] != 0


def test_predicting_the_mean_rating_costs_its_variance():
    ratings = torch.tensor([[0.0], [1.0], [4.0], [3.0]])
    assert mse.loss(torch.full((4,), 2.0), ratings).mean().item() == pytest.approx(2.5)


def test_bce_refuses_ratings_that_are_no_labels():
    with pytest.raises(OptionError, match="between 0 and 1, got 4"):
        bce.loss(torch.zeros(2), torch.tensor([[1.0], [4.0]]))


@given(numbers, numbers)
def test_centering_rests_only_where_the_pair_is_centred(one, other):
    chosen = torch.tensor([one], dtype=torch.float64, requires_grad=True)
    centering.loss(chosen, *row(other)).sum().backward()
    assert chosen.grad.item() == pytest.approx(2 * (one + other))


def test_logsigmoid_is_the_kernel():
    d = torch.linspace(-50, 50, 101)
    assert_close(bradley_terry.loss(d, 0 * d, 0 * d + 1, 0 * d), -logsigmoid(d))


# Views


def rows_of(n=12, width=5, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(n, width, generator=draw, dtype=torch.float64) for _ in range(2)]


def test_view_constants():
    assert simcse.loss(torch.eye(2), torch.eye(2), temperature=1.0).tolist() == pytest.approx([0.313262] * 2, abs=1e-6)
    for count in (2, 20, 50):
        one = torch.ones(7, 3, dtype=torch.float64)
        same = swav.loss(one, one, prototypes=torch.ones(count, 3, dtype=torch.float64))
        assert same.tolist() == pytest.approx([2 * math.log(count)] * 7)
    assert swav.codes(torch.full((4, 5), 0.3)).tolist() == [pytest.approx([0.2] * 5)] * 4


def log_softmax(values, temperature):
    total = math.log(sum(math.exp(v / temperature) for v in values))
    return [v / temperature - total for v in values]


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_view_is_told_from_the_second_views_of_the_batch(temperature):
    found = simcse.loss(torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 1.0]]), temperature=temperature)
    cosines = [(1, 0.5**0.5), (0, 0.5**0.5)]
    expected = [-log_softmax(row, temperature)[i] for i, row in enumerate(cosines)]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_the_codes_of_each_view_are_foretold_by_the_other(temperature):
    s, t, q_s, q_t = [1.0, 0.0], [0.6, 0.8], [0.9, 0.1], [0.3, 0.7]  # the prototypes are the axes
    one = lambda values: torch.tensor([values])  # noqa: E731
    found = swav.loss(
        one(s), one(t), prototypes=torch.eye(2), temperature=temperature, fixed=(one(q_s), one(q_t))
    )  # fmt: skip
    foretold = log_softmax(t, temperature) + log_softmax(s, temperature)
    assert found.item() == pytest.approx(-sum(q * p for q, p in zip(q_s + q_t, foretold)), abs=1e-5)


def test_one_round_of_codes_by_hand():
    alike = torch.tensor([[0.3, -0.1], [-0.2, 0.1]], dtype=torch.float64)
    shares = (alike / 0.5).exp()
    shares = shares / shares.sum(0) / 2
    assert_close(swav.codes(alike, epsilon=0.5, iterations=1), shares / shares.sum(1, keepdim=True))


def test_codes_share_the_batch_out():
    alike = torch.randn(40, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tanh()
    shares = swav.codes(alike, iterations=200)
    assert_close(shares.sum(1), torch.ones(40, dtype=torch.float64))
    assert shares.sum(0).tolist() == pytest.approx([8.0] * 5, rel=1e-4)
    assert swav.codes(alike).sum(1).tolist() == pytest.approx([1] * 40)


@pytest.mark.parametrize("name", ["simcse", "swav"])
@given(seed=st.integers(0, 99))
def test_a_difference_set_does_not_say_which_side_was_chosen(name, seed):
    more = {} if name == "simcse" else {"prototypes": rows_of(4, seed=seed + 100)[0]}
    loss = catalog.load("plaudit.losses", name).loss
    s, t = rows_of(6, seed=seed)
    value = loss(torch.cat([s, -s]), torch.cat([t, -t]), **more)
    other = loss(torch.cat([-s, s]), torch.cat([-t, t]), **more)
    assert other.sum().item() == pytest.approx(value.sum().item(), rel=1e-9)


def test_no_gradient_passes_through_codes():
    (s, t), prototypes = rows_of(), rows_of(3, seed=1)[0]
    first, held = s.clone().requires_grad_(), s.clone().requires_grad_()
    unit = lambda x: torch.nn.functional.normalize(x, dim=1)  # noqa: E731
    fixed = tuple(swav.codes(unit(v) @ unit(prototypes).T) for v in (s, t))
    swav.loss(first, t, prototypes=prototypes).sum().backward()
    swav.loss(held, t, prototypes=prototypes, fixed=fixed).sum().backward()
    assert_close(first.grad, held.grad)


@given(st.floats(-30, 3))
def test_a_short_row_has_the_direction_of_a_long_one(power):
    (s, t), prototypes = rows_of(4), rows_of(3, seed=1)[0]
    for loss, more in ((simcse.loss, {}), (swav.loss, {"prototypes": prototypes})):
        long, short = s.clone().requires_grad_(), (s * 10**power).requires_grad_()
        value, other = loss(long, t, **more), loss(short, t, **more)
        assert_close(other, value)
        (value.sum() + other.sum()).backward()
        assert_close(short.grad * 10**power, long.grad)


def test_a_row_of_zeros_has_no_direction_and_gets_no_gradient():
    for more in ({}, {"prototypes": rows_of(3)[0]}):
        first, second = (v.requires_grad_() for v in rows_of(4))
        zero = torch.cat([torch.zeros(1, 5, dtype=torch.float64), first.detach()[1:]]).requires_grad_()
        (swav if more else simcse).loss(zero, second, **more).sum().backward()
        assert torch.isfinite(zero.grad).all()
        assert not zero.grad[0].any()
