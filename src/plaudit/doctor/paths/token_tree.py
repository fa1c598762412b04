"""plaudit's own reading: each token computed once, in several orders, neighbourhoods and sizes of batch."""

import numpy as np
from numpy.typing import NDArray

from plaudit.doctor.findings import SkipCheck
from plaudit.doctor.reading import company
from plaudit.doctor.subject import Subject
from plaudit.models.forward import Reader
from plaudit.models.trees.probe import probe

ADVICE = "its number on token trees is another one; please report the family, and score with padded batches meanwhile"


def scores(subject: Subject) -> NDArray:
    model = subject.well.model
    verdict = probe(model)
    if verdict.way != "tree":
        raise SkipCheck(f"{verdict.reason}; it is read in padded batches instead")
    before = model.config._attn_implementation
    try:
        reader = Reader(model, "tree")
        return np.stack([company(reader, subject.sample, budget=b, seed=s) for s, b in enumerate((4096, 128, 16))])
    finally:
        model.set_attn_implementation(before)
