"""What every diagnosis promises, as checks that a test or an outside package runs: `for check in CHECKS: ...`.

A module holds `diagnose(subject) -> Finding`. It raises `SkipCheck` with the reason where nothing can be told. A `fail`
says what to do; a `pass` may carry something to know. The subject is of a healthy checkpoint in a folder.
"""

from dataclasses import replace
from types import ModuleType

from plaudit.doctor.findings import Finding, SkipCheck
from plaudit.doctor.subject import Subject
from plaudit.folders import file_digest


def asked(module: ModuleType, subject: Subject) -> Finding:
    """The finding; a `skip` where nothing can be told."""
    try:
        found = module.diagnose(subject)
    except SkipCheck as reason:
        assert str(reason), "a diagnosis that is skipped says why"
        return Finding("skip", str(reason))
    assert isinstance(found, Finding)
    assert found.advice or found.status == "pass", "who calls something broken says what to do"
    return found


def described(module: ModuleType, subject: Subject) -> None:
    """The first line of its docstring names the defect."""
    assert (module.__doc__ or "").splitlines()[0].endswith((".", ":"))


def healthy(module: ModuleType, subject: Subject) -> None:
    """A healthy checkpoint is not called ill, and a second look finds the same."""
    found = asked(module, subject)
    assert found.status != "fail", found.advice
    assert asked(module, subject) == found


def unreadable(module: ModuleType, subject: Subject) -> None:
    """Where nothing could be loaded it still answers in words."""
    lost = replace(subject, loaded=None, config=None, tokenizer=None, refusal="its files are cut short")
    asked(module, lost)


def looks_only(module: ModuleType, subject: Subject) -> None:
    """No file of the checkpoint is written."""
    files = sorted(path for path in subject.folder.rglob("*") if path.is_file())
    before = [file_digest(path) for path in files]
    asked(module, subject)
    assert sorted(path for path in subject.folder.rglob("*") if path.is_file()) == files
    assert [file_digest(path) for path in files] == before


CHECKS = [described, healthy, unreadable, looks_only]
