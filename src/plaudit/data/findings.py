"""What a check of the data found: a name, a status, numbers, the rows it is about, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Status = Literal["ok", "note", "warn", "skip"]


class Equal(NamedTuple):
    """A comparison whose two responses are the same tokens to a model: the preference's place, and which two of its
    responses. `cut`: they differ until the prompt is cut to the longest input.
    """

    place: int
    better: int
    worse: int
    cut: bool = False


@dataclass(frozen=True)
class Finding:
    """One check's outcome.

    `status`: ok, note (worth knowing), warn (act on it), skip (nothing to check; `text` says why).
    `value`: plain numbers, strings, lists and mappings, as audit.json holds them. `ids`: the rows it is about, the
    first hundred of `count`. `text` is one sentence for a reader, `advice` what to do, with a command if there is one.
    """

    name: str
    status: Status
    text: str
    value: Mapping[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    count: int = 0
    advice: str = ""

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "status": self.status, "text": self.text, "value": dict(self.value), "count": self.count,
            "ids": list(self.ids), "advice": self.advice,
        }  # fmt: skip
