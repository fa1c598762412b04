"""The records everything hangs on: a judgement over the responses to one prompt, and a solution judged step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

RAW = "raw"  # the role of text that is already rendered for a model


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `parts` are strings or, for other media, mappings with a `type` key.

    >>> Message("user", ("Hello",)).text
    'Hello'
    """

    role: str
    parts: tuple[str | Mapping[str, Any], ...]

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in self.parts)


def message(role: str, text: str) -> Message:
    """A turn that is only text."""
    return Message(role, (text,))


Conversation = tuple[Message, ...]


def digest(*parts: str) -> str:
    """128-bit digest of a sequence of strings, 32 hex digits; the boundaries between parts count.

    >>> digest("a", "b") == digest("ab")
    False
    """
    whole = "".join([f"{len(part)}:{part}" for part in parts])  # each part after its length: no two sequences agree
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def conversation_digest(messages: Conversation) -> str:
    """Digest of one conversation: roles and contents, nothing else."""
    leaves = []
    for m in messages:
        leaves.append(m.role)
        for part in m.parts:
            leaves.append(part if isinstance(part, str) else repr(sorted(part.items())))
    return digest(*leaves, "")  # ends a conversation: no role is empty


@dataclass(frozen=True, slots=True)
class Preference:
    """One judgement by one judge over the responses to one prompt. A pair is a group of two.

    `ranks`: 0 is best, equal numbers are a tie, None means that nobody judged.
    `target`: probability that the better response wins (None: 1, or 1/2 for a tie). `margin` is subtracted from the
    score difference, `weight` multiplies the loss. Remedies are columns, never other texts.

    >>> p = pair((message("user", "2+2?"),), "4", "5")
    >>> [r[-1].text for r in p.responses], p.ranks, p.comparisons()
    (['4', '5'], (0, 1), [(0, 1)])
    """

    id: str
    prompt: Conversation
    responses: tuple[Conversation, ...]
    ranks: tuple[int, ...] | None = None
    ratings: tuple[Mapping[str, float], ...] = ()
    strength: float | None = None
    target: float | None = None
    margin: float = 0.0
    weight: float = 1.0
    annotator: str = ""
    group: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def content(self) -> str:
        """Digest of what is scored: prompt and responses, in order. Keys caches and duplicates."""
        return digest(conversation_digest(self.prompt), *(conversation_digest(r) for r in self.responses))

    @property
    def is_tie(self) -> bool:
        """Two or more responses, judged, and no one better than another."""
        return self.ranks is not None and len(self.ranks) > 1 and len(set(self.ranks)) == 1

    def comparisons(self) -> list[tuple[int, int]]:
        """(better, worse) index pairs: one for a pair or a tied pair, one per ordered pair of a longer list."""
        if self.ranks is None or len(self.ranks) < 2:
            return []
        if len(self.ranks) == 2:
            return [(1, 0)] if self.ranks[1] < self.ranks[0] else [(0, 1)]
        span = range(len(self.ranks))
        return [(i, j) for i in span for j in span if self.ranks[i] < self.ranks[j]]


@dataclass(frozen=True, slots=True)
class Steps:
    """A solution judged step by step. A label of None means that nobody judged that step."""

    id: str
    prompt: Conversation
    steps: tuple[str, ...]
    labels: tuple[bool | None, ...]
    final_correct: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


Record = Preference | Steps


def as_conversation(value: str | Sequence[Message], role: str) -> Conversation:
    """A string becomes one message of that role; messages stay."""
    return (message(role, value),) if isinstance(value, str) else tuple(value)


def group(
    prompt: str | Sequence[Message],
    responses: Sequence[str | Sequence[Message]],
    ranks: Sequence[int] | None,
    *,
    id: str = "",
    **columns: Any,
) -> Preference:
    """A preference from plain values; the id, when the file has none, is the digest of prompt, responses, annotator."""
    turns = as_conversation(prompt, "user") if prompt else ()
    answers = tuple(as_conversation(r, "assistant") for r in responses)
    if not id:
        id = digest(conversation_digest(turns), *map(conversation_digest, answers), columns.get("annotator", ""))
    return Preference(id, turns, answers, None if ranks is None else tuple(ranks), **columns)


def pair(
    prompt: str | Sequence[Message], chosen: str | Sequence[Message], rejected: str | Sequence[Message], **columns: Any
) -> Preference:
    """The commonest record: `chosen` beats `rejected`."""
    return group(prompt, (chosen, rejected), (0, 1), **columns)
