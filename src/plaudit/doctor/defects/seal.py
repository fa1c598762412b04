"""The seal: whether the files are those that were saved."""

import json

from plaudit import folders
from plaudit.doctor.findings import Finding, broken, healthy
from plaudit.doctor.subject import Subject
from plaudit.models.backbone import FACTS


def diagnose(subject: Subject) -> Finding:
    path = subject.folder / folders.SEAL
    if not path.is_file():
        if (subject.folder / FACTS).is_file():
            return broken("plaudit wrote it, and its seal is gone: the save or a copy was cut short; copy it again")
        return healthy("not sealed: nothing proves that the files are those that were saved")
    if folders.is_sealed(subject.folder, deep=True):
        return healthy()
    changed = _changed(subject)
    named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return broken(f"files differ from the seal: {named or folders.SEAL}; copy the checkpoint again, or train it again")


def _changed(subject: Subject) -> list[str]:
    try:
        files = json.loads((subject.folder / folders.SEAL).read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError):
        return []
    return [
        name
        for name, entry in files.items()
        if not (subject.folder / name).is_file() or folders.file_digest(subject.folder / name) != entry["digest"]
    ]
