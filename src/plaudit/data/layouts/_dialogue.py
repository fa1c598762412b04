"""Dialogues written as one text, their turns told apart by marks."""

import re

from plaudit.errors import DataError
from plaudit.records import Conversation, Message

_HUMAN_ASSISTANT = re.compile(r"\n\n(Human|Assistant):").split  # begins with plain text: found faster
_EXTRA_ID = re.compile(r"\n?<extra_id_[01]>(System|User|Assistant)\n").split
_ROLES = {"Human": "user", "Assistant": "assistant", "User": "user", "System": "system"}


def transcript(text: str, key: str, where: str) -> Conversation:
    r"""Turns of a text marked `\n\nHuman:` and `\n\nAssistant:`; the two newlines may be missing at its start.

    One space after a mark belongs to the mark. Text before the first mark is a system turn.

    >>> [(m.role, m.text) for m in transcript("Human: Hi\n\nAssistant: Hello", "chosen", "a:1")]
    [('user', 'Hi'), ('assistant', 'Hello')]
    """
    pieces = _HUMAN_ASSISTANT("\n\n" + text if text.startswith(("Human:", "Assistant:")) else text)
    if len(pieces) < 3:
        raise DataError(where, f"{key} has no Human: or Assistant: marks")
    turns = [
        Message(_ROLES[pieces[i]], (pieces[i + 1][1:] if pieces[i + 1][:1] == " " else pieces[i + 1],))
        for i in range(1, len(pieces), 2)
    ]
    if pieces[0].strip():
        turns.insert(0, Message("system", (pieces[0],)))
    return tuple(turns)


def extra_ids(text: str) -> Conversation:
    r"""Turns of a text marked `<extra_id_0>System`, `<extra_id_1>User`, `<extra_id_1>Assistant`, as NeMo writes it.

    Text before the first mark is a user turn; what follows `<extra_id_2>` (labels) is dropped. No marks: one user turn.

    >>> [(m.role, m.text) for m in extra_ids("Hi\n<extra_id_1>Assistant\nHello\n<extra_id_1>User\nBye")]
    [('user', 'Hi'), ('assistant', 'Hello'), ('user', 'Bye')]
    """
    pieces = _EXTRA_ID(text.split("\n<extra_id_2>", 1)[0])
    turns = [Message(_ROLES[pieces[i]], (pieces[i + 1],)) for i in range(1, len(pieces), 2)]
    if pieces[0].strip() or not turns:
        turns.insert(0, Message("user", (pieces[0],)))
    return tuple(message for message in turns if message.role != "system" or message.text.strip())
