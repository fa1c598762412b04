"""What every path promises, as checks that a test or an outside package runs: `for check in CHECKS: check(module, s)`.

A module holds `scores(subject) -> [N]` (or [K, N] for K runs), one number per sequence of the subject's sample, and
`ADVICE`, what to do when they deviate. A path that does not apply raises `SkipCheck` with the reason. One whose
arithmetic is rougher by nature has `ALLOWANCE`, a factor on the tolerance, and says `WHY`. The subject `s` is healthy.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from plaudit.doctor.findings import SkipCheck
from plaudit.doctor.reading import deviation
from plaudit.doctor.subject import Subject

TOLERANCE = 1e-5  # the doctor's own, of checkpoints in float32


def walked(module: ModuleType, subject: Subject) -> NDArray | None:
    """The path's scores; None where it says that it does not apply."""
    try:
        return np.asarray(module.scores(subject))
    except SkipCheck as reason:
        assert str(reason), "a path that is skipped says why"
        return None


def described(module: ModuleType, subject: Subject) -> None:
    """It says what it is and what to do; an allowance is more than 1 and has its reason."""
    assert (module.__doc__ or "").splitlines()[0].endswith((".", ":"))
    assert module.ADVICE
    assert hasattr(module, "ALLOWANCE") == hasattr(module, "WHY")
    assert getattr(module, "ALLOWANCE", 2.0) > 1
    assert getattr(module, "WHY", "a reason")


def agrees(module: ModuleType, subject: Subject) -> None:
    """One number per sequence, the reference's where the checkpoint is healthy."""
    found = walked(module, subject)
    if found is None:
        return
    assert found.shape[-1] == len(subject.sample.ids)
    assert found.ndim in (1, 2)
    assert deviation(found, subject.reference) <= TOLERANCE * getattr(module, "ALLOWANCE", 1.0)


def leaves_no_trace(module: ModuleType, subject: Subject) -> None:
    """The next path finds the model and the tokenizer as they were."""
    model, tokenizer = subject.well.model, subject.well.tokenizer
    how = lambda: (model.config._attn_implementation, model.training, model.config.pad_token_id)  # noqa: E731
    told = lambda: (tokenizer.pad_token_id, tokenizer.padding_side, tokenizer.chat_template)  # noqa: E731
    before = how(), told()
    walked(module, subject)
    assert (how(), told()) == before


CHECKS = [described, agrees, leaves_no_trace]
