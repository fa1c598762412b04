"""NeMo-RL preferences: `context` (messages) and `completions`, each with a `rank` (lower wins) and `completion`."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, items, kind, spoken, whole
from plaudit.data.layouts._pairs import PAIR_FIELDS, beside, judged, plain, refuse, refuse_raw, sides
from plaudit.errors import DataError
from plaudit.records import Preference, Record

SPECIFICITY = 40
HOLDS = PAIR_FIELDS
READ_BY_TOOL: frozenset[str] = frozenset()
PARQUET = {"context": "messages", "completions": "ranked"}


def recognises(row: Row) -> bool:
    found = row.get("completions")
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        return False
    return "context" in row and "rank" in found[0] and "completion" in found[0]


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    context = row.get("context")
    prompt = spoken(context, "context", where, "user")
    answers, ranks = [], []
    for i, item in enumerate(items(row, "completions", where), 1):
        if type(item) is not dict:
            raise DataError(where, f"completion {i} is {kind(item)}, not an object")
        ranks.append(whole(item, "rank", where))
        said = item.get("completion")
        answers.append(spoken(said, "completion", where, "assistant"))
    if len(answers) < 2:
        raise DataError(where, f"{len(answers)} completion where two or more must be")
    names = [f"completion {i}" for i in range(1, len(answers) + 1)]
    place = {rank: i for i, rank in enumerate(sorted(set(ranks)))}
    return (judged(row, where, prompt, tuple(answers), tuple(place[r] for r in ranks), names=names),)


def write(record: Record) -> Row:
    """Two completions, better first: NeMo-RL takes exactly two, and would train on a tie as on a preference."""
    record, chosen, rejected = sides(record)
    refuse_raw(record)
    if not record.prompt:
        raise refuse(record, "no prompt")
    ranked = [{"rank": 0, "completion": plain(chosen)}, {"rank": 1, "completion": plain(rejected)}]
    return {"context": plain(record.prompt), "completions": ranked, **beside(record)}


def swap(row: Row, record: Preference) -> Row:
    """Two completions exchange their ranks; a longer list is not a pair and stays."""
    found = row["completions"]
    if len(found) == 2:
        found[0]["rank"], found[1]["rank"] = found[1]["rank"], found[0]["rank"]
    return row
