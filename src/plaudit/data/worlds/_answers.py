"""How an answer of the text world is planned, written and valued.

Gold reward, with every attribute in [0, 1] except `extras`:

    gold = 3 R C + 2 R K + 1.2 F + T (0.5 + 0.5 R C) - 0.1 extras

R relevance (answers this prompt, not its neighbour), C share of the given parts that are right, K share of the parts
asked for that are there, F the form that was asked for, T tone. The products are the interactions: an answer to
something else gains nothing by being right or complete, and politeness is worth half when nothing is right.
"""

from dataclasses import dataclass, replace

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import Task

FORM_WISHES = {
    "": ("",),
    "bullets": ("Please answer as a bulleted list.", "Bullet points, please.", "A bulleted list would suit me best."),
    "numbered": ("Please number the points.", "A numbered list would be easiest to follow.",
                 "Number your points, please."),
    "prose": ("No lists, please, just plain sentences.", "Please write it as running text.",
              "I would rather have a paragraph than a list."),
    "brief": ("Two sentences are enough.", "Please keep it to two sentences.", "No more than two sentences, please."),
}  # fmt: skip
TONE_WISHES = {
    "": ("",),
    "formal": ("Please keep the tone formal.", "I would like a formal answer.", "Formal wording, please."),
    "casual": ("Keep it casual.", "Write as you would to a friend.", "No need to be formal."),
}
OPENERS = {
    "plain": (),
    "warm": ("I am glad to help with this.", "What a nice question!", "I can see why you ask, and I am happy to help."),
    "formal": ("Thank you for your enquiry.", "I am pleased to advise as follows.",
               "With regard to your enquiry, I may reply as follows."),
    "casual": ("Hey, no worries.", "Okay, here goes.", "Sure, let's have a look."),
    "brusque": ("You could have looked this up yourself.", "I have better things to do, but fine.",
                "This is hardly worth asking."),
}  # fmt: skip
CLOSERS = {
    "plain": (),
    "warm": ("I hope this helps, and do tell me how it goes!", "All the best with it!",
             "I am keeping my fingers crossed for you!"),
    "formal": ("Please do not hesitate to contact me with further questions.", "I trust that this is of assistance.",
               "I remain at your disposal."),
    "casual": ("Shout if you get stuck.", "Easy as that.", "Have fun!"),
    "brusque": ("Do not ask me again.", "Even you should manage that.", "That will have to do."),
}  # fmt: skip
STARTS = (
    "I have been asked about this before.", "I have thought about it for a moment.", "You are not the first to wonder.",
    "Let me think.", "Here is what I would say.", "This is how I see it.",
)  # fmt: skip
SUITS = {  # how far a tone suits what was asked for
    "": {"plain": 1.0, "warm": 1.0, "formal": 1.0, "casual": 1.0, "brusque": 0.0},
    "formal": {"plain": 0.5, "warm": 0.5, "formal": 1.0, "casual": 0.0, "brusque": 0.0},
    "casual": {"plain": 0.5, "warm": 0.5, "formal": 0.0, "casual": 1.0, "brusque": 0.0},
}
WARMTH = {"plain": 0.0, "warm": 1.0, "formal": -1.0, "casual": 0.5, "brusque": -0.5}


@dataclass(frozen=True, slots=True)
class Plan:
    """What an answer will be like. `wrong` and `missing` index the parts that were asked for."""

    relevant: bool
    wrong: tuple[int, ...]
    missing: tuple[int, ...]
    form: str
    tone: str
    extras: int


def wishes(task: Task, draw: Draw) -> tuple[str, str]:
    """The form and the tone that the prompt asks for; '' where it does not care."""
    forms = [f for f in task.forms if f != "brief" or len(task.parts) <= 2]
    form = draw.pick(forms) if forms and draw.chance(0.5) else ""
    tone = draw.pick(("formal", "casual")) if draw.chance(0.25) else ""
    return form, tone


def plan(task: Task, form: str, tone: str, draw: Draw) -> Plan:
    """Faults are independent of one another and of the number of extra sentences, so length says little."""
    n = len(task.parts)
    relevant = not draw.chance(0.2)
    wrong = tuple(draw.subset(range(n), draw.pick((1, 1, 2)))) if relevant and draw.chance(task.slips) else ()
    missing = (draw.below(n),) if draw.chance(0.3) else ()
    got = "brief" if form == "brief" and draw.chance(0.55) else ""
    if not got:
        got = form if form in ("bullets", "numbered", "prose") and draw.chance(0.55) else ""
    if not got:
        got = draw.pick([f for f in ("prose", "prose", "prose", "bullets", "numbered") if f != form])
    voice = tone if tone and draw.chance(0.5) else draw.pick(("plain", "plain", "warm", "formal", "casual", "brusque"))
    extras = draw.pick((0, 0, 1, 1, 2))
    if form == "brief":
        got, extras = (got, 0) if got == "brief" else ("prose", max(extras, 2))
    if got == "brief":  # two sentences leave no room for a tone
        voice = "plain"
    if task.letter is not None:
        got = "letter"
    if missing and form != "brief" and (not short(task) or draw.chance(0.4)):
        extras += 1  # a shorter answer would give the fault away
    return Plan(relevant, tuple(i for i in wrong if i not in missing), missing, got, voice, extras)


def short(task: Task) -> bool:
    """Whether its sentences are shorter than the idle ones, so that swapping them would make an answer longer."""
    return sum(len(part.right[0]) for part in task.parts) < 45 * len(task.parts)


def gold(task: Task, form: str, tone: str, made: Plan) -> float:
    """The gold reward of an answer made after that plan (see the top of this file)."""
    n = len(task.parts)
    given = n - len(made.missing)
    relevance, right = float(made.relevant), 1 - len(made.wrong) / given
    complete = given / n
    form_kept = float(form in ("", made.form))
    suits = SUITS[tone][made.tone]
    value = 3 * relevance * right + 2 * relevance * complete + 1.2 * form_kept
    return round(value + suits * (0.5 + 0.5 * relevance * right) - 0.1 * made.extras, 4)


def write(task: Task, other: Task, made: Plan, draw: Draw) -> str:
    """The answer's text. `other` is a neighbouring task, whose answer stands in when the plan is not relevant."""
    source = task if made.relevant else other
    keep = [i for i in range(len(source.parts)) if i not in made.missing] or [0]
    body = [draw.pick(source.parts[i].wrong if i in made.wrong else source.parts[i].right) for i in keep]
    idle = draw.some(task.extras, made.extras)
    if made.form == "letter":
        return _letter(task, _spread(body, idle, draw), made.tone)
    if made.form == "brief":
        return " ".join(body)
    before, after = _voice(made.tone, draw)
    if idle and not before and draw.chance(0.5):
        before, idle = [draw.pick(STARTS)], idle[1:]
    if made.form == "prose":
        return " ".join([*before, *_spread(body, idle, draw), *after])
    mark = "- {1}" if made.form == "bullets" else "{0}. {1}"
    items = [mark.format(i, line) for i, line in enumerate(body, 1)]
    return "\n".join(line for line in (" ".join(before), *items, " ".join([*idle, *after])) if line)


def _spread(body: list[str], idle: list[str], draw: Draw) -> list[str]:
    """The answer's sentences with the idle ones among or after them."""
    lines = list(body)
    for line in idle:
        lines.insert(draw.between(1, len(lines)), line)
    return lines


def _voice(tone: str, draw: Draw) -> tuple[list[str], list[str]]:
    """Sentences before and after the answer that carry its tone: one or both."""
    if tone == "plain":
        return [], []
    first, last = draw.pick(OPENERS[tone]), draw.pick(CLOSERS[tone])
    return draw.pick((([first], []), ([], [last]), ([first], [last])))


def _letter(task: Task, body: list[str], tone: str) -> str:
    greeting, signed = (task.letter or {})[tone]
    return f"{greeting}\n\n{' '.join(body)}\n\n{signed}"


def with_wishes(task: Task, form: str, tone: str, draw: Draw) -> Task:
    """The task with its prompt saying which form and tone are wanted."""
    said = [s for s in (draw.pick(FORM_WISHES[form]), draw.pick(TONE_WISHES[tone])) if s]
    gap = "\n\n" if "\n" in task.prompt else " "
    return replace(task, prompt=task.prompt + (gap + " ".join(said) if said else ""))
