"""The reference once more, backwards: a model that remembers, or drops out at random, gives other numbers."""

from numpy.typing import NDArray

from plaudit.doctor.reading import alone
from plaudit.doctor.subject import Subject

ADVICE = "the same sequence gives another number the second time; the model keeps state or draws at random in eval mode"


def scores(subject: Subject) -> NDArray:
    return alone(subject.well.model, subject.sample.ids[::-1])[::-1]
