"""Errors that say where, what and what to do; the command line turns them into one line and an exit status."""

from collections.abc import Callable
from typing import Any


class PlauditError(Exception):
    """Something the user can mend. `str(error)` is the whole message.

    >>> PlauditError("no such model", advice="see `plaudit models`").exit_status
    2
    """

    exit_status = 2

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message, advice)
        self.message, self.advice = message, advice

    def __reduce__(self):  # keyword-only arguments do not survive the default pickling
        return _remake, (type(self), self.__dict__.copy())

    def __str__(self) -> str:
        return f"{self.message}\n  {self.advice}" if self.advice else self.message


class DataError(PlauditError):
    """A row or file that cannot be used: `where` is file:line, or file:record in arrays, csv and parquet.

    >>> print(DataError("hh.jsonl:8", "chosen and rejected answer different prompts"))
    hh.jsonl:8: chosen and rejected answer different prompts
    """

    def __init__(self, where: str, reason: str, *, advice: str = "") -> None:
        super().__init__(f"{where}: {reason}", advice=advice)
        self.where, self.reason = where, reason


class OptionError(PlauditError):
    """One or more wrong options; every mistake is reported at once, one a line."""

    def __init__(self, mistakes: list[str], *, advice: str = "") -> None:
        super().__init__("\n".join(mistakes), advice=advice)
        self.mistakes = mistakes


def all_of(*checks: Callable[[], Any]) -> list[Any]:
    """What each check returns, or one error with the mistakes of all of them.

    Raises:
        OptionError: any of them did.
    """
    found, refused = [], []
    for check in checks:
        try:
            found.append(check())
        except OptionError as error:
            refused.append(error)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        advice = "\n  ".join(dict.fromkeys(error.advice for error in refused if error.advice))
        raise OptionError([mistake for error in refused for mistake in error.mistakes], advice=advice)
    return found


class GateError(PlauditError):
    """The work was done and its result fell short of the gate asked for."""

    exit_status = 1


class Interrupted(PlauditError):
    """Stopped by the user; what was done is kept and the same command with --resume goes on."""

    exit_status = 130


def _remake(kind: type[PlauditError], state: dict) -> PlauditError:
    error = kind.__new__(kind)
    Exception.__init__(error, state.get("message", ""))
    error.__dict__.update(state)
    return error
