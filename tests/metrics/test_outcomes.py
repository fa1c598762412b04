"""Outcomes and results: sections, weights, and intervals of a formula."""

import numpy as np
import pytest

from plaudit.metrics.outcomes import formula_intervals, outcomes, result


def some(n=200):
    random = np.random.default_rng(0)
    credit = (random.random(n) < 0.7).astype(float)
    leaves = [f"pairs/{'a' if i % 2 else 'b'}/{i % 5}" for i in range(n)]
    return outcomes([str(i) for i in range(n)], credit, credit < 0, np.full(n, 0.5), [i // 2 for i in range(n)], leaves)


def mean_of_sections(found):
    sums = found.by_leaf().values()
    return {"overall": sum(s for s, _ in sums) / sum(n for _, n in sums)}


def test_sections_are_prefixes_of_leaves():
    found = some()
    assert found.section("").all()
    assert found.section("pairs/a").sum() == 100
    assert not found.section("pair").any()
    assert len(found.keep(found.section("pairs/a"))) == 100


def test_result_carries_its_company():
    found = some()
    line = result("f", "pairs", found, found.at_random())
    assert (line.n, line.groups, line.random, line.length_only) == (200, 100, 0.5, 0.5)
    assert line.low < line.score < line.high
    assert line.ahead[0] == pytest.approx(line.score - 0.5)
    assert set(line.as_dict()) >= {
        "name",
        "kind",
        "n",
        "groups",
        "score",
        "low",
        "high",
        "ties",
        "random",
        "length_only",
    }


def test_score_and_lead_over_length_are_drawn_by_whole_prompts():
    credit, prompts = np.repeat([0.0, 1.0] * 20, 10), np.repeat(np.arange(40), 10)
    widths = []
    for groups in (prompts, np.arange(400)):
        found = outcomes([str(i) for i in range(400)], credit, credit < 0, np.full(400, 0.5), groups, ["pairs/a"] * 400)
        line = result("f", "pairs", found, found.at_random())
        widths.append((line.high - line.low, line.ahead[2] - line.ahead[1]))
    (score, lead), (score_of_rows, lead_of_rows) = widths
    assert score > 2.5 * score_of_rows
    assert lead > 2.5 * lead_of_rows


def test_an_empty_result_is_nan_not_an_accident():
    line = result("f", "pairs", some().keep(np.zeros(200, dtype=bool)))
    assert line.n == 0
    assert np.isnan(line.score)


def test_the_interval_of_the_plain_mean_as_a_formula_is_the_plain_interval():
    found = some()
    low, high = formula_intervals(found, mean_of_sections, draws=1500)["overall"]
    line = result("f", "pairs", found)
    assert (low, high) == pytest.approx((line.low, line.high), abs=0.012)
