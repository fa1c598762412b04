"""What `plaudit audit` and `plaudit repair` can be asked for."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from plaudit.data.options import ReadOptions, TrustOptions


class AuditOptions(ReadOptions, TrustOptions):
    """How a committee prices preferences."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = ""
    """Models whose hidden states the members read, comma separated: minilm-l6, smollm2-135m, a folder or a hub id."""
    scorer: str = ""
    """Vote with these trained scorers instead, comma separated. They vote in-sample on rows they were trained on."""
    folds: int = Field(default=5, ge=2)
    """Parts by prompt group; a member never votes on a part it learned from."""
    members: int = Field(default=10, ge=1)
    """Members of the committee; each has one head per fold."""
    heads: Literal["linear", "mlp", "mixed", "lora", "full"] = "linear"
    """What a member is: a linear or MLP head on frozen features (mixed: in turns), or, for those who pay, LoRA and head
    or a whole model, trained once for every fold."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate of lora and full members; by default 2e-4 and 2e-5. Small models want more."""
    epochs: float = Field(default=1.0, gt=0)
    """Passes of lora and full members over their lesson; more than one begins to memorise wrong labels."""
    layers: str = ""
    """Layers that are read, comma separated; by default at a half, 0.7 and 0.8 of the trunk's depth."""
    pools: Literal["read", "mean", "both"] = "both"
    """What of a layer is read: the read point, the mean over the response, or both."""
    length_member: bool = False
    """Give one seat to a member that sees nothing but the length and form of a response: for data where length is known
    to be what people want. It votes for wrong labels that favour length, too."""
    apart: str = "auto"
    """Which rows a head learns from: none (all of them), file or tag:NAME (those of the same file or value); auto: of
    the same file where that surely agrees with more labels. Parts under 200 comparisons learn from all."""
    in_sample: bool = False
    """The paper's way: every member is trained on all rows and votes on them."""
    wrong: float = Field(default=0.65, ge=0, le=1)
    """Verdict wrong from this p_disagree."""
    ambiguous: float = Field(default=0.4, ge=0, le=1)
    """Verdict ambiguous from this p_disagree."""
    strong: float = Field(default=0.15, ge=0, le=1)
    """Verdict strong up to this p_disagree."""
    noise: str = "uniform"
    """Noise model behind p_wrong, one rate of wrong labels: uniform (for all), group (a file), annotator, or tag:NAME
    (a value of that tag); none leaves it empty."""
    influence: bool = False
    """Also how much each comparison changes the loss on other prompts (columns influence and self_influence), of a
    linear head on one layer, whatever the members are."""
    fair_by: str = ""
    """Also a weight that evens out the loss of groups (column fair_weight): annotator, source, longer or tag:NAME."""
    against: str = ""
    """Files of benchmark prompts, comma separated: which rows overlap with them? Preferences of any layout, rows with
    a prompt alone, or a .txt with one prompt a line."""
    group_by: Literal["auto", "first_user_turn", "prompt", "group", "id"] = "auto"
    """What makes two rows share a prompt; auto: the file's own group, else the first user turn."""
    shown: int = Field(default=20, ge=0)
    """Most suspicious pairs that the report prints side by side."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the trunk's matrix products; heads are float32."""
    device: str = ""
    """cpu, cuda, cuda:1; a GPU when there is one and nothing is said."""
    batch_tokens: int = Field(default=4096, ge=16)
    """Tokens in one batch: memory and speed, never the numbers."""
    max_length: int | None = Field(default=None, ge=8)
    """Longest prompt with response in tokens; longer prompts lose their oldest turns."""
    cache: Path | None = None
    """Folder for features and votes, so that the next audit starts from them; by default in plaudit's cache folder."""
    cache_gb: float = Field(default=20.0, gt=0)
    """Most disk the cache may take; what was used longest ago goes first."""
    seed: int = 0
    """Seed of folds, bootstraps and starts."""
    rejects: Path | None = None
    """Write the rows that could not be used to this file, as they were."""
    dry_run: bool = False
    """Read everything, print rows, tokens, disk and what the pass would take, write nothing."""


class RepairOptions(ReadOptions):
    """How an audit's findings are written into a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    decisions: Path | None = None
    """Lines {"id", "decision": keep, flip, tie or drop}, and better, worse in lists: a person goes before a model."""
    doubtful: Path | None = None
    """Write the pairs that a person should look at to this new file: those called wrong or ambiguous."""
    doubtful_above: float | None = Field(default=None, ge=0, le=1)
    """Doubtful are, instead, the pairs whose chance of disagreement is above this."""
    strength: Literal["auto", "always", "never"] = "auto"
    """Column strength, the committee's mean; auto: beside other columns, where the file has no strength of its own."""
    margin_sign: Literal["negate", "keep", "abs"] = "negate"
    """What becomes of the margin of a flipped pair."""
    as_pairs: bool = False
    """Write every comparison, of lists and votes too, as a pair of its own in plaudit's canonical layout."""
    dry_run: bool = False
    """Count what would change, write nothing."""
