"""Pictures are well-formed, escaped, exact in their tooltips, and stand without any other file."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plaudit.report.svg import Series, curves, histogram, line_chart, running_mean, ticks

DRAWN = {"svg", "style", "g", "rect", "line", "path", "polygon", "circle", "text", "title"}
SVG = "{http://www.w3.org/2000/svg}"
anything = st.one_of(st.floats(), st.floats(-1e3, 1e3), st.just(math.nan))


def parse(picture):
    """The picture as a tree; nothing in it may reach outside or run."""
    tree = ElementTree.fromstring(picture)
    assert {e.tag.removeprefix(SVG) for e in tree.iter()} <= DRAWN
    assert not any(name.startswith("on") or "href" in name for e in tree.iter() for name in e.attrib)
    assert not re.search(r"url\(|@import", next(tree.iter(SVG + "style")).text)
    return tree


def texts(picture, tag="text"):
    return [e.text or "" for e in parse(picture).iter(SVG + tag)]


def numbers(picture):
    found = [e.get(k) for e in parse(picture).iter() for k in ("d", "points", "cx", "cy", "x", "y", "width", "height")]
    return [float(v) for text in found if text for v in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?|nan|inf", text)]


@example([(0.0, 0.0), (5e-324, math.nan)], "line")
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), anything), max_size=30), st.sampled_from(["line", "trend", "points"]))
def test_any_values_give_a_well_formed_picture_inside_its_frame(points, kind):
    x, y = [p[0] for p in sorted(points)], [p[1] for p in sorted(points)]
    y = [v if abs(v) < 1e12 else math.nan for v in y]
    picture = line_chart("any", [Series("a", x, y, low=y, high=y, kind=kind)], x_label="x", reference=0.5)
    assert all(-1 <= v <= 401 for v in numbers(picture))
    parse(histogram("any", y, marks={"zero": 0.0}))


@given(st.text(max_size=20))
def test_text_is_escaped_whatever_it_holds(text):
    for picture in (
        line_chart(text, [Series(text, [1.0], [2.0])], x_label=text),
        histogram(text, [1.0], x_label=text, marks={text: 1.0}),
    ):
        parse(picture)


def test_hostile_text_stays_text():
    picture = line_chart("<script>alert(1)</script>\x1b[31m\u202e", [Series('"><a onload="x', [1, 2], [1, 2])])
    assert "<script" not in picture
    assert "\x1b" not in picture
    assert texts(picture)[:2] == ["<script>alert(1)</script>\\x1b[31m\\u202e", '"><a onload="x']


def test_a_gap_is_a_gap_and_a_lone_point_is_seen():
    picture = line_chart("gap", [Series("a", [1, 2, 3, 4, 5], [1, 2, math.nan, 4, math.inf])])
    path = next(parse(picture).iter(SVG + "path")).get("d")
    assert path.count("M") == 2
    assert path.endswith("h0")
    assert "no values" in texts(line_chart("none", [Series("a", [1], [math.nan])]))
    assert "no values" in texts(histogram("none (1 not finite)", [math.nan]))


def test_tooltips_carry_the_values():
    tips = texts(line_chart("t", [Series("held out", [10, 2000], [0.5, 0.71234], kind="points")]), "title")
    assert tips == ["held out 0.5 at 10", "held out 0.7123 at 2,000"]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=200), st.integers(1, 30))
def test_a_histogram_counts_every_value_once(values, bins):
    tips = texts(histogram("h", [*values, math.nan], bins=bins), "title")
    assert sum(int(t.split()[0].replace(",", "")) for t in tips) == len(values)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(3, 9))
def test_ticks_enclose_what_they_mark(one, other, most):
    low, high = min(one, other), max(one, other)
    if high - low < 1e-6 * max(abs(high), 1e-3):
        high = low
    found = ticks(low, high, most)
    slack = 1e-6 * max(abs(low), abs(high), 1)
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= most + 2
    assert found == sorted(set(found))


def test_a_running_mean_skips_gaps():
    assert running_mean([(1, 1.0), (2, math.nan), (3, 3.0)], 3) == [(1, 1.0), (2, 2.0), (3, 3.0)]


def row(step, **more):
    return {"step": step, "loss": 0.7 - step / 100, "accuracy": 0.5, "margin": 0.1, "learning_rate": 1e-5, **more}


def test_curves_show_training_beside_held_out():
    rows = [row(s, **{"plaudit/plain_loss": 0.9}) for s in range(1, 31)]
    rows += [
        {"step": 15, "eval_loss": 0.6, "eval_accuracy": 0.7},
        {"step": 30, "eval_loss": 0.65, "eval_accuracy": 0.6},
    ]
    shown = texts(curves(rows))
    assert {"Loss", "Accuracy", "Learning rate", "as trained", "plain Bradley-Terry", "held out"} <= set(shown)
    assert "30 steps · last held-out accuracy 0.600 (best 0.700 at step 15)" in shown[1]
    assert "last held-out loss 0.650 (best 0.600 at step 15)" in shown[1]
    assert "Rewards" not in shown


def test_a_loss_that_is_plain_is_drawn_once():
    shown = texts(curves([row(s, **{"plaudit/plain_loss": 0.7 - s / 100}) for s in range(1, 5)]))
    assert "plain Bradley-Terry" not in shown
    assert shown.count("training") == 3


def test_the_held_out_loss_as_trained_is_a_line_of_its_own_where_it_differs():
    held = {"eval_loss": 0.6, "plaudit/eval_trained_loss": 0.6}
    assert "held out, as trained" not in texts(curves([row(s, **held) for s in (1, 2)]))
    other = held | {"plaudit/eval_trained_loss": 0.9}
    assert "held out, as trained" in texts(curves([row(s, **other) for s in (1, 2)]))


def test_a_spike_survives_a_long_run():
    rows = [row(s, grad_norm=500.0 if s == 4321 else 1.0) for s in range(1, 10_001)]
    picture = curves(rows)
    assert len(picture) < 200_000
    assert "500" in texts(picture)
    paths = [e.get("d") for e in parse(picture).iter(SVG + "path") if "faint" in e.get("class")]
    heights = [float(y) for y in re.findall(r" (-?[\d.]+)", paths[-1])]
    assert max(heights) - min(heights) > 100


@pytest.mark.parametrize("rows", [[], [{"step": 1}], [{"loss": 1.0}], [{"step": 1, "loss": None}], [row(1)]])
def test_little_to_draw_is_no_error(rows):
    assert texts(curves(rows))[0] == "Training curves"


def test_light_and_dark_are_both_there():
    assert "prefers-color-scheme:dark" in curves([row(1)])
