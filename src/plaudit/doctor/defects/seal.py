"""The seal: whether the files are those that were saved."""

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
    changed = folders.changed_files(subject.folder)
    if not changed:
        return healthy()
    named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return broken(f"files differ from the seal: {named}; copy the checkpoint again, or train it again")
