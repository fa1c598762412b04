"""How files are read: the same options wherever a command takes FILE."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


def given(options: BaseModel) -> list[str]:
    """Names of the options that differ from their default.

    >>> given(ReadOptions(layout="trl"))
    ['layout']
    """
    return [name for name, facts in type(options).model_fields.items() if getattr(options, name) != facts.default]


class ReadOptions(BaseModel):
    """Shared by every command that reads preferences."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    layout: str | None = None
    """Layout of the rows; told from the first rows of each file when not given."""
    columns: str = ""
    """The file's names for our columns, as in prompt=question,chosen=good,rejected=bad."""
    line_bytes: int = Field(default=64 << 20, ge=1024)
    """Longest line or record that is read; longer ones are rejected, never held in memory."""


class TrustOptions(BaseModel):
    """Shared by every command that loads a model: what its files may do. Both are off unless asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    trust_remote_code: bool = False
    """Run code that a model brings along."""
    allow_pickles: bool = False
    """Read pickled weights and heads (pytorch_model.bin, value_head.bin); a pickle can run code when it is read."""

    def trust(self) -> dict[str, bool]:
        """These options alone, as functions that load models take them."""
        return {"trust_remote_code": self.trust_remote_code, "allow_pickles": self.allow_pickles}


class InspectOptions(ReadOptions, TrustOptions):
    """What `plaudit inspect` does beyond counting."""

    rejects: Path | None = None
    """Write every row that could not be used, wholly or in part, to this new file: its own bytes; parquet as JSON."""
    group_by: Literal["auto", "first_user_turn", "prompt", "group", "id"] = "auto"
    """What makes two rows share a prompt; auto: the file's own group, else the first user turn."""
    model: str | None = None
    """Also give lengths in tokens of this model: a local folder, a hub id or an embedded model."""
    strict: bool = False
    """Stop at the first rejected row."""


class ConvertOptions(ReadOptions):
    """What `plaudit convert` does beyond reading and writing."""

    rejects: Path | None = None
    """Write every row that could not be used, wholly or in part, to this new file: its own bytes; parquet as JSON."""
    as_pairs: bool = False
    """Write a list of more than two responses as its comparisons, its weight split evenly over them."""
