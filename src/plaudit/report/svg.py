"""Pictures as hand-written SVG: lines with bands, histograms, and the curves of a training run.

A picture stands alone: no script, no font, no style sheet to fetch; light and dark follow the reader's system; marks
have a tooltip (`<title>`) with their value. Every text is escaped here. Numbers that are not finite leave a gap.

>>> picture = line_chart("Loss", [Series("training", [1, 2, 3], [0.7, 0.6, 0.5])], x_label="step")
>>> picture.startswith("<svg") and "training" in picture
True
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate, groupby
from typing import Any, Literal

from plaudit.report.terminal import clean

WIDTH, HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 22, 46, 34
_NO_SPAN = 1e-200  # values closer than this are one value
_MOST_POINTS, _MOST_TIPS, _FEW = 400, 60, 20
_CSS = """
.pl{--paper:#fff;--ink:#1c2430;--soft:#5d6878;--grid:#e4e8ee;--axis:#aab3c0;
--c0:#1f66d1;--c1:#c8580a;--c2:#0c7c59;--c3:#7a46c4;font-family:system-ui,sans-serif;font-size:11px}
@media (prefers-color-scheme:dark){.pl{--paper:#12161d;--ink:#e8ecf2;--soft:#9aa6b6;--grid:#262d38;--axis:#4a5566;
--c0:#6ba6ff;--c1:#ff9d4d;--c2:#45cfa0;--c3:#bb93f7}}
.pl .paper{fill:var(--paper)}.pl text{fill:var(--soft)}.pl .h{fill:var(--ink);font-weight:600;font-size:13px}
.pl .big{font-size:16px}.pl .grid{stroke:var(--grid)}.pl .axis{stroke:var(--axis)}
.pl .ref{stroke:var(--ink);stroke-opacity:.7;stroke-dasharray:3 3}.pl .line{fill:none;stroke-width:2;
stroke-linejoin:round;stroke-linecap:round}
.pl .faint{stroke-width:1;stroke-opacity:.3}.pl .band{fill-opacity:.15;stroke:none}.pl .tip{fill-opacity:0}
.pl .tip:hover{fill-opacity:1}.pl .dot{stroke:var(--paper);stroke-width:1.5}.pl .end{text-anchor:end}
.pl .mid{text-anchor:middle}
""".replace("\n", "") + "".join(
    f".pl .s{i}{{stroke:var(--c{i})}}.pl .f{i}{{fill:var(--c{i})}}" for i in range(4)
)  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One line: `x` and `y` of equal length, a band between `low` and `high` where given.

    `kind`: `line`; `trend`, a running mean over the faint values, for noisy steps; `points`, a line with a dot at each
    value, for rare measurements.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    kind: Literal["line", "trend", "points"] = "line"
    color: int | None = None


@dataclass(frozen=True)
class Frame:
    """Where values lie on the picture: x0 to x1 across, y0 to y1 upward, inside the margins for axes and heading."""

    x0: float
    x1: float
    y0: float
    y1: float
    width: float
    height: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a value in picture coordinates."""
        right = (x - self.x0) / (self.x1 - self.x0) * (self.width - _LEFT - _RIGHT)
        up = (y - self.y0) / (self.y1 - self.y0) * (self.height - _TOP - _BOTTOM)
        return round(_LEFT + right, 1), round(self.height - _BOTTOM - up, 1)


def line_chart(
    title: str, series: Sequence[Series], *, x_label: str = "", reference: float | None = None, width: float = WIDTH,
    height: float = HEIGHT,
) -> str:  # fmt: skip
    """A standalone picture of lines over a shared axis; `reference` draws a dashed level, as chance at 0.5."""
    return _document([lines(title, series, x_label, reference, width, height)], title, width, height)


def histogram(
    title: str, values: Iterable[float], *, bins: int = 40, x_label: str = "", marks: Mapping[str, float] | None = None,
    width: float = WIDTH, height: float = HEIGHT,
) -> str:  # fmt: skip
    """A standalone histogram; `marks` are named vertical lines. Values that are not finite are counted in the title."""
    every = [float(v) for v in values]
    seen = [v for v in every if math.isfinite(v)]
    if len(seen) < len(every):
        title = f"{title} ({len(every) - len(seen):,} not finite)"
    body = _bars(title, seen, bins, x_label, marks or {}, width, height) if seen else _nothing(title, width, height)
    return _document([body], title, width, height)


def curves(metrics: Sequence[Mapping[str, Any]]) -> str:
    """The curves of a training run as small multiples: the lines of its `metrics.jsonl`, each a mapping with `step`.

    Draws what is there of loss (as trained, plain Bradley-Terry, held out in either), accuracy, margin, rewards,
    learning rate and gradient norm; unknown keys are left alone.
    """
    rows = [m for m in metrics if isinstance(m.get("step"), int | float)]
    panels = [panel for title, found, reference in _training_panels(rows) if (panel := (title, found, reference))[1]]
    across = min(3, max(len(panels), 1))
    head = 54
    height = head + HEIGHT * max(math.ceil(len(panels) / across), 1)
    title, facts = "Training curves", _training_facts(rows)
    body = [f'<text class="h big" x="16" y="26">{title}</text><text x="16" y="44">{_safe(facts)}</text>']
    for i, (name, found, reference) in enumerate(panels):
        place = f'<g transform="translate({i % across * WIDTH} {head + i // across * HEIGHT})">'
        body.append(place + lines(name, found, "step", reference, WIDTH, HEIGHT) + "</g>")
    return _document(body, f"{title}: {facts}", across * WIDTH, height)


def _training_panels(rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, list[Series], float | None]]:
    def pick(name: str, *keys: str, color: int, kind: Literal["trend", "points", "line"] = "trend") -> list[Series]:
        found = [(float(r["step"]), _number(r[k])) for r in rows for k in keys if k in r]
        return [Series(name, [x for x, _ in found], [y for _, y in found], kind=kind, color=color)] if found else []

    loss = pick("as trained", "loss", color=0)
    plain = pick("plain Bradley-Terry", "plaudit/plain_loss", "plain_loss", color=1)
    if loss and plain and _same(loss[0].y, plain[0].y):
        loss, plain = pick("training", "loss", color=0), []
    held = pick("held out", "eval_loss", color=2, kind="points")
    judged = pick("held out, as trained", "plaudit/eval_trained_loss", color=3, kind="points")
    if held and judged and _same(held[0].y, judged[0].y):
        judged = []
    yield "Loss", loss + plain + held + judged, None
    for title, key, reference in (("Accuracy", "accuracy", 0.5), ("Margin: chosen − rejected", "margin", 0.0)):
        both = pick("training", key, color=0) + pick("held out", f"eval_{key}", color=2, kind="points")
        yield title, both, reference
    mean, low, high = (
        pick("mean, lowest to highest", f"{k}_reward", color=3, kind="line") for k in ("mean", "min", "max")
    )
    if mean and low and high and len(mean[0].x) == len(low[0].x) == len(high[0].x):
        mean = [Series(mean[0].name, mean[0].x, mean[0].y, low[0].y, high[0].y, color=3)]
    yield "Rewards", mean, None
    yield "Learning rate", pick("", "learning_rate", color=0, kind="line"), None
    yield "Gradient norm", pick("", "grad_norm", color=0), None


def _training_facts(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "nothing was logged"
    facts = [f"{max(r['step'] for r in rows):,} steps"]
    for label, key in (("held-out accuracy", "eval_accuracy"), ("held-out loss", "eval_loss"), ("loss", "loss")):
        found = [(_number(r[key]), r["step"]) for r in rows if key in r and math.isfinite(_number(r[key]))]
        if found and not (key == "loss" and len(facts) > 1):
            best = max(found) if key == "eval_accuracy" else min(found)
            facts.append(f"last {label} {found[-1][0]:.3f} (best {best[0]:.3f} at step {best[1]:,})")
    if len(rows) > _FEW:
        facts.append("thin: each step, thick: running mean")
    return " · ".join(facts)


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in zip(one, other))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def lines(
    title: str, series: Sequence[Series], x_label: str, reference: float | None, width: float, height: float
) -> str:
    """The inside of a line chart, for a picture that has other parts beside it."""
    finite = [v for s in series for part in (s.y, s.low or (), s.high or ()) for v in part if math.isfinite(v)]
    xs = [x for s in series for x in s.x]
    if not finite or not xs:
        return _nothing(title, width, height)
    if reference is not None:
        finite.append(reference)
    y_ticks, x_ticks = ticks(min(finite), max(finite), 6), ticks(min(xs), max(xs), 6)
    frame = Frame(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, y_ticks[0], y_ticks[-1], width, height)
    out = [_heading(title, series), axes(frame, x_ticks, y_ticks, x_label)]
    if reference is not None:
        out.append(_level(frame, reference))
    out += [_one(s, frame, i % 4 if s.color is None else s.color) for i, s in enumerate(series)]
    return "".join(out)


def _one(series: Series, frame: Frame, color: int) -> str:
    points = list(zip(map(float, series.x), map(float, series.y)))
    out = []
    if series.low is not None and series.high is not None:
        out.append(_band(list(zip(series.x, series.low, series.high)), frame, color))
    smooth = series.kind == "trend" and len(points) > _FEW
    if smooth:
        out.append(_path(points, frame, f"line faint s{color}"))
        points = running_mean(points, max(len(points) // _FEW, 3))
    out.append(_path(points, frame, f"line s{color}"))
    label = f"{series.name} (running mean)" if smooth else series.name
    finite = [p for p in points if math.isfinite(p[1])]
    dotted = series.kind == "points" or len(finite) == 1
    shown = finite if dotted else finite[:: max(math.ceil(len(finite) / _MOST_TIPS), 1)]
    for x, y in shown:
        cx, cy = frame.at(x, y)
        tip = _safe(f"{label} {figure(y)} at {figure(x)}".strip())
        shape = f'class="dot f{color}" r="4"' if dotted else f'class="tip f{color}" r="5"'
        out.append(f'<circle {shape} cx="{cx}" cy="{cy}"><title>{tip}</title></circle>')
    return "".join(out)


def running_mean(points: Sequence[tuple[float, float]], window: int) -> list[tuple[float, float]]:
    """Centred mean over `window` neighbours, fewer at the ends; values that are not finite are left out of it.

    >>> running_mean([(1, 0.0), (2, 3.0), (3, 6.0)], 3)
    [(1, 1.5), (2, 3.0), (3, 4.5)]
    """
    half, out = window // 2, []
    known = [(y, 1) if math.isfinite(y) else (0.0, 0) for _, y in points]
    sums, counts = ([0, *accumulate(column)] for column in (zip(*known) if known else ((), ())))
    for i, (x, _) in enumerate(points):
        start, stop = max(i - half, 0), min(i + half + 1, len(points))
        count = counts[stop] - counts[start]
        out.append((x, (sums[stop] - sums[start]) / count if count else math.nan))
    return out


def _thin(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """At most about _MOST_POINTS of them: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(points) <= _MOST_POINTS:
        return points
    size = math.ceil(len(points) / (_MOST_POINTS // 2))
    out = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        out += sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])})
    return out


def _path(points: Sequence[tuple[float, float]], frame: Frame, name: str) -> str:
    steps = []
    for finite, run in groupby(points, key=lambda p: math.isfinite(p[1])):
        if finite:
            corners = [frame.at(*p) for p in _thin(list(run))]
            steps.append("M" + "L".join(f"{x} {y}" for x, y in corners) + "h0" * (len(corners) == 1))
    return f'<path class="{name}" d="{"".join(steps)}"/>'


def _band(rows: Sequence[tuple[float, float, float]], frame: Frame, color: int) -> str:
    out = []
    for finite, run in groupby(rows, key=lambda r: math.isfinite(r[1]) and math.isfinite(r[2])):
        part = list(run)
        if finite:
            above = [frame.at(*p) for p in _thin([(x, high) for x, _, high in part])]
            below = [frame.at(*p) for p in _thin([(x, low) for x, low, _ in part])]
            corners = " ".join(f"{x},{y}" for x, y in [*above, *reversed(below)])
            out.append(f'<polygon class="band f{color}" points="{corners}"/>')
    return "".join(out)


def _bars(
    title: str,
    values: Sequence[float],
    bins: int,
    x_label: str,
    marks: Mapping[str, float],
    width: float,
    height: float,
) -> str:
    low, high = min(values), max(values)
    step = (high - low) / bins or 1.0
    counts = [0] * bins
    for v in values:
        counts[min(int((v - low) / step), bins - 1)] += 1
    edge = low + step * bins
    y_ticks = ticks(0, max(counts), 5)
    frame = Frame(min(low, *marks.values(), low), max(edge, *marks.values(), edge), 0, y_ticks[-1], width, height)
    out = [_heading(title, ()), axes(frame, ticks(frame.x0, frame.x1, 6), y_ticks, x_label)]
    for i, count in enumerate(counts):
        if count:
            (x, y), (right, floor) = frame.at(low + i * step, count), frame.at(low + (i + 1) * step, 0)
            tip = f"{count:,} from {figure(low + i * step)} to {figure(low + (i + 1) * step)}"
            size = f'width="{max(right - x - 0.6, 0.6):.1f}" height="{floor - y:.1f}"'
            out.append(f'<rect class="f0" x="{x}" y="{y}" {size}><title>{tip}</title></rect>')
    for i, (name, value) in enumerate(marks.items()):
        x, floor = frame.at(value, 0)
        side = ("end", -4) if x > width * 0.6 else ("", 4)
        out.append(f'<line class="ref" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{floor}"/>')
        out.append(f'<text class="{side[0]}" x="{x + side[1]}" y="{_TOP + 2 + 13 * i}">{_safe(name)}</text>')
    return "".join(out)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers that enclose [low, high], at most about `most` of them.

    >>> ticks(0.13, 0.78, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    if high - low <= _NO_SPAN:
        pad = abs(low) * 0.1 if abs(low) > _NO_SPAN else 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / max(most - 1, 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]


def axes(frame: Frame, x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str) -> str:
    """Grid, ticks and their figures."""
    out = []
    for value in y_ticks:
        (x, y), (end, _) = frame.at(frame.x0, value), frame.at(frame.x1, value)
        kind = "axis" if value == y_ticks[0] else "grid"
        out.append(f'<line class="{kind}" x1="{x}" x2="{end}" y1="{y}" y2="{y}"/>')
        out.append(f'<text class="end" x="{x - 6}" y="{y + 4}">{figure(value)}</text>')
    floor = frame.height - _BOTTOM
    for value in x_ticks:
        if frame.x0 <= value <= frame.x1:
            out.append(f'<text class="mid" x="{frame.at(value, frame.y0)[0]}" y="{floor + 15}">{figure(value)}</text>')
    middle = (_LEFT + frame.width - _RIGHT) / 2
    out.append(f'<text class="mid" x="{middle}" y="{floor + 29}">{_safe(x_label)}</text>' if x_label else "")
    return "".join(out)


def _level(frame: Frame, value: float) -> str:
    (x, y), (end, _) = frame.at(frame.x0, value), frame.at(frame.x1, value)
    return f'<line class="ref" x1="{x}" x2="{end}" y1="{y}" y2="{y}"><title>{figure(value)}</title></line>'


def _heading(title: str, series: Sequence[Series]) -> str:
    out, x = [f'<text class="h" x="16" y="16">{_safe(title)}</text>'], 16.0
    for i, s in enumerate(series):
        if s.name:
            color = i % 4 if s.color is None else s.color
            out.append(f'<rect class="f{color}" x="{x}" y="25" width="12" height="4" rx="2"/>')
            out.append(f'<text x="{x + 17}" y="31">{_safe(s.name)}</text>')
            x += 33 + 5.8 * len(s.name)
    return "".join(out)


def _nothing(title: str, width: float, height: float) -> str:
    return _heading(title, ()) + f'<text class="mid" x="{width / 2}" y="{height / 2}">no values</text>'


def _document(body: Sequence[str], title: str, width: float, height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="pl" viewBox="0 0 {width} {height}" width="{width}"'
    label = f'height="{height}" role="img" aria-label="{_safe(title)}"'
    paper = f'<rect class="paper" width="{width}" height="{height}"/>'
    return f"{head} {label}><style>{_CSS}</style>{paper}{''.join(body)}</svg>\n"


def figure(value: float) -> str:
    """A number as a person writes it.

    >>> figure(0.30000000000000004), figure(2e-05), figure(12000), figure(-0.0)
    ('0.3', '2e-5', '12,000', '0')
    """
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e7:
        return f"{value:,.0f}" if value == round(value) else f"{value:.4g}"
    digits, _, power = f"{value:.3g}".partition("e")
    return f"{digits}e{int(power)}" if power else digits


def _safe(text: str) -> str:
    return escape(clean(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff"))  # no characters in XML
