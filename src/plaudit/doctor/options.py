"""What `plaudit doctor` can be asked for."""

from typing import Literal

from pydantic import ConfigDict, Field

from plaudit.data.options import TrustOptions


class DoctorOptions(TrustOptions):
    """How a checkpoint is examined."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of weights and products on every path; in bfloat16 the tolerance has to be about 0.1."""
    tolerance: float = Field(default=1e-5, gt=0)
    """Largest deviation that passes, relative to max(1, |score|)."""
    device: str = ""
    """cpu, cuda, cuda:1; a GPU when there is one and nothing is said."""
    longest: int = Field(default=512, ge=16)
    """Tokens of the longest conversation tried, where the model takes as many."""
    only: str = ""
    """Checks, comma separated, instead of all: pad,template,token-tree."""


class ResaveOptions(TrustOptions):
    """How a model is saved anew by `plaudit models`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tolerance: float = Field(default=1e-5, gt=0)
    """Largest deviation between the scores before and after saving, relative to max(1, |score|)."""
