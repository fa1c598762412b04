"""The text world reads like English, hides its truth from cheap scorers; its annotators have the faults they should."""

import re

import numpy as np
import pytest

from plaudit.data.worlds import make
from plaudit.data.worlds._answers import Plan, gold
from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds.families import household
from plaudit.data.worlds.text import FAMILIES


@pytest.fixture(scope="module")
def clean():
    return make("text-v1", n=4000, seed=0)


def texts(preference):
    return [preference.prompt[0].text, *(r[0].text for r in preference.responses)]


def longer(preference):
    a, b = (len(r[0].text) for r in preference.responses)
    return (a > b) + 0.5 * (a == b)


def test_grammar(clean):
    article = re.compile(r"\b[Aa] (?=[aeiou])(?!(?:uni|use|one|eu|uk))|\b[Aa]n (?![aeiouAEIOU]|hour|honest|heir)")
    for text in (t for p in clean.preferences[:3000] for t in texts(p)):
        assert "  " not in text, text
        assert not re.search(r"[{}<>]|None|\.\.|,\.| ,| \.|\?\.|!\.", text), text
        assert not article.search(text), text
        for line in filter(None, text.splitlines()):
            assert line == line.strip(), text
            body = re.sub(r"^(- |\d+\. )", "", line)
            assert re.match(r"[\"A-Z]|\d|job:", body), text
            signed = re.fullmatch(r"[A-Z][a-z]+( [A-Z][a-z]+)?|.*[,:]", body)
            assert re.search(r"[.?!]\"?$|[\d\"]$", body) or signed, text
        for start in re.findall(r"[.?!] ([a-z])", text):
            pytest.fail(f"sentence begins small ({start}): {text}")


def test_variety(clean):
    assert len(FAMILIES) >= 12
    assert {p.tags["family"] for p in clean.preferences} == set(FAMILIES)
    assert len({p.prompt[0].text for p in clean.preferences}) >= 3900
    assert all(len({r[0].text for r in p.responses}) == 2 for p in clean.preferences)
    other = {p.group for p in make("text-v1", n=1000, seed=1).preferences}
    assert len(other & {p.group for p in clean.preferences}) <= 5


def test_answers_have_one_to_eight_sentences(clean):
    counts = [len(re.findall(r"[.?!](?=\s|$)", r[0].text)) for p in clean.preferences for r in p.responses]
    assert np.quantile(counts, 0.95) <= 9
    assert min(counts) >= 1


def test_length_says_little(clean):
    score = np.mean([longer(p) for p in clean.preferences])
    assert 0.4 < score < 0.6
    for family in FAMILIES:
        rows = [longer(p) for p in clean.preferences if p.tags["family"] == family]
        assert 0.35 < np.mean(rows) < 0.65, family


def test_the_tags_do_not_tell_the_truth(clean):
    assert {tuple(sorted(p.tags)) for p in clean.preferences} == {("family", "shown_first", "topic")}
    assert np.mean([p.tags["shown_first"] == "chosen" for p in clean.preferences]) == pytest.approx(0.5, abs=0.04)


def test_gold_by_hand():
    task = household.make(Draw(0, "test"))
    while len(task.parts) != 2:
        task = household.make(Draw(1, "test"))
    best = gold(task, "", "", Plan(True, (), (), "prose", "plain", 0))
    assert best == pytest.approx(3 + 2 + 1.2 + 1)
    assert gold(task, "bullets", "", Plan(True, (), (), "prose", "plain", 0)) == pytest.approx(best - 1.2)
    assert gold(task, "", "", Plan(True, (0,), (), "prose", "plain", 0)) == pytest.approx(best - 1.5 - 0.25)
    assert gold(task, "", "", Plan(True, (), (1,), "prose", "plain", 1)) == pytest.approx(best - 1 - 0.1)
    assert gold(task, "", "", Plan(False, (), (), "prose", "plain", 0)) == pytest.approx(1.2 + 0.5)
    assert gold(task, "", "formal", Plan(True, (), (), "prose", "casual", 0)) == pytest.approx(best - 1)


def test_presets_share_their_texts(clean):
    noisy = make("text-v1-flip40", n=200, seed=0)
    for one, two in zip(clean.preferences, noisy.preferences, strict=False):
        assert one.prompt == two.prompt
        assert set(one.responses) == set(two.responses)


@pytest.mark.slow
def test_length_flips_favour_the_longer_answer():
    world = make("text-v1-length25", n=4000, seed=0)
    flipped = world.truth.flipped
    chosen_longer = np.array([longer(p) for p in world.preferences])
    assert flipped.mean() == pytest.approx(0.25, abs=0.03)
    assert chosen_longer[flipped].mean() > 0.7
    assert chosen_longer.mean() > 0.55


@pytest.mark.slow
def test_topics_are_flipped_at_their_own_rates():
    world = make("text-v1-topics", n=4000, seed=0)
    for topic, rate in (("numbers", 0.4), ("texts", 0.2), ("advice", 0.05)):
        rows = [f for f, p in zip(world.truth.flipped, world.preferences, strict=True) if p.tags["topic"] == topic]
        assert np.mean(rows) == pytest.approx(rate, abs=0.05)


@pytest.mark.slow
def test_the_faults_of_annotators_can_be_measured():
    world = make("text-v1-annotators", n=4000, seed=0)
    by = {}
    for p, flipped in zip(world.preferences, world.truth.flipped, strict=True):
        by.setdefault(p.annotator, []).append((flipped, longer(p), p.tags["shown_first"] == "chosen"))
    wrong = {name: np.array(rows).mean(axis=0) for name, rows in by.items()}
    assert wrong["careful"][0] < 0.05
    assert wrong["hasty"][0] == pytest.approx(0.3, abs=0.07)
    assert wrong["long-winded"][1] > wrong["careful"][1] + 0.1
    assert wrong["first-glance"][2] > 0.6
    tastes = make("text-v1-tastes", n=4000, seed=0)
    warm = re.compile(
        "glad to help|nice question|happy to help|hope this helps|All the best with|fingers crossed|warm regards"
    )
    share = {"likes-warm": [], "likes-formal": []}
    for p in tastes.preferences:
        marks = [bool(warm.search(r[0].text)) for r in p.responses]
        if marks[0] != marks[1]:
            share[p.annotator].append(marks[0])
    assert np.mean(share["likes-warm"]) > np.mean(share["likes-formal"]) + 0.3


def test_wrong_answers_are_not_right(clean):
    """A part's wrong wordings never hold one that is right for the same prompt."""
    from plaudit.catalog import load

    for family in FAMILIES:
        maker = load("plaudit.data.worlds.families", family).make
        for i in range(150):
            for part in maker(Draw(9, family, i)).parts:
                assert not set(part.right) & set(part.wrong), family
