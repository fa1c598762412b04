"""plaudit's own padded reading, in other company and another order: what a model gets that cannot read token trees."""

import numpy as np
from numpy.typing import NDArray

from plaudit.doctor.reading import company
from plaudit.doctor.subject import Subject
from plaudit.models.forward import Reader

ADVICE = "its number depends on its neighbours in a batch; score with a batch of one, and look for batch statistics"


def scores(subject: Subject) -> NDArray:
    reader = Reader(subject.well.model, "padded")
    return np.stack([company(reader, subject.sample, budget=b, seed=s) for s, b in enumerate((4096, 256))])
