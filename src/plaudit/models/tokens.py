"""The one way to tokenise: records become ids, the prompt once and every response after it.

A record is rendered with the model's chat template and encoded with `add_special_tokens=False`, so marks come from the
template alone and are never doubled. `tokenizer(text, add_special_tokens=False)` on the strings of `texts` gives the
same ids. Special tokens written inside a message are read as such, as every other tool does; such records are marked
(`Encoded.marked`) so that they can be counted.

What is longer than `max_length` loses its oldest prompt turns, never the system turn and never the response; when the
last turn alone is too long its beginning is cut.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.models.template import TemplateRefusal, is_raw, marks, raw, render
from plaudit.records import Conversation, Preference, digest, message

WINDOW = 512  # records tokenised in one call
SYSTEM_CUT = 64  # a system turn of so many tokens is worth a node of its own in a token tree
PREAMBLE_CUT = 8  # and so are so many tokens that the template itself puts before every prompt
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class TokenPolicy:
    """How a model's records become ids. `tokenizer` carries the template.

    `read` is where the family's own sequence-classification class reads: the last token that is not padding
    (decoders), or the first (encoders). `share`: whether a prompt may be read once for all responses (decoders).
    """

    tokenizer: Any = field(repr=False, compare=False)
    max_length: int
    read: Literal["last", "first"] = "last"
    share: bool = True
    pad_id: int | None = None

    @property
    def template(self) -> str:
        return self.tokenizer.chat_template

    @property
    def encoder(self) -> bool:
        return self.read == "first"

    @cached_property
    def digest(self) -> str:
        """Names the vocabulary, the template and the rules: equal digests give equal ids."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        vocabulary = repr(sorted(self.tokenizer.get_vocab().items())) if backend is None else backend.to_str()
        rules = (self.max_length, self.read, self.share, self.pad_id, sorted(self.tokenizer.special_tokens_map.items()))
        return digest(vocabulary, self.template, repr(rules))

    @cached_property
    def _marks(self):
        return marks(self.tokenizer)

    @cached_property
    def preamble(self) -> Ids:
        """What the template writes before any user's first word (a default system turn, say): ids, may be empty."""
        try:
            a, b = _ids([render(self.tokenizer, (message("user", text),)) for text in ("alpha", "Zürich")], self)
        except TemplateRefusal:
            return np.zeros(0, np.int32)
        same = np.flatnonzero(a[: len(b)] != b[: len(a)])
        return a[: int(same[0])] if len(same) else np.zeros(0, np.int32)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint writes down about it."""
        return {
            "max_length": self.max_length, "read": self.read, "share": self.share, "pad_id": self.pad_id,
            "template_digest": digest(self.template), "digest": self.digest,
        }  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """The ids of one record.

    `prompt` [*]: ids shared by all responses (empty when nothing may be shared); `responses`: what follows, per
    response. `cuts`: offsets inside `prompt` where the record itself can be cut, the last one its length; none when
    nothing is shared. `read`: index of the read point in each full sequence. `refused`: why the record cannot be used
    (the template does not take it, or it is `too_long`), else ''. `begin`: where each response's own tokens begin in
    its full sequence, where `with_beginnings` was asked; without it they follow `prompt`.
    """

    id: str
    prompt: Ids
    responses: tuple[Ids, ...]
    cuts: tuple[int, ...]
    read: tuple[int, ...]
    dropped_tokens: int = 0
    too_long: bool = False
    marked: bool = False
    refused: str = ""
    begin: tuple[int, ...] = ()

    def full(self, i: int) -> Ids:
        """The whole sequence of response i."""
        return np.concatenate([self.prompt, self.responses[i]])

    @property
    def longest(self) -> int:
        return len(self.prompt) + max(map(len, self.responses), default=0)


@dataclass(frozen=True)
class _Strings:
    full: tuple[str, ...]
    stem: str = ""  # the rendered prompt: what the responses may share
    system: str = ""  # its system turn alone


def encode(record: Preference, policy: TokenPolicy) -> Encoded:
    """Ids of one record; see `Encoded` for what cannot be used."""
    return encode_all([record], policy)[0]


def encode_all(records: Iterable[Preference], policy: TokenPolicy) -> list[Encoded]:
    """Ids of many records, tokenised a window at a time; one result per record, in order."""
    stream, found = iter(records), []
    while window := list(islice(stream, WINDOW)):
        for record, encoded in zip(window, _encode(window, policy), strict=True):
            if encoded.longest > policy.max_length:
                encoded = _fit(record, encoded, policy)[1]
            found.append(encoded)
    return found


def with_beginnings(records: Sequence[Preference], encoded: Sequence[Encoded], policy: TokenPolicy) -> list[Encoded]:
    """The encodings with `begin` where nothing is shared (encoders): after what the rendered prompt begins with alone.

    A response's own tokens are counted from the end, so that prompts which lost their beginning are treated alike.
    """
    out = list(encoded)
    at = [i for i, e in enumerate(encoded) if not len(e.prompt) and not e.refused]
    for i, whole in zip(at, _encode([records[i] for i in at], policy), strict=True):
        prompt = records[i].prompt
        text = "".join(m.text for m in prompt) if is_raw(records[i]) or not prompt else _stem(policy.tokenizer, prompt)
        (stem,) = _ids([text], policy)
        mark = int(policy.read == "first")  # the read point itself is no part of the response
        own = [len(full) - max(_shared(stem, full), mark) for full in whole.responses]
        begin = [max(len(ids) - max(n, 1), 0) for ids, n in zip(encoded[i].responses, own, strict=True)]
        out[i] = replace(encoded[i], begin=tuple(begin))
    return out


def _shared(one: Ids, other: Ids) -> int:
    """How many ids two sequences begin with alike."""
    n = min(len(one), len(other))
    differ = np.flatnonzero(one[:n] != other[:n])
    return int(differ[0]) if len(differ) else n


def texts(record: Preference, policy: TokenPolicy) -> list[str]:
    """The exact string behind each response's ids, after whatever had to be cut.

    Raises:
        TemplateRefusal: the template does not take the record.
    """
    (encoded,) = _encode([record], policy)
    if encoded.longest > policy.max_length:
        record, _ = _fit(record, encoded, policy)
    return list(_strings(record, policy).full)


def equal_after_cut(encoded: Encoded) -> bool:
    """Whether two responses have the same ids: nothing can be learned between them."""
    return len({ids.tobytes() for ids in encoded.responses}) < len(encoded.responses)


def _strings(record: Preference, policy: TokenPolicy) -> _Strings:
    tok, prompt = policy.tokenizer, record.prompt
    if is_raw(record):
        full = tuple(raw(tok, prompt, r, encoder=policy.encoder) for r in record.responses)
        return _Strings(full, "".join(m.text for m in prompt) if policy.share else "")
    full = tuple(render(tok, (*prompt, *r)) for r in record.responses)
    if not prompt or not policy.share:
        return _Strings(full)
    system = _stem(tok, prompt[:1]) if prompt[0].role == "system" and len(prompt) > 1 else ""
    return _Strings(full, _stem(tok, prompt, generation=True), system)


def _stem(tokenizer: Any, prompt: Conversation, *, generation: bool = False) -> str:
    """The rendered prompt, '' when the template refuses one without an answer."""
    try:
        return render(tokenizer, prompt, generation=generation)
    except TemplateRefusal:
        return ""


def _ids(strings: Sequence[str], policy: TokenPolicy) -> list[Ids]:
    if not strings:
        return []
    tok = policy.tokenizer
    if getattr(tok, "backend_tokenizer", None) is None:
        rows = tok(list(strings), add_special_tokens=False).input_ids
        return [np.array(row, np.int32) for row in rows]
    tok.backend_tokenizer.no_truncation()
    tok.backend_tokenizer.no_padding()
    tok.backend_tokenizer.encode_special_tokens = bool(getattr(tok, "split_special_tokens", False))
    found = tok.backend_tokenizer.encode_batch_fast(list(strings), add_special_tokens=False)
    return [np.array(e.ids, np.int32) for e in found]


def _encode(window: Sequence[Preference], policy: TokenPolicy) -> list[Encoded]:
    """Ids without regard to length; every distinct string is tokenised once."""
    drafts: list[_Strings | str] = []
    for record in window:
        try:
            drafts.append(_strings(record, policy))
        except TemplateRefusal as refusal:
            drafts.append(str(refusal))
    wanted = {s: None for d in drafts if isinstance(d, _Strings) for s in (*d.full, d.stem, d.system) if s}
    known = dict(zip(wanted, _ids(list(wanted), policy), strict=True))
    return [_assemble(r, d, known, policy) for r, d in zip(window, drafts, strict=True)]


def _assemble(record: Preference, draft: _Strings | str, known: dict[str, Ids], policy: TokenPolicy) -> Encoded:
    empty = np.zeros(0, np.int32)
    marked = bool(policy._marks) and not is_raw(record) and any(
        policy._marks.search(m.text) for turns in (record.prompt, *record.responses) for m in turns
    )  # fmt: skip
    if isinstance(draft, str):
        nothing = tuple(empty for _ in record.responses)
        return Encoded(record.id, empty, nothing, (), tuple(0 for _ in nothing), marked=marked, refused=draft)
    full = [known.get(s, empty) for s in draft.full]
    prompt = known.get(draft.stem, empty)
    if draft.stem and not all(_begins(f, prompt) for f in full):
        # some templates open an answer in other words than they write one: try the prompt without the opening
        bare = "" if is_raw(record) else _stem(policy.tokenizer, record.prompt)
        prompt = _ids([bare], policy)[0] if bare else empty
        prompt = prompt if all(_begins(f, prompt) for f in full) else empty
    system = known.get(draft.system, empty)
    cuts = tuple(sorted({*_openings(prompt, system, policy), len(prompt)} - {0}))
    read = tuple(_read(f, policy) for f in full)
    return Encoded(record.id, prompt, tuple(f[len(prompt) :] for f in full), cuts, read, marked=marked)


def _openings(prompt: Ids, system: Ids, policy: TokenPolicy) -> Iterator[int]:
    """Where a prompt can be cut so that what other records begin with too is a node of its own."""
    for opening, worth in ((system, SYSTEM_CUT), (policy.preamble, PREAMBLE_CUT)):
        if worth <= len(opening) < len(prompt) and _begins(prompt, opening):
            yield len(opening)


def _begins(whole: Ids, start: Ids) -> bool:
    return len(start) <= len(whole) and np.array_equal(whole[: len(start)], start)


def _read(full: Ids, policy: TokenPolicy) -> int:
    """The family's own rule: transformers takes the rightmost id that is not the pad id, whatever the mask says."""
    if policy.read == "first" or not len(full):
        return 0
    if policy.pad_id is None or full[-1] != policy.pad_id:
        return len(full) - 1
    kept = np.flatnonzero(full != policy.pad_id)
    return int(kept[-1]) if len(kept) else 0


def _fit(record: Preference, encoded: Encoded, policy: TokenPolicy) -> tuple[Preference, Encoded]:
    """The record with its oldest prompt turns gone until it fits, and its ids; `too_long` when it never does."""
    whole, original = encoded.longest, encoded
    while encoded.longest > policy.max_length:
        shorter = _without_oldest(record.prompt)
        if shorter is None:
            found = _cut_last(record, encoded, policy)
            if found is None:
                reason = f"{whole} tokens do not fit {policy.max_length}, even without the prompt's older turns"
                return record, replace(original, too_long=True, refused=reason)
            record, encoded = found
            break
        record = replace(record, prompt=shorter)
        (encoded,) = _encode([record], policy)
        if encoded.refused:
            return record, encoded
    return record, replace(encoded, dropped_tokens=whole - encoded.longest)


def _without_oldest(prompt: Conversation) -> Conversation | None:
    """The prompt without its oldest turn and its answer; None when only the last turn is left."""
    system = [m for m in prompt[:1] if m.role == "system"]
    turns = list(prompt[len(system) :])
    if len(turns) < 2:
        return None
    turns.pop(0)
    while len(turns) > 1 and turns[0].role not in ("user", "raw"):
        turns.pop(0)
    return (*system, *turns)


def _cut_last(record: Preference, encoded: Encoded, policy: TokenPolicy) -> tuple[Preference, Encoded] | None:
    """Cut the beginning of the prompt's last turn, token by token, keeping its end."""
    if not record.prompt or record.prompt[-1].role == "system":
        return None
    last = record.prompt[-1]
    size, starts = _starts(last.text, policy)
    drop = 0
    while encoded.longest > policy.max_length:
        drop += encoded.longest - policy.max_length
        if drop >= size:
            return None
        shorter = replace(record, prompt=(*record.prompt[:-1], message(last.role, last.text[starts[drop] :])))
        (encoded,) = _encode([shorter], policy)
    return shorter, encoded


def _starts(text: str, policy: TokenPolicy) -> tuple[int, list[int]]:
    """The number of tokens of a text and where each begins."""
    backend = getattr(policy.tokenizer, "backend_tokenizer", None)
    if backend is None:
        n = len(policy.tokenizer(text, add_special_tokens=False).input_ids)
        return n, [i * len(text) // n for i in range(n)]
    offsets = backend.encode(text, add_special_tokens=False).offsets
    return len(offsets), [start for start, _ in offsets]
