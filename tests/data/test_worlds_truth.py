"""Labels come about as the noise model says, and what is claimed of them is calibrated."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.worlds import make, presets
from plaudit.data.worlds._files import lines, npz, row
from plaudit.data.worlds._truth import chance, judge
from plaudit.errors import OptionError

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

N = 20_000


def luck(seed=0):
    return np.random.default_rng(seed).random((N, 2))


def within(rate, expected, n, sigmas=4):
    return abs(rate - expected) < sigmas * np.sqrt(max(expected * (1 - expected), 1e-4) / n)


@given(st.floats(-3, 3), st.floats(-2, 2), st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.2, 3))
def test_the_posterior_is_calibrated(gap, bias, first, second, temperature):
    full = np.full(N, 1.0)
    judged = judge(gap * full, bias * full, first * full, second * full, luck(), temperature=temperature)
    for recorded in (0, 1):
        rows = judged.recorded == recorded
        if rows.sum() > 500:
            assert within(judged.flipped[rows].mean(), judged.p_wrong[rows][0], rows.sum(), 5)


def test_bradley_terry_labels_follow_the_sigmoid():
    gap = np.linspace(-4, 4, N)
    zero = np.zeros(N)
    recorded = judge(gap, zero, zero, zero, luck(), temperature=1.0).recorded
    for part in np.array_split(np.arange(N), 10):
        assert within((recorded[part] == 0).mean(), float((1 / (1 + np.exp(-gap[part]))).mean()), len(part))


def test_constants():
    assert chance(np.array([1.0]), 1.0)[0] == pytest.approx(0.7310586)
    assert chance(np.array([0.1, -0.1]), 0.0).tolist() == [1.0, 0.0]
    one, quarter = np.ones(1), np.full(1, 0.25)
    judged = judge(one, 0 * one, quarter, quarter, np.array([[0.5, 0.9]]), temperature=1.0)
    p = 0.7310586  # by hand: recorded first and wrong = honest second, flipped
    assert judged.p_wrong[0] == pytest.approx(0.25 * (1 - p) / (0.25 * (1 - p) + 0.75 * p), abs=1e-6)
    assert judged.p_prior[0] == pytest.approx(0.25)


@pytest.mark.parametrize("name", sorted(presets()))
def test_truth_and_labels_agree(name):
    world = make(name, n=300, seed=3)
    truth = world.truth
    assert (truth.clean_better == truth.gold.argmax(axis=1)).all()
    assert ((truth.p_wrong >= 0) & (truth.p_wrong <= 1) & (truth.p_prior >= 0) & (truth.p_prior <= 1)).all()
    recorded = np.array([p.comparisons()[0][0] for p in world.preferences])
    if "-bt" not in name:
        assert ((recorded != truth.clean_better) == truth.flipped).all()
        assert (truth.p_wrong == truth.flipped).all()
    assert len({p.id for p in world.preferences}) == 300
    assert [p.id for p in make(name, n=20, seed=3).preferences] == [p.id for p in world.preferences[:20]]


@pytest.mark.parametrize(
    ("name", "rate"),
    [("text-v1", 0.0), ("text-v1-flip10", 0.1), ("text-v1-flip25", 0.25), ("text-v1-flip40", 0.4)]
    + [("vector-v1", 0.0), ("vector-v1-flip10", 0.1), ("vector-v1-flip25", 0.25), ("vector-v1-flip40", 0.4)],
)
def test_flip_rates(name, rate):
    assert within(make(name, n=2000, seed=1).truth.flipped.mean(), rate, 2000)


def test_posterior_of_a_bradley_terry_world_is_calibrated():
    truth = make("vector-v1-bt-flip25", n=20_000, seed=5).truth
    for part in np.array_split(np.argsort(truth.p_wrong), 10):
        assert within(truth.flipped[part].mean(), truth.p_wrong[part].mean(), len(part))


def test_vector_length_is_a_nuisance_that_the_shifted_law_turns_round():
    usual, shifted = make("vector-v1", n=8000), make("vector-v1-shifted", n=8000)
    for world, sign in ((usual, 1), (shifted, -1)):
        gap = world.truth.gold[:, 0] - world.truth.gold[:, 1]
        length = world.features[:, 0, -1] - world.features[:, 1, -1]
        assert np.corrcoef(gap, length)[0, 1] == pytest.approx(0.3 * sign, abs=0.05)
        assert gap.std() == pytest.approx(2, abs=0.1)
    noisy = make("vector-v1-length25", n=8000)
    longer = noisy.features[:, 0, -1] > noisy.features[:, 1, -1]
    clean_is_longer = longer == (noisy.truth.clean_better == 0)
    flipped = noisy.truth.flipped
    assert flipped[~clean_is_longer].mean() > 2 * flipped[clean_is_longer].mean()
    assert flipped.mean() == pytest.approx(0.25, abs=0.02)


def test_vector_groups_are_flipped_at_their_own_rates():
    world = make("vector-v1-groups", n=9000)
    group = np.array([int(p.tags["group"]) for p in world.preferences])
    for g, rate in enumerate((0.05, 0.2, 0.4)):
        assert within(world.truth.flipped[group == g].mean(), rate, (group == g).sum())


def sha(raw):
    return hashlib.sha256(raw).hexdigest()[:16]


def test_the_bytes_of_the_vector_world_never_change():
    world = make("vector-v1", n=64, seed=0)
    assert world.features.dtype == np.float32
    assert world.features.shape == (64, 2, 64)
    assert sha(world.features.tobytes()) == "428b2f628f3c8097"
    assert sha(lines(make("vector-v1-bt-flip25", n=64).truth.rows([str(i) for i in range(64)]))) == "c0a805971c3665f0"
    assert npz(world) == npz(make("vector-v1", n=64, seed=0))


@pytest.mark.parametrize(
    ("name", "digest"),
    [("text-v1", "c212582e7e1b5ea1"), ("text-v1-annotators", "d32d7ae0b4631307"), ("text-v1-bt", "0e1c23d178dba37f")],
)
def test_the_bytes_of_the_text_world_never_change(name, digest):
    world = make(name, n=200, seed=0)
    raw = lines(map(row, world.preferences)) + lines(world.truth.rows([p.id for p in world.preferences]))
    assert sha(raw) == digest


def test_mistakes_are_named():
    with pytest.raises(OptionError, match=r"unknown world 'text-v' \(did you mean 'text-v1'\?\)"):
        make("text-v")
    with pytest.raises(OptionError, match="one preference or more"):
        make("text-v1", n=0)
