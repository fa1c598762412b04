"""From a conversation to the one string that is tokenised: the tokenizer's chat template, or a plain one given to it.

A tokenizer without a template gets one (and keeps it when the checkpoint is saved), so that every tool that reads the
checkpoint renders the same text. Decoders get `Human:` and `Assistant:` lines ended by the end mark, encoders one
segment per turn: `[CLS]prompt[SEP]response[SEP]`.
"""

import re
from collections.abc import Sequence
from typing import Any

from plaudit.errors import PlauditError
from plaudit.records import RAW, Conversation, Preference

PINNED_DATE = "26 Jul 2024"  # what Llama's own templates say when nobody tells them the date
_PIN = "{%- macro strftime_now(format) -%}" + PINNED_DATE + "{%- endmacro -%}"
_PLAIN = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
    "{% elif m['role'] == 'assistant' %}{{ '\\n\\nAssistant: ' + m['content'] }}"
    "{% else %}{{ '\\n\\nHuman: ' + m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n\\nAssistant:' }}"
    "{% elif not messages[-1]['content'].endswith(eos_token | default('')) %}{{ eos_token }}{% endif %}"
)
_SEGMENTS = "{{ FIRST }}{% for m in messages %}{{ m['content'] + SEP }}{% endfor %}"


class TemplateRefusal(PlauditError):
    """The chat template does not take this conversation; the message is its own reason."""


def adopt(tokenizer: Any, *, encoder: bool) -> list[str]:
    """Make sure that the tokenizer has one template, and one that says the same every day. Returns what was done.

    Raises:
        PlauditError: the template draws at random.
    """
    found = tokenizer.chat_template
    if isinstance(found, dict):
        found = found.get("default") or next(iter(found.values()), None)
    notes = []
    if not found:
        found = _segments(tokenizer) if encoder else _plain(tokenizer)
        notes.append("its tokenizer has no chat template; a plain one is used and saved with it")
    if re.search(r"\|\s*random\b", found):
        raise PlauditError("the chat template draws at random: no score could be repeated", advice="edit the template")
    if "strftime_now" in found and _PIN not in found:
        found = _PIN + found
        notes.append(
            f"its chat template inserts today's date, so scores would change overnight; pinned to {PINNED_DATE}"
        )
    tokenizer.chat_template = found
    return notes


def _plain(tokenizer: Any) -> str:
    ids = tokenizer("a").input_ids
    begins = tokenizer.bos_token_id is not None and ids and ids[0] == tokenizer.bos_token_id
    return ("{{ bos_token }}" if begins else "") + _PLAIN


def _segments(tokenizer: Any) -> str:
    first = "cls_token" if tokenizer.cls_token else "bos_token" if tokenizer.bos_token else "''"
    between = "sep_token" if tokenizer.sep_token else "eos_token" if tokenizer.eos_token else "' '"
    return _SEGMENTS.replace("FIRST", first).replace("SEP", between)


def render(tokenizer: Any, messages: Conversation, *, generation: bool = False) -> str:
    """The conversation as the template writes it; `generation` adds the opening of an answer.

    Raises:
        TemplateRefusal: roles, order or contents that the template does not take.
    """
    for m in messages:
        if any(not isinstance(part, str) and part.get("type", "text") != "text" for part in m.parts):
            raise TemplateRefusal("a message carries other media than text")
    turns = [{"role": m.role, "content": m.text} for m in messages]
    try:
        return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generation)
    except Exception as error:  # templates are programs of strangers: whatever they raise is a refusal of this row
        raise TemplateRefusal(f"the chat template refuses the conversation: {error}") from error


def is_raw(record: Preference) -> bool:
    """Whether the record is text already rendered for a model."""
    return any(m.role == RAW for turns in (record.prompt, *record.responses) for m in turns)


def raw(tokenizer: Any, prompt: Conversation, response: Conversation, *, encoder: bool) -> str:
    """Rendered text passes untouched; an end mark is added unless it is there, and an encoder's two marks."""
    text = "".join(m.text for m in (*prompt, *response))
    end = (tokenizer.sep_token or tokenizer.eos_token if encoder else tokenizer.eos_token) or ""
    first = (tokenizer.cls_token or tokenizer.bos_token or "") if encoder else ""
    return ("" if text.startswith(first) else first) + text + ("" if text.endswith(end) else end)


def marks(tokenizer: Any) -> re.Pattern[str] | None:
    """Finds a tokenizer's special tokens inside the words of a message, where they become marks like any other."""
    known: Sequence[str] = sorted({t for t in tokenizer.all_special_tokens if t}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, known))) if known else None
