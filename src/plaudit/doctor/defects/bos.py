"""The beginning mark: missing from rendered text, or there twice."""

import numpy as np

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.reading import alone, deviation
from plaudit.doctor.subject import Subject


def diagnose(subject: Subject) -> Finding:
    tokenizer = subject.tokenizer
    if tokenizer is None or subject.loaded is None or not subject.sample.ids:
        raise SkipCheck("there is nothing rendered to look at; see `loads`")
    mark = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
    if mark is None:
        return healthy("it has no beginning mark")
    rows = subject.sample.ids
    if any(row[:2] == (mark, mark) for row in rows):
        return broken("its rendered text begins with two beginning marks; take one out of the chat template")
    added = tokenizer("a")["input_ids"][:1] == [mark]
    if added and any(row[:1] != (mark,) for row in rows):
        return broken(
            "its tokenizer begins texts with a mark that its chat template leaves out: who encodes rendered text with "
            "special tokens scores another text; begin the template with {{ bos_token }} and train again, or make the "
            "tokenizer add none"
        )
    if not added:
        return healthy()
    short = [i for i, row in enumerate(rows) if len(row) <= subject.longest // 2][:6]
    told = "encode rendered text with add_special_tokens=False: by default its marks are doubled"
    if not short:
        return healthy(told)
    twice = [tokenizer(subject.sample.texts[i])["input_ids"] for i in short]
    moved = deviation(alone(subject.well.model, twice), np.array([subject.reference[i] for i in short]))
    return healthy(f"{told} and scores move by up to {moved:.2g}")
