"""RMB pairs: `conversation_input`, `chosen` and `reject` objects with `llm_name` and `answer`, `category_path`."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, mapping, text, turns
from plaudit.data.layouts._pairs import exchange, judged
from plaudit.errors import DataError
from plaudit.records import Conversation, Preference, message

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return "conversation_input" in row and isinstance(row.get("chosen"), dict) and "reject" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = asked(row, where)
    better, worse = mapping(row, "chosen", where), mapping(row, "reject", where)
    sides = tuple((message("assistant", text(each, "answer", where)),) for each in (better, worse))
    tags = names_of(row, ("chosen_model", better), ("rejected_model", worse))
    return (judged(row, where, prompt, sides, id=str(row.get("pair_uid") or ""), tags=tags),)


def asked(row: Row, where: str) -> Conversation:
    """The conversation before the answers; rows whose text is withheld are refused by name."""
    if row.get("text_withheld") is True:
        raise DataError(where, "the text is withheld")
    return turns(row.get("conversation_input"), "conversation_input", where)


def names_of(row: Row, *models: tuple[str, Row]) -> dict[str, str]:
    """Tags: category, language, and the models that answered."""
    tags = {name: str(each.get("llm_name")) for name, each in models if each.get("llm_name")}
    first = row["conversation_input"][0] if row["conversation_input"] else {}
    if isinstance(first, dict) and first.get("language"):
        tags["language"] = str(first["language"])
    path = str(row.get("category_path") or "").split("/")
    if len(path) > 1:
        tags["domain"], tags["category"] = path[1], "/".join(path[2:])
    return tags


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "reject"))
