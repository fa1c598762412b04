"""transformers on batches padded on the right by the tokenizer, as most programs score."""

from numpy.typing import NDArray

from plaudit.doctor.reading import padded
from plaudit.doctor.subject import Subject

ADVICE = "padding on the right moves the score: check that tokenizer and config name the same pad token"


def scores(subject: Subject) -> NDArray:
    model = subject.well.model
    return padded(model, subject.well.tokenizer, subject.sample.ids)
