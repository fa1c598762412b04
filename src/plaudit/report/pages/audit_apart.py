"""What an audit says of files that were learned by themselves, because they ask for different things."""

from collections.abc import Mapping
from typing import Any

from plaudit.report.pages.frame import NAME, share, visible


def apart(found: Mapping[str, Any]) -> str:
    """What came of learning every file by itself; empty where it was not tried or changed nothing.

    >>> apart({"apart": {"done": True, "by": "auto", "together": 0.57, "apart": 0.65, "ahead": 0.08, "low": 0.06,
    ...                  "high": 0.1, "parts": {"a.jsonl": {}, "b.jsonl": {}}}})[:57]
    'Every file was learned by itself: a.jsonl, b.jsonl. Heads'
    """
    told = found.get("apart")
    if not told or not told["done"]:
        return ""
    gap, low, high = (f"{100 * told[k]:+.1f}" for k in ("ahead", "low", "high"))
    what = "value of the tag" if told["by"].startswith("tag:") else "file"
    names = [visible(name, NAME) for name in list(told["parts"])[:5]]
    more = f" and {len(told['parts']) - 5} more" if len(told["parts"]) > 5 else ""
    text = (
        f"Every {what} was learned by itself: {', '.join(names)}{more}. Heads that learn from all rows agree with "
        f"{share(told['together'])} of these labels, heads of one {what} with {share(told['apart'])} ({gap} points, "
        f"{low} to {high})"
    )
    if told["low"] > 0:
        return f"{text}: they seem to ask for different things, so look before you train one model on all of them."
    return f"{text}."
