"""The text-classification pipeline, asked without special tokens of its own and with no function named."""

import warnings

import numpy as np
from numpy.typing import NDArray

from plaudit.doctor.subject import Subject
from plaudit.models.quiet import quiet

ADVICE = "the pipeline gives another number; see `sigmoid`, and pass add_special_tokens=False for rendered text"


def scores(subject: Subject) -> NDArray:
    from transformers import pipeline

    model = subject.plain_model()
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about batching on a GPU
        pipe = pipeline("text-classification", model=model, tokenizer=subject.plain_tokenizer(), device=model.device)
        said = [pipe(text, add_special_tokens=False) for text in subject.sample.texts]
    return np.array([row[0]["score"] for row in said])
