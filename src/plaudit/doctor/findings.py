"""What the doctor writes down: one check per path or defect, and the report that holds them."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["pass", "fail", "skip"]


class SkipCheck(Exception):
    """A check that does not apply here; `str` is the reason and what to do about it."""


@dataclass(frozen=True)
class Finding:
    """One answer. A `pass` may carry advice: something to know that changes no number by itself."""

    status: Status
    advice: str = ""
    deviation: float | None = None


def healthy(advice: str = "", deviation: float | None = None) -> Finding:
    """Nothing wrong, perhaps something to know."""
    return Finding("pass", advice, deviation)


def broken(advice: str, deviation: float | None = None) -> Finding:
    """Something that changes numbers without a word; the advice says what to do."""
    return Finding("fail", advice, deviation)


@dataclass(frozen=True)
class Check:
    """A finding under its name. `deviation` is relative to max(1, |score|), None where nothing was compared."""

    name: str
    status: Status
    deviation: float | None
    advice: str


@dataclass(frozen=True)
class Report:
    """Everything that was found out about one checkpoint.

    `allowed`: paths that passed beyond the tolerance, by an allowance of their own.

    >>> report = Report("rm/final", "llama", "float32", 1e-5, 24, (Check("seal", "pass", None, ""),))
    >>> report.ok, report.document()["checks"][0]["name"]
    (True, 'seal')
    """

    checkpoint: str
    family: str
    dtype: str
    tolerance: float
    sequences: int
    checks: tuple[Check, ...]
    allowed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(check.status != "fail" for check in self.checks)

    def held(self) -> str:
        """How near every number is, in words; paths that passed by an allowance are named with their own bound.

        >>> found = Report("rm", "llama", "float32", 1e-5, 24, (Check("left", "pass", 3e-5, ""),), ("left",))
        >>> found.held()
        'every number within 1e-05 of max(1, |score|), but left within 3e-05'
        """
        said = f"every number within {self.tolerance:g} of max(1, |score|)"
        loose = [f"{name} within {self.check(name).deviation:.1g}" for name in self.allowed]
        return said + (f", but {', '.join(loose)}" if loose else "")

    def check(self, name: str) -> Check:
        """The check of that name."""
        return next(c for c in self.checks if c.name == name)

    def document(self) -> dict[str, Any]:
        """The values of `plaudit doctor --json`."""
        return {"ok": self.ok, **{k: v for k, v in asdict(self).items() if k != "checks"},
                "checks": [asdict(check) for check in self.checks]}  # fmt: skip
