"""`AutoModelForSequenceClassification.from_pretrained`, `tokenizer(text, add_special_tokens=False)`."""

import torch
from numpy.typing import NDArray

from plaudit.doctor.reading import alone
from plaudit.doctor.subject import Subject

ADVICE = "plain transformers gives another number; see the checks `head`, `template` and `adapter`, then save it anew"


@torch.no_grad()
def scores(subject: Subject) -> NDArray:
    model, tokenizer = subject.plain_model(), subject.plain_tokenizer()
    return alone(model, [tokenizer(text, add_special_tokens=False)["input_ids"] for text in subject.sample.texts])
