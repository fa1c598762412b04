"""The user's screen: tables and one JSON document on stdout, notes and progress bars on stderr.

Texts are hostile: control characters, ANSI escapes and right-to-left overrides are shown, never obeyed.
"""

import json
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


def clean(text: str, width: int | None = None) -> str:
    """Text that is safe to print: every control, format or surrogate character becomes its escape.

    >>> clean("a\\x1b[31mb\\u202ec\\n")
    'a\\\\x1b[31mb\\\\u202ec\\\\n'
    """
    if text.isprintable():
        out = text
    else:
        out = "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _HOSTILE else c for c in text)
    return out if width is None or len(out) <= width else out[: max(width - 1, 0)] + "…"


def lines(text: str) -> str:
    """The same for text of several lines: its line breaks stay."""
    return "\n".join(clean(line) for line in text.split("\n"))


_HOSTILE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def document(values: Any) -> None:
    """Print the one JSON document of a `--json` run."""
    sys.stdout.write(as_json(values))


PLAIN_LINE = 30.0  # seconds between lines where there is no terminal to draw a bar on


def as_json(values: Any) -> str:
    """The values as a JSON document. NaN never leaves: it is null.

    >>> as_json({"low": float("nan")})
    '{\\n "low": null\\n}\\n'
    """
    return json.dumps(_finite(values), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_finite(str(k)): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def note(text: str) -> None:
    """A line for the person at the screen, on stderr."""
    print(lines(text), file=sys.stderr, flush=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout: first column to the left, numbers to the right, cells escaped.

    Where the screen is too narrow for that without breaking words, a block of `column  value` lines for every row.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 140)
    names, cells = [clean(name) for name in columns], [[_cell(v) for v in row] for row in rows]
    numeric = [i > 0 and all(isinstance(r[i], int | float) or r[i] in ("", None, "-") for r in rows)
               for i in range(len(names))]  # fmt: skip
    least = [_least(name, [row[i] for row in cells], numeric[i]) for i, name in enumerate(names)]
    if title:
        console.print(Text(clean(title)), soft_wrap=True)  # a grid's own title would be folded to the grid's width
    if sum(least) + 3 * (len(least) - 1) <= console.width or len(names) < 3:
        console.print(_grid(names, cells, numeric, least if sum(least) < console.width else None))
        return
    for row in cells:
        console.print(_grid(["", ""], [list(pair) for pair in zip(names, row, strict=True)], [False, False], None))


_TEXT = 24  # characters of a column of words that are never folded further


def _least(name: str, cells: Sequence[str], numeric: bool) -> int:
    """The width under which a column cannot be read: words of its name, whole numbers, the beginning of texts."""
    word = max((len(w) for w in name.split()), default=0)
    widest = max((len(c) for c in cells), default=0)
    return max(word, widest if numeric else min(widest, _TEXT))


def _grid(names: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], least: Any) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(names))
    for i, name in enumerate(names):
        grid.add_column(Text(name), justify="right" if numeric[i] else "left", overflow="fold",
                        min_width=least[i] if least else None)  # fmt: skip
    for row in cells:
        grid.add_row(*(Text(v) for v in row))
    return grid


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else clean(str(value))


_WIDE = 118  # characters that a bar with all its facts takes


@contextmanager
def progress(what: str, total: int | None) -> Iterator["Progress"]:
    """A progress bar on stderr with rate and time left; without a terminal a plain line every half minute.

    >>> with progress("scoring", 3) as bar:
    ...     bar.advance(3, accuracy=0.5)
    """
    from rich import progress as bars
    from rich.console import Console
    from rich.table import Column

    console = Console(file=sys.stderr)
    whole = [bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn()]
    narrow = [bars.MofNCompleteColumn(table_column=Column(no_wrap=True))]
    facts = bars.TextColumn("{task.fields[facts]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    left = bars.TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True))
    columns = [*whole, facts, bars.TimeElapsedColumn(), left] if console.width >= _WIDE else [*narrow, left, facts]
    with bars.Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as shown:
        yield Progress(shown, shown.add_task(clean(what), total=total, facts=""), plain=not console.is_terminal)


class Progress:
    """A running bar; `advance` moves it and shows the latest facts."""

    def __init__(self, shown: Any, task: Any, *, plain: bool) -> None:
        self._shown, self._task, self._plain, self._said = shown, task, plain, time.monotonic()
        self._early = 0.0

    def early(self, steps: float) -> None:
        """Move for work that is done but not handed on yet; the next `advance` of as many steps moves no more."""
        self._early += steps
        self._move(steps)

    def advance(self, steps: float = 1, **facts: Any) -> None:
        moved = min(steps, self._early)
        self._early -= moved
        self._move(steps - moved, **facts)

    def _move(self, steps: float, **facts: Any) -> None:
        if facts:
            text = " ".join(f"{k} {_cell(v)}" for k, v in facts.items())
            self._shown.update(self._task, facts=text)
        self._shown.advance(self._task, steps)
        if self._plain and time.monotonic() - self._said > PLAIN_LINE:
            self._said = time.monotonic()
            task = self._shown.tasks[self._task]
            of = f" of {int(task.total):,}" if task.total else ""
            note(f"{task.description}: {int(task.completed):,}{of} {task.fields['facts']}".rstrip())
