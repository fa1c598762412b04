"""The chat template: missing, changing with the date or at random, or not the one that the head was trained with."""

import re

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject
from plaudit.records import digest

DAYS = ("01 Jan 2001", "02 Feb 2022")
TALKS = (("user", "assistant"), ("system", "user", "assistant"))  # some date a system turn only, some its absence


def diagnose(subject: Subject) -> Finding:
    tokenizer = subject.tokenizer
    if tokenizer is None:
        raise SkipCheck("transformers cannot read its tokenizer")
    found = tokenizer.chat_template
    if isinstance(found, dict):
        found = found.get("default") or next(iter(found.values()), None)
    if not found:
        return _missing(subject)
    if re.search(r"\|\s*random\b", found):
        return broken("its chat template draws at random: no score can be repeated; edit the template")
    if _dated(tokenizer, found):
        return broken(
            f"its chat template inserts the date, so scores change overnight elsewhere; {subject.anew} saves it with "
            "the date pinned"
        )
    facts = subject.facts.get("policy")
    trained = facts.get("template_digest") if isinstance(facts, dict) else None
    if trained and trained != digest(found):
        return broken(
            "its chat template is not the one it was trained with (the digest in plaudit.json differs); put back the "
            "tokenizer files of the run"
        )
    return healthy()


def _missing(subject: Subject) -> Finding:
    advice = (
        "its tokenizer has no chat template, so each tool renders conversations in its own way; set "
        "tokenizer.chat_template to what it was trained with"
    )
    encoder = subject.loaded is not None and subject.loaded.policy.encoder
    return healthy(advice) if encoder else broken(advice)


def _dated(tokenizer, template: str) -> bool:
    """Whether the rendering differs between two days; the words of the template alone would not tell."""
    seen: dict[tuple[str, ...], set[str]] = {}
    for day in DAYS:
        today = "{%- macro strftime_now(format) -%}" + day + "{%- endmacro -%}"
        for roles in TALKS:
            turns = [{"role": role, "content": "Hello"} for role in roles]
            try:
                shown = tokenizer.apply_chat_template(turns, chat_template=today + template, tokenize=False)
            except Exception:  # a template is a stranger's program; that it refuses is told by `loads`
                continue
            seen.setdefault(roles, set()).add(shown)
    return any(len(texts) > 1 for texts in seen.values()) if seen else "strftime_now" in template
