"""What `plaudit score` and `plaudit evaluate` can be asked for."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from plaudit.data.options import ReadOptions, TrustOptions


class ScorerOptions(ReadOptions, TrustOptions):
    """How a scorer runs, wherever one does."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the matrix products; the head is float32 always."""
    device: str = ""
    """cpu, cuda, cuda:1; a GPU when there is one and nothing is said."""
    batch_tokens: int = Field(default=4096, ge=16)
    """Tokens in one batch: memory and speed, never the numbers."""
    max_length: int | None = Field(default=None, ge=2)
    """Longest prompt with response in tokens; longer prompts lose their oldest turns. By default the checkpoint's."""
    combine: Literal["mean", "min", "lcb", "uwo", "soft_min"] | None = None
    """Of a committee, one score from its members': mean (the default), min, lcb (mean - std), uwo (mean - variance)
    or soft_min."""
    seed: int = 0
    """Seed of the random scorer and of the bootstrap."""
    cache: Path | None = None
    """Folder of a score cache: what was scored before, by the same weights in the same way, is looked up."""


class ScoreOptions(ScorerOptions):
    """What `plaudit score` writes."""

    output: Path
    """The JSON lines file to write, one line per preference; appears only when it is whole, never overwrites."""
    with_text: bool = False
    """Add the exact strings that were scored."""
    members: bool = False
    """Of a committee: add every member's scores and their spread (population deviation) beside the committee's."""
    resume: bool = False
    """Go on where a killed run of the same command stopped."""
    rejects: Path | None = None
    """Write the rows that could not be used to this file, as they were."""
    dry_run: bool = False
    """Read everything, score a few rows, print what the run would take, write nothing."""


class EvaluateOptions(ScorerOptions):
    """What `plaudit evaluate` measures."""

    suite: str = ""
    """Suites, comma separated, instead of files."""
    suite_data: Path | None = None
    """Folder that holds the suites' data."""
    scores: Path | None = None
    """Grade a stored score file instead of running a scorer: what `plaudit score` wrote, or a suite's own results."""
    ties: Literal["half", "loss", "win"] = "half"
    """What an exactly tied pair of a file earns; suites keep their official rule, lists ask for a strict winner."""
    missing: Literal["error", "loss"] = "error"
    """What a row without a stored score earns."""
    group_by: Literal["auto", "first_user_turn", "prompt", "group", "id"] = "auto"
    """What makes two rows share a prompt; auto: the file's own group, else the first user turn."""
    output_dir: Path | None = None
    """Publish results.json and scores.jsonl in this new folder."""
    dry_run: bool = False
    """Read everything, score a few rows, print what the run would take."""
