"""Pad and end mark: one token for both, none at all, or two opinions about it.

transformers reads the rightmost token that is not the pad id, whatever the mask says. With pad = eos the end mark is
never read, and engines that pool the last token give another number.
"""

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject


def diagnose(subject: Subject) -> Finding:
    tokenizer, config = subject.tokenizer, subject.config
    if tokenizer is None or config is None:
        raise SkipCheck("transformers cannot read its tokenizer or configuration")
    pad, own = tokenizer.pad_token_id, getattr(config.get_text_config(), "pad_token_id", None)
    if pad is None and own is None:
        return broken(
            "no pad token: batches above one raise in transformers, and each tool picks its own; "
            f"{subject.anew} adds one that is not the end mark"
        )
    if pad is None or own is None:
        where = "tokenizer" if pad is None else "config"
        other = "config" if pad is None else "tokenizer"
        return broken(f"the {where} has no pad token; set the one of the {other}, or let {subject.anew} do it")
    if pad != own:
        return broken(
            f"the tokenizer pads with {pad}, the config looks for {own}: padded batches are read at the wrong token; "
            f"set the one that the head was trained with in both ({subject.anew} takes the config's)"
        )
    if pad == tokenizer.eos_token_id:
        return broken(
            "pad and end mark are the same token: the end mark is never read, and engines that read the last token "
            "give another number; score with transformers or plaudit only, or train the head again with another pad"
        )
    return healthy()
