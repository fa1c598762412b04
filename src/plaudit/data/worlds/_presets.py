"""The presets: fixed names for fixed worlds. A preset is never edited; a change is a new version."""

from plaudit.data.worlds import text, vector
from plaudit.data.worlds.text import Annotator

CROWD = (
    Annotator("careful", flip=0.02), Annotator("careful-2", flip=0.02), Annotator("hasty", flip=0.3),
    Annotator("long-winded", flip=0.02, length=5.0), Annotator("first-glance", flip=0.02, position=3.0),
    Annotator("likes-warm", flip=0.02, taste=3.0), Annotator("likes-formal", flip=0.02, taste=-3.0),
)  # fmt: skip
TASTES = (Annotator("likes-warm", taste=4.0), Annotator("likes-formal", taste=-4.0))
TOPIC_RATES = {"numbers": 0.4, "texts": 0.2, "advice": 0.05}


def _flip(rate: float) -> text.Options:
    return text.Options(annotators=(Annotator(flip=rate),))


TEXT: dict[str, tuple[str, text.Options]] = {
    "text-v1": ("clean hard labels", text.Options()),
    "text-v1-bt": ("Bradley-Terry labels at temperature 1", text.Options(temperature=1.0)),
    "text-v1-bt-flip25": ("Bradley-Terry labels, then 25 % uniform flips",
                          text.Options(temperature=1.0, annotators=(Annotator(flip=0.25),))),
    "text-v1-flip10": ("10 % uniform flips", _flip(0.1)),
    "text-v1-flip25": ("25 % uniform flips", _flip(0.25)),
    "text-v1-flip40": ("40 % uniform flips", _flip(0.4)),
    "text-v1-length25": ("25 % flips, mostly towards the longer answer", text.Options(length_flip=0.25)),
    "text-v1-topics": ("flips by topic: 40 % numbers, 20 % texts, 5 % advice", text.Options(topic_flip=TOPIC_RATES)),
    "text-v1-annotators": ("seven annotators: careful, hasty, length bias, position bias, opposite tastes",
                           text.Options(annotators=CROWD)),
    "text-v1-tastes": ("two groups of users with opposite tastes in tone", text.Options(annotators=TASTES)),
}  # fmt: skip
VECTOR: dict[str, tuple[str, vector.Options]] = {
    "vector-v1": ("clean hard labels", vector.Options()),
    "vector-v1-bt": ("Bradley-Terry labels", vector.Options(temperature=1.0)),
    "vector-v1-bt-flip25": (
        "Bradley-Terry labels, then 25 % uniform flips",
        vector.Options(temperature=1.0, flip=0.25),
    ),
    "vector-v1-flip10": ("10 % uniform flips", vector.Options(flip=0.1)),
    "vector-v1-flip25": ("25 % uniform flips", vector.Options(flip=0.25)),
    "vector-v1-flip40": ("40 % uniform flips", vector.Options(flip=0.4)),
    # 0.31, because the longer response is the better one more often than not and those pairs are flipped less
    "vector-v1-length25": ("25 % flips, mostly towards the longer response", vector.Options(length_flip=0.31)),
    "vector-v1-groups": ("flips by group: 5, 20 and 40 %", vector.Options(group_flip=(0.05, 0.2, 0.4))),
    "vector-v1-shifted": ("clean labels under a shifted law, for evaluation", vector.Options(shifted=True)),
}
