"""transformers on batches padded on the left, where the family counts positions relatively.

Found out by trial, not by name: the same tokens with every position moved by seven. A family whose score stays counts
relatively (rotary); one whose score moves has absolute positions, and padding on the left is then another text.
"""

import inspect

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit.doctor.findings import SkipCheck
from plaudit.doctor.reading import alone, padded
from plaudit.doctor.subject import Subject

ADVICE = "pad on the right: padding on the left moves the score although positions are relative"
ALLOWANCE = 10.0  # rotary angles are rounded more at higher positions; padded on the right models stay far below
WHY = "rotary angles are rounded in float32, more so at the higher positions that padding on the left gives"
MOVED = 7  # positions
NOTICED = 1e-2  # of the spread of scores; rotary families stay below 1e-4, absolute ones move by a tenth and more


def scores(subject: Subject) -> NDArray:
    if subject.well.policy.read == "first":
        raise SkipCheck("encoders read the first token, which would be padding; pad on the right")
    if not _relative(subject):
        raise SkipCheck("positions are absolute, so padding on the left is another text; pad on the right")
    return padded(subject.well.model, subject.well.tokenizer, subject.sample.ids, side="left")


def _relative(subject: Subject) -> bool:
    model = subject.well.model
    if "position_ids" not in inspect.signature(model.forward).parameters:
        raise SkipCheck("takes no positions, so whether they are relative cannot be tried; pad on the right")
    short = [row for row in subject.sample.ids if len(row) <= subject.longest // 2][:6]
    if len(short) < 2:  # no spread to compare with
        raise SkipCheck("the sample is too short to try whether positions are relative; raise --longest")
    still = alone(model, short)
    moved = []
    for row in short:
        positions = torch.arange(MOVED, MOVED + len(row), device=model.device)[None]
        moved.append(alone(model, [row], position_ids=positions)[0])
    return bool(np.abs(np.array(moved) - still).max() <= NOTICED * np.ptp(still))
