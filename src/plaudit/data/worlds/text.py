"""Prompts and answers in English with planted qualities, a gold reward, and annotators with chosen faults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plaudit.catalog import load
from plaudit.data.worlds._answers import WARMTH, Plan, gold, plan, short, wishes, with_wishes, write
from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import Make, Task
from plaudit.data.worlds._truth import Truth, World, judge
from plaudit.records import digest, pair

# Version 1 draws from these families, in this order; a family added later belongs to a later version.
FAMILIES = (
    "household", "trip", "note", "compare", "arithmetic", "substitute", "email", "packing", "plants", "schedule",
    "define", "recommend", "howto", "recall", "convert",
)  # fmt: skip
TOPICS = {
    "numbers": ("arithmetic", "schedule", "convert"),
    "texts": ("note", "email", "recall", "define"),
    "advice": ("household", "trip", "compare", "substitute", "packing", "plants", "recommend", "howto"),
}
MIN_GAP = 1.19  # the form that was asked for weighs 1.2; closer pairs are a matter of taste
LENGTH_SLOPE = 4.0  # how steeply length-correlated flips follow the logarithm of the lengths' ratio


@dataclass(frozen=True, slots=True)
class Annotator:
    """A judge and its faults. Biases are in units of gold reward.

    `flip`: rate of random flips. `length`: for an answer e times as long. `position`: for the answer shown first.
    `taste`: for a warm answer over a plain one; negative for a judge who prefers formal ones.
    """

    name: str = ""
    flip: float = 0.0
    length: float = 0.0
    position: float = 0.0
    taste: float = 0.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a preset fixes. `length_flip` is the mean rate of flips that favour the longer answer."""

    temperature: float = 0.0
    length_flip: float = 0.0
    topic_flip: Mapping[str, float] = field(default_factory=dict)
    annotators: Sequence[Annotator] = (Annotator(),)


@dataclass(frozen=True, slots=True)
class Shown:
    """One pair as an annotator sees it, first answer first."""

    family: str
    prompt: str
    answers: tuple[str, str]
    gold: tuple[float, float]
    warmth: tuple[float, float]
    annotator: Annotator
    luck: tuple[float, float]


def make(name: str, *, n: int, seed: int, options: Options) -> World:
    """The first n rows of that world and seed; row i is the same for every n."""
    makers = [load("plaudit.data.worlds.families", f).make for f in FAMILIES]
    shown = [_shown(makers, options, seed, i) for i in range(n)]
    golds = np.array([s.gold for s in shown], dtype=np.float64).reshape(n, 2)
    ratio = np.array([np.log(len(s.answers[0]) / len(s.answers[1])) for s in shown], dtype=np.float64)
    bias = np.array([_bias(s, float(r)) for s, r in zip(shown, ratio, strict=True)], dtype=np.float64)
    base = np.array([_flip(s, options) for s in shown], dtype=np.float64)
    steep = np.exp(-np.logaddexp(0, LENGTH_SLOPE * ratio))  # sigmoid: near 1 where the first answer is much shorter
    flip_first = base + 2 * options.length_flip * steep
    flip_second = base + 2 * options.length_flip * (1 - steep)
    luck = np.array([s.luck for s in shown], dtype=np.float64).reshape(n, 2)
    judged = judge(golds[:, 0] - golds[:, 1], bias, flip_first, flip_second, luck, temperature=options.temperature)
    swap = judged.recorded == 1  # the chosen answer is listed first
    golds = np.where(swap[:, None], golds[:, ::-1], golds)
    truth = Truth(golds, (golds[:, 1] > golds[:, 0]).astype(np.int64), judged.flipped, judged.p_wrong, judged.p_prior)
    rows = [_record(s, bool(w), f"{name}-{seed}-{i}") for i, (s, w) in enumerate(zip(shown, swap, strict=True))]
    return World(name, seed, rows, truth)


def _shown(makers: Sequence[Make], options: Options, seed: int, i: int) -> Shown:
    """Row i: the text depends on seed and i alone, so presets differ in their labels only."""
    draw = Draw(seed, "world/text-v1", i)
    which = draw.below(len(makers))
    task = makers[which](draw)
    form, tone = wishes(task, draw)
    asked = with_wishes(task, form, tone, draw)
    plans, golds = _plans(task, form, tone, draw)
    texts = [write(task, _neighbour(makers, makers[which], task, draw), p, draw) for p in plans]
    label = Draw(seed, "world/text-v1/label", i)
    annotator = label.pick(options.annotators)
    luck = label.uniform(), label.uniform()
    warmth = WARMTH[plans[0].tone], WARMTH[plans[1].tone]
    return Shown(FAMILIES[which], asked.prompt, (texts[0], texts[1]), golds, warmth, annotator, luck)


def _plans(task: Task, form: str, tone: str, draw: Draw) -> tuple[tuple[Plan, Plan], tuple[float, float]]:
    """Two plans whose gold rewards differ by MIN_GAP or more."""
    while True:
        one, two = plan(task, form, tone, draw), plan(task, form, tone, draw)
        golds = gold(task, form, tone, one), gold(task, form, tone, two)
        if abs(golds[0] - golds[1]) >= MIN_GAP:
            return (one, two), golds


def _neighbour(makers: Sequence[Make], maker: Make, task: Task, draw: Draw) -> Task:
    """What an irrelevant answer answers: a task with no right answer in common, half of the time of the same family,
    and mostly so where answers are short, since answers of other families would be longer.

    A letter stands in for a letter, since nothing else would be written as one.
    """
    right = {wording for part in task.parts for wording in part.right}
    near = task.letter is not None or draw.chance(0.8 if short(task) else 0.5)
    while True:
        other = maker(draw) if near else draw.pick(makers)(draw)
        if other.subject == task.subject or (near and len(other.parts) != len(task.parts)):
            continue
        if right.isdisjoint(wording for part in other.parts for wording in part.right):
            return other


def _bias(shown: Shown, ratio: float) -> float:
    judge_ = shown.annotator
    return judge_.length * ratio + judge_.position + judge_.taste * (shown.warmth[0] - shown.warmth[1])


def _flip(shown: Shown, options: Options) -> float:
    return options.topic_flip.get(topic(shown.family), 0.0) + shown.annotator.flip


def topic(family: str) -> str:
    """The topic of a family: the groups among which flip rates may differ."""
    return next(name for name, members in TOPICS.items() if family in members)


def _record(shown: Shown, swap: bool, id: str):
    chosen, rejected = shown.answers[::-1] if swap else shown.answers
    tags = {"family": shown.family, "topic": topic(shown.family), "shown_first": "rejected" if swap else "chosen"}
    columns = {"annotator": shown.annotator.name, "group": digest(shown.prompt)[:16], "tags": tags}
    return pair(shown.prompt, chosen, rejected, id=id, **columns)
