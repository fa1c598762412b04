"""A squashing function between logit and caller: the pipeline, vLLM and others apply one unless told."""

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject


def diagnose(subject: Subject) -> Finding:
    if subject.config is None:
        raise SkipCheck("transformers cannot read its configuration")
    subject.of_others()  # a base that others cannot even name has no caller there
    kind = subject.raw_config.get("problem_type") or getattr(subject.config, "problem_type", None)
    if kind == "regression":
        return healthy()
    said = f"problem_type is {kind!r}" if kind else "the config names no problem_type"
    return broken(
        f"{said}: the text-classification pipeline and vLLM put a sigmoid or softmax over the score, and large rewards "
        'all become 1; set "problem_type": "regression" in config.json'
    )
