"""What a reader refuses to hold in memory: each limit has a name, a default, and a place in the message it causes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on hostile or broken input.

    `line_bytes`: longest line, array element or csv record. `depth`: deepest nesting of lists and objects.
    `sniff_rows`, `sniff_bytes`: how much is looked at before the layout is decided.
    """

    line_bytes: int = 64 << 20
    depth: int = 64
    sniff_rows: int = 50
    sniff_bytes: int = 16 << 20


LIMITS = Limits()
KEPT_OF_LONG = 1024  # bytes held of a line over the limit, to recognise it by
