"""The fixed dozen of conversations that every checkpoint is asked about: short, long, many turns, many scripts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plaudit.models.tokens import Encoded, TokenPolicy, encode, texts
from plaudit.records import Preference, group, message

_PARAGRAPH = (
    "The bread was heavy again, so I wrote down what I did: 500 g of flour, 350 g of water, 10 g of salt, and a spoon "
    "of starter that had been in the fridge for a week. It rose for four hours near the window. What went wrong?"
)
_REPLY = "A starter that slept for a week is weak. Feed it twice, wait until it doubles, and let the dough rise longer."


def _turns(*said: str):
    """Messages in turn, the user first."""
    return tuple(message("assistant" if i % 2 else "user", text) for i, text in enumerate(said))


DOZEN: tuple[tuple[tuple, tuple[str, ...]], ...] = (
    (_turns("Hi"), ("Hello!", "?")),
    (_turns("2+2?"), ("4", "22", "It depends on what you mean by 2.")),
    (_turns("Name three rivers in Europe."), ("The Rhine, the Danube and the Loire.", "Rivers are wet.")),
    (_turns("Wie spät ist es in Zürich?"), ("Das weiß ich leider nicht — schau auf die Uhr.", "12:00 Uhr!")),
    (_turns("请用一句话介绍长城。"), ("长城是中国古代的防御工程。", "我不知道。")),
    (_turns("اكتب كلمة طيبة 🙂"), ("أهلا وسهلا 👋🏽", "no")),
    (_turns("Write a loop in Python."), ("for i in range(3):\n    print(i)\n", "```\nwhile True: pass\n```")),
    (_turns("I feel low today.", "I am sorry. What happened?", "My cat is ill."),
     ("That is hard. Has a vet seen the cat?", "Buy a dog.")),
    (_turns("I feel low today.", "I am sorry. What happened?", "My cat is ill.",
            "That is hard. Has a vet seen the cat?", "Yes, this morning."), ("What did the vet say?", "ok")),
    ((message("system", "Answer in one short sentence."), message("user", "Why is the sky blue?")),
     ("Air scatters blue light more than red.", "Because the sea is blue.")),
    (_turns(_PARAGRAPH), (_REPLY, _REPLY + " " + _REPLY, "Add salt.")),
    (_turns(_PARAGRAPH), (_REPLY,)),  # grown until it is as long as the model takes
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """The dozen as one model reads it, flat over conversations and responses.

    `ids` and `texts`: N sequences and the exact strings behind them. `whole`: per sequence, whether its conversation
    stands uncut. `refused`: why conversations were left out, one reason each (the template, or the length).
    """

    records: tuple[Preference, ...]
    encoded: tuple[Encoded, ...]
    ids: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    whole: tuple[bool, ...]
    refused: tuple[str, ...]

    @property
    def sequences(self) -> list[list[dict[str, str]]]:
        """The whole conversations as plain messages, one per sequence."""
        return [
            [{"role": m.role, "content": m.text} for m in (*record.prompt, *response)]
            for record in self.records
            for response in record.responses
        ]


def sample(policy: TokenPolicy, *, longest: int) -> Sample:
    """The dozen under a model's rules; the last one is grown until something has to be cut."""
    policy = replace(policy, max_length=min(policy.max_length, longest))
    records = [group(prompt, answers, None) for prompt, answers in DOZEN]
    records[-1] = _grown(records[-1], policy)
    found = [(r, encode(r, policy)) for r in records]
    kept = [(r, e) for r, e in found if not e.refused]
    return Sample(
        tuple(r for r, _ in kept),
        tuple(e for _, e in kept),
        tuple(tuple(map(int, e.full(i))) for _, e in kept for i in range(len(e.responses))),
        tuple(text for r, _ in kept for text in texts(r, policy)),
        tuple(not e.dropped_tokens for _, e in kept for _ in e.responses),
        tuple(e.refused for _, e in found if e.refused),
    )


def _grown(record: Preference, policy: TokenPolicy) -> Preference:
    """The conversation with as many more turns before it as overfill the model's length."""
    prompt: Sequence = record.prompt
    while True:
        found = encode(replace(record, prompt=tuple(prompt)), policy)
        if found.dropped_tokens or found.refused:
            return replace(record, prompt=tuple(prompt))
        prompt = [*_turns(_PARAGRAPH, _REPLY), *prompt]
