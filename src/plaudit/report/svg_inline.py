"""Figures inside a page: they bring no style of their own, the page's custom properties colour them, light and dark.

Everything is built with `Markup.format`, which escapes what it is given; classes name what a mark means (`k-wrong`),
the stylesheet says how it looks. Each figure has a title for who cannot see it and a tooltip on every mark.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from plaudit.report.svg import Frame, Series, axes, figure, lines, ticks
from plaudit.report.terminal import clean

WIDTH, HEIGHT = 400, 250
GROUPS = 20  # of equal size, by strength: as in the paper's figure
_BINS = 44


def strengths(title: str, kinds: Mapping[str, NDArray[np.float64]], *, x_label: str) -> Markup:
    """A histogram whose bars are stacked by kind; what lies outside the inner 99.6 % is counted in the end bars.

    `kinds`: class name -> values; names are the page's own words, never data.
    """
    every = np.concatenate([*kinds.values(), np.zeros(0)])
    every = every[np.isfinite(every)]
    if not len(every):
        return _nothing(title)
    edges = _edges(every)
    inside = {kind: np.clip(v[np.isfinite(v)], edges[0], edges[-1]) for kind, v in kinds.items()}
    counts = {kind: np.histogram(v, edges)[0] for kind, v in inside.items()}
    tops: NDArray = np.sum(list(counts.values()), axis=0)
    y_ticks = ticks(0, float(tops.max()), 5)
    frame = Frame(float(edges[0]), float(edges[-1]), 0, y_ticks[-1], WIDTH, HEIGHT)
    body = [Markup(axes(frame, ticks(frame.x0, frame.x1, 6), y_ticks, x_label))]
    below = np.zeros(len(tops))
    for kind, count in counts.items():
        body += [_bar(frame, edges[i : i + 2], below[i], int(n), kind) for i, n in enumerate(count) if n]
        below = below + count
    x, top = frame.at(0.0, frame.y1)
    if frame.x0 < 0 < frame.x1:
        body.append(Markup('<line class="ref" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, top, HEIGHT - 34))
    return _figure(title, body, WIDTH, HEIGHT, cut=30)


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bin edges over the inner 99.6 % of the values; 0 is one of them where it lies inside."""
    low, high = (float(q) for q in np.quantile(values, [0.002, 0.998]))
    if high <= low:
        low, high = low - 0.5, high + 0.5
    step = (high - low) / _BINS
    first, last = int(np.floor(low / step)), int(np.ceil(high / step))
    return step * np.arange(first, last + 1, dtype=np.float64)


def _bar(frame: Frame, edge: NDArray, floor: float, count: int, kind: str) -> Markup:
    (x, top), (right, bottom) = frame.at(float(edge[0]), floor + count), frame.at(float(edge[1]), floor)
    tip = f"{count:,} {kind}, margin {figure(float(edge[0]))} to {figure(float(edge[1]))}"
    shape = '<rect class="k-{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
    return Markup(shape).format(kind, x, top, round(max(right - x - 0.6, 0.6), 1), round(bottom - top, 1), tip)


def spread(title: str, mean: NDArray[np.float64], std: NDArray[np.float64], *, x_label: str) -> Markup:
    """How far members differ, over how they lean: twenty groups of equal size, the middle half of each as a band."""
    order = np.argsort(mean, kind="stable")
    groups = [g for g in np.array_split(order, GROUPS) if len(g)]
    if not groups:
        return _nothing(title)
    x = [float(mean[g].mean()) for g in groups]
    low, middle, high = (np.array([np.quantile(std[g], q) for g in groups]) for q in (0.25, 0.5, 0.75))
    series = Series("", x, middle.tolist(), low.tolist(), high.tolist(), kind="points", color=0)
    return _figure(title, [Markup(lines("", [series], x_label, None, WIDTH, HEIGHT))], WIDTH, HEIGHT, cut=30)


def likeness(title: str, members_KK: Sequence[Sequence[float]], names: Sequence[str]) -> Markup:
    """How alike members vote: a square a pair, darker for more alike; numbers in it while there is room."""
    count = len(members_KK)
    if count < 2:
        return _nothing(title)
    left, cell = 26, 360 / count
    body = []
    for i, row in enumerate(members_KK):
        middle = round(left + (i + 0.5) * cell, 1)
        if count <= 30:
            body.append(_text(middle, 18, str(i + 1), "mid"))
            body.append(_text(left - 6, middle + 4, str(i + 1), "end"))
        for j, value in enumerate(row):
            tip = f"{clean(names[i][:60])} and {clean(names[j][:60])}: {value:.2f}"
            body.append(_cell(left + j * cell, left + i * cell, cell, float(value), tip, written=count <= 12))
    return _figure(title, body, 400, 400)


def _cell(x: float, y: float, size: float, value: float, tip: str, *, written: bool) -> Markup:
    ink = min(abs(value), 1.0)
    shape = '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{}"><title>{}</title></rect>'
    kind = "h-unlike" if value < 0 else "h-alike"
    out = Markup(shape).format(
        kind, round(x, 1), round(y, 1), round(size - 1.5, 1), round(size - 1.5, 1), round(ink, 2), tip
    )
    if written:
        label = f"{value:.2f}".replace("0.", ".").replace("-", "−") if abs(value) < 0.995 else f"{value:.0f}"
        out += _text(x + size / 2 - 0.7, y + size / 2 + 3.3, label, "mid h-text")
    return out


def shares(title: str, parts: Mapping[str, int]) -> Markup:
    """One bar cut by counts; classes as in `strengths`."""
    total = max(sum(parts.values()), 1)
    body, x = [], 0.0
    for kind, count in parts.items():
        width = 400 * count / total
        if count:
            shape = '<rect class="k-{}" x="{}" y="0" width="{}" height="14"><title>{}</title></rect>'
            body.append(Markup(shape).format(kind, round(x, 2), round(width, 2), f"{count:,} {kind}"))
        x += width
    return _figure(title, body, 400, 14, kind="shares", stretched=True)


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, round(x, 1), round(y, 1), clean(text))


def _nothing(title: str) -> Markup:
    return _figure(title, [_text(WIDTH / 2, 30, "nothing to draw", "mid")], WIDTH, 60)


def _figure(
    title: str,
    body: Sequence[Markup],
    width: int,
    height: int,
    *,
    cut: int = 0,
    kind: str = "fig",
    stretched: bool = False,
) -> Markup:
    """`cut`: empty room at the top that is left out; `stretched`: fills whatever box the page gives it."""
    name = clean(title)
    fit = Markup(' preserveAspectRatio="none"') if stretched else Markup("")
    head = '<svg class="{}" viewBox="0 {} {} {}"{} role="img" aria-label="{}">{}</svg>'
    return Markup(head).format(kind, cut, width, height - cut, fit, name, Markup("").join(body))
