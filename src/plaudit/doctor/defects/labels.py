"""A head of more or fewer than one number."""

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject


def diagnose(subject: Subject) -> Finding:
    if subject.config is None:
        raise SkipCheck("transformers cannot read its configuration")
    if subject.adapter:
        raise SkipCheck("adapters say nothing of labels; see `adapter`")
    if subject.config.num_labels == 1:
        return healthy()
    return broken(
        f"its config has {subject.config.num_labels} labels (2 when it names none): loaders draw a head of another "
        'shape or return several numbers; set one entry in "id2label" of config.json, or train a head of one label'
    )
