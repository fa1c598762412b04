"""The audit's page says what the numbers say, in one file that stands alone and works without eyes or a script."""

import re
import shlex
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from audit_document import document, shown, signals
from plaudit.data.checks import annotators
from plaudit.report.pages.audit import page
from plaudit.report.pages.audit_checks import ASK
from plaudit.report.pages.grids import grids

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Tree(HTMLParser):
    """Elements in order as (depth, tag, attributes); a tag that is closed out of order fails."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((len(self.open), tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((len(self.open), tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def words(html):
    """The page as a reader sees it."""
    body = re.sub(r"(?s)<style>.*?</style>|<title>.*?</title>", "", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@pytest.fixture(scope="module")
def columns():
    return signals()


@pytest.fixture(scope="module")
def html(columns):
    return page(document(columns), columns, shown())


def test_the_top_says_how_many_labels_look_wrong(html, columns):
    wrong = int((columns["verdict"] == "wrong").sum())
    title = re.search(r"<h1>(.*?)</h1>", html).group(1)
    assert title == f"{wrong / 60 * 100:.1f} % of these labels look wrong"
    assert f"{wrong} of 60 comparisons" in words(html)
    expected = columns["p_disagree"][columns["verdict"] == "wrong"].mean()
    assert f"its chance of the other side is {expected * 100:.1f} % there on average" in words(html)
    assert "annotators are expected" not in words(html)  # it is no share of people
    assert "fresh annotator" not in words(html)
    assert "62.0 % to 78.0 %; a lower bound of what is reachable" in words(html)
    assert html.index("<h1>") < html.index('class="tiles"') < html.index('class="command"') < html.index("<nav")


def test_every_part_of_the_audit_is_on_the_page(html):
    said = words(html)
    for part in (
        "p_disagree 0.65 or more", "0.4 up to 0.65", "above 0.15, below 0.4", "0.15 or less", "act on it Check warn",
        "worth knowing Check note", "fine Check ok", "check skip: said", "one.jsonl", "anna", "member 2", "62.0 %",
        "never become sure enough", "no winner", "70 rows read, 3 of them could not be used", "infinite",
        "and 38 more", "Rows: i1 , i2",
    ):  # fmt: skip
        assert part in said, part
    assert said.count("Chosen by the annotator") == 20
    assert len(re.findall(r"<mark>first</mark>", html)) == len(re.findall(r"<mark>last</mark>", html)) == 20


def test_it_stands_alone(html):
    elements = Tree(html).elements
    assert not {tag for _, tag, _ in elements} & {"script", "iframe", "object", "img", "form", "input", "base"}
    names = [name for _, _, attributes in elements for name in attributes]
    assert not any(name.startswith("on") for name in names)
    for _, _, attributes in elements:
        for name in ("href", "src"):
            assert attributes.get(name, "#").startswith("#") or attributes[name] == "data:,"
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in html
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html


def test_it_can_be_heard_and_walked_through(html):
    elements = Tree(html).elements
    tags = [tag for _, tag, _ in elements]
    assert all(tags.count(tag) == 1 for tag in ("h1", "main", "header", "nav", "footer"))
    ids = [a["id"] for _, _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    aims = [a[k].lstrip("#") for _, tag, a in elements for k in ("href", "aria-labelledby") if k in a and tag != "link"]
    assert set(aims) <= set(ids)
    assert all(a.get("role") == "img" and a["aria-label"] for _, tag, a in elements if tag == "svg")
    assert all(a.get("aria-label") for _, _, a in elements if "tabindex" in a)
    assert all(a.get("scope") in {"col", "row"} for _, tag, a in elements if tag == "th")
    heads = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(b - a <= 1 or (a, b) == (2, 4) for a, b in pairwise(heads))


def test_equal_values_give_equal_bytes(html, columns):
    assert page(document(columns), columns, shown()) == html


def test_members_that_saw_the_labels_give_no_bound(columns):
    said = words(page(document(columns, folds=0), columns, shown(n=1)))
    assert "a lower bound" not in said
    assert "it may have learned from them: this is no bound of anything" in said
    assert "members voted on rows they may have seen" in said


def test_a_committee_no_better_than_a_coin_says_so(columns):
    found = document(columns)
    found["accuracy"] = {"score": 0.52, "low": 0.46, "high": 0.58, "n": 58}
    html = page(found, columns, [])
    assert "<h1>This committee cannot judge these labels</h1>" in html
    assert "None were asked for" in html
    assert words(html).index("--model smollm2-135m") < words(html).index("plaudit repair")


@pytest.mark.parametrize("doubt", [True, False])
def test_votes_that_may_be_mere_length_say_so(columns, doubt):
    found = document(columns)
    found["length"] = {
        "prefers": "longer", "score": 0.569, "sides": 0.763, "ahead": 0.008, "low": -0.005, "high": 0.02, "mere": doubt,
    }  # fmt: skip
    html = page(found, columns, [])
    said = words(html)
    assert ("of these labels look wrong, perhaps only by their length</h1>" in html) == doubt
    assert ("--model smollm2-135m" in said) == doubt
    assert "The longer response alone agrees with 56.9 % of the labels; the committee is ahead by" in said
    assert "ahead by +0.8 points (-0.5 to +2.0)" in said
    assert ("may only be short or long" in said) == doubt


def test_votes_that_length_beats_send_to_a_stronger_committee(columns):
    found = document(columns)
    found["accuracy"] = {**found["accuracy"], "n": 500}
    found["length"] = {"prefers": "longer", "score": 0.65, "sides": 0.5, "ahead": -0.09, "low": -0.14, "high": -0.04,
                       "mere": False}  # fmt: skip
    html = page(found, columns, [])
    assert "the committee is behind length alone</h1>" in html
    assert "the committee is behind: -9.0 points (-14.0 to -4.0)" in words(html)
    assert "D-stronger" in commands(html)[0]
    assert "cannot be told apart" not in words(html)


@pytest.mark.parametrize("low", [0.46, 0.62])
def test_length_alone_is_one_number_on_the_page_blind_or_not(columns, low):
    found = document(columns)
    found["accuracy"] = {"score": low + 0.05, "low": low, "high": low + 0.1, "n": 500}
    found["length"] = {"prefers": "shorter", "score": 0.553, "sides": 0.5, "ahead": 0.01, "low": -0.03, "high": 0.05,
                       "mere": False}  # fmt: skip
    found["data_checks"]["skews"] = {**found["data_checks"]["check note"], "value": {"length_only": 0.451}}
    said = words(page(found, columns, []))
    assert "For comparison: the shorter response alone agrees with 55.3 %, a coin with 50 %." in said
    assert "The shorter response alone agrees with 55.3 % of the labels; the committee is ahead by +1.0 points" in said
    assert "alone agrees with 45.1 %" not in said
    del found["length"]
    assert "the longer response alone agrees with 45.1 %" in words(page(found, columns, []))


@pytest.mark.parametrize("noise", ["annotator", "uniform"])
def test_the_annotators_are_told_in_words_and_asked_for_once(columns, noise):
    assert annotators.ASK == ASK  # one text in two rooms, neither of which imports the other
    found = document(columns)
    found["noise"]["model"] = noise
    each = {"judgements": 9, "first_wins": 0.5, "first_wins_low": 0.4, "first_wins_high": 0.6, "first_wins_of": 8}
    value = {"alpha": 0.5, "alpha_strict": 0.6, "alpha_strict_low": 0.5, "alpha_strict_high": 0.7, "pairs_strict": 7,
             "each": {"ann": each, "first_wins": each}}  # fmt: skip
    check = {"status": "warn", "text": "two", "value": value, "count": 0, "ids": [], "advice": f"look at them{ASK}"}
    found["data_checks"]["annotators"] = check
    said = words(page(found, columns, []))
    assert ("Look at them, and audit with --noise annotator" in said) == (noise != "annotator")
    assert ("Look at them." in said) == (noise == "annotator")
    assert "Krippendorff's alpha without ties 0.600 (0.500 to 0.700)" in said
    assert "every annotator annotator judgements first wins judgements that show an order ann 9 0.500 (" in said
    assert "8 first_wins 9 0.500 (" in said  # an annotator of that name keeps it
    assert "alpha strict" not in said


def test_folds_whose_votes_say_nothing_are_counted(columns):
    found = document(columns)
    found["temperature"] = {str(fold): None for fold in range(5)}
    said = words(page(found, columns, []))
    assert "per fold infinite in 5 of 5 folds (the votes say nothing)" in said
    assert said.count("the votes say nothing") == 1


def test_a_lead_over_length_that_is_not_sure_is_in_the_title_and_people_go_first(columns):
    found = document(columns)
    found["length"] = {"prefers": "longer", "score": 0.6, "sides": 0.5, "ahead": 0.047, "low": -0.055, "high": 0.149,
                       "mere": False}  # fmt: skip
    html = page(found, columns, [])
    assert "of these labels look wrong; the committee is not surely ahead of length alone</h1>" in html
    assert "from 58 comparisons the two cannot be told apart" in words(html)
    first = commands(html)
    assert "--doubtful" in first[0]
    assert "--output repaired" not in first[0]
    assert not any("D-stronger" in c for c in first)


def test_few_rows_ask_for_more_rows_before_a_larger_model(columns):
    found = document(columns)
    found["accuracy"] = {"score": 0.6, "low": 0.4, "high": 0.75, "n": 20}
    html = page(found, columns, [])
    assert "There is little to learn from in 20 comparisons: bring more rows first" in words(html)
    assert commands(html)[0].startswith("plaudit audit one.jsonl two.jsonl MORE --model tiny ")
    assert "smollm2-135m" not in html
    assert "Here D is the folder this page lies in, and MORE another file of the same kind." in words(html)


def test_one_prompt_alone_teaches_nothing_and_the_page_says_so(columns):
    found = document(columns) | {"folds": 1}
    found["rows"]["groups"] = 1
    found["accuracy"] = {"score": 0.5, "low": 0.05, "high": 0.95, "n": 60}
    said = words(page(found, columns, []))
    assert "All comparisons are of one prompt" in said
    assert "Bring rows of other prompts" in said


def test_all_files_are_named_and_placeholders_only_where_a_command_holds_them(columns):
    found = document(columns)
    found["accuracy"]["low"] = 0.45
    found["options"] = {"against": "bench.jsonl"}
    html = page(found, columns, [])
    stronger = "plaudit audit one.jsonl two.jsonl --model smollm2-135m --against bench.jsonl --output-dir D-stronger"
    assert commands(html)[0] == stronger
    assert "FILE a file" not in words(html[: html.index("<nav")])
    assert "FILE a file" in words(html[html.index('id="next"') :])
    found["accuracy"]["low"] = 0.62
    found["sources"] = {"one.jsonl": found["sources"]["one.jsonl"]}
    assert "FILE a file" not in words(page(found, columns, []))
    assert "FILE is a file" not in words(page(found, columns, []))


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_nearly_nothing_is_still_a_page(rows):
    columns = {name: column[:rows] for name, column in signals().items()}
    found = document(columns, noise=False)
    found.update(sources={}, annotators={}, tags={}, data_checks={}, left_out=[], deciles=[], influence=None)
    found["members"], found["likeness"] = found["members"][:1], {"mean": 1.0, "members": [[1.0]]}
    if rows == 0:
        found["accuracy"] = {"score": None, "low": None, "high": None, "n": 0}
    html = page(found, columns, [])
    Tree(html)
    assert "No noise model was named" in html
    assert ("No label could be judged" in html) == (rows == 0)


def test_numbers_that_are_missing_are_dashes():
    columns = signals()
    found = document(columns)
    found["sources"]["one.jsonl"]["accuracy"] = float("nan")
    html = page(found, columns, [])
    assert not re.search(r"\bnan\b", words(html).lower())
    assert '<td class="n">–</td>' in html


def test_the_commands_name_the_file_when_there_is_one(columns):
    found = document(columns)
    found["sources"] = {"my pairs.csv": found["sources"]["one.jsonl"]}
    said = words(page(found, columns, []))
    assert "plaudit repair 'my pairs.csv' --audit D --output repaired.csv" in said
    assert "FILE a file" not in said
    found["sources"] = {"a\u202eb.csv": found["sources"]["my pairs.csv"]}
    assert "plaudit repair FILE --audit D" in words(page(found, columns, []))


def test_copies_of_files_of_several_kinds_keep_their_own_ending(columns):
    found = document(columns)
    voice = found["sources"]["one.jsonl"]
    found["sources"] = {"a.json": voice, "b.parquet": voice}
    said = commands(page(found, columns, []))
    assert "plaudit repair FILE --audit D --output repaired-FILE" in said
    assert "plaudit repair --undo repaired-FILE --output original-FILE" in said
    found["sources"] = {"a.csv": voice, "b.csv": voice}
    assert "plaudit repair FILE --audit D --output repaired.csv" in commands(page(found, columns, []))


@pytest.mark.parametrize(("file", "first"), [("a.jsonl", ""), ("a.csv", "plaudit convert a.csv --layout trl")])
def test_lists_are_repaired_as_pairs(columns, file, first):
    from plaudit.cli import app

    found = document(columns)
    found["sources"] = {file: found["sources"]["one.jsonl"]}
    found["options"] = {"layout": "trl"}
    found["rows"] |= {"audited": 10, "lists": 6}
    said = commands(page(found, columns, []))
    for command in said:
        app().parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)
    source, at = "a.canonical.jsonl" if first else "a.jsonl --layout trl", said.index
    repair = f"plaudit repair {source} --audit D --as-pairs --output repaired.jsonl"
    assert "plaudit train repaired.jsonl --model tiny --output-dir model" in said
    convert = [c for c in said if "convert" in c]
    assert bool(convert) == bool(first)
    assert all(c.startswith(first) and at(c) < at(repair) for c in convert)
    found["rows"]["lists"] = 5
    assert not any("--as-pairs" in c for c in commands(page(found, columns, [])))


def test_the_commands_carry_what_was_asked_for(columns):
    found = document(columns, noise=False)
    found["sources"] = {"pairs.csv": found["sources"]["one.jsonl"]}
    found["options"] = {"layout": "trl", "columns": "prompt=my question", "layers": "1,2", "length_member": True,
                        "noise": "none"}  # fmt: skip
    found["accuracy"]["low"] = 0.45
    shown_commands = commands(page(found, columns, []))
    reading = "--layout trl --columns 'prompt=my question'"
    assert shown_commands[0] == shown_commands[1]  # the first of the list also stands at the top
    assert shown_commands[0] == (
        f"plaudit audit pairs.csv --model smollm2-135m {reading} --length-member --noise none --output-dir D-stronger"
    )
    for command in (c for c in shown_commands if "repair" in c.split()[1] and "--undo" not in c):
        assert f"pairs.csv {reading} " in command
    assert f"plaudit train repaired.csv {reading} --model tiny --output-dir model" in shown_commands
    assert f"tiny {reading} --layers 1,2 --length-member --noise uniform --output-dir D-noise" in shown_commands[-1]
    found["options"] = {"columns": "prompt=\u202e"}
    assert "--columns COLUMNS --audit D" in words(page(found, columns, []))


def test_influence_and_tags_are_on_the_page_when_they_were_asked_for(columns):
    said = words(page(document(columns), columns, []))
    for part in (
        "By tag: topic", "and 3 more values with 17 comparisons", "a linear head on tiny, layer 2, read, whatever",
        "Who is served how well, by tag:topic?", "without 40.0 % of the comparisons", "rank correlation +0.80",
        "penalty 1 (column fair_weight) 0.500 1.500 0.100 −0.03 to +0.01 20.0 % 70.0 % −2.00 to +4.00",
        "no weights 0.500",
        "fewer than 20 comparisons were at hand: birds (in 5 of 5 folds)", "4 comparisons do not say",
        "per value of the tag topic", "30 – 10.0 % to 30.0 % empty",
    ):  # fmt: skip
        assert part in said, part
    found = document(columns)
    found.update(influence=None, tags={})
    said = words(page(found, columns, []))
    assert "What do single preferences do?" not in said
    assert "By tag" not in said


def test_one_pair_judged_by_several_is_shown_once(columns):
    from dataclasses import replace

    one = shown(n=1)[0]
    html = page(document(columns), columns, [one, replace(one, id="other", annotator="bert")])
    assert html.count('class="pair"') == 1
    assert "labelled by anna, bert" in words(html)


def test_values_of_any_shape_become_tables():
    found = grids({"a": 1, "list": list(range(20)), "map": {"x": 1.5, "y": None}, "rows": [{"k": True}], "empty": {}})
    assert [g.caption for g in found] == ["", "map", "rows"]
    assert found[0].rows == (("a", "1"), ("list", "0, 1, 2, 3, 4, 5, 6, 7 and 12 more"))
    assert found[1].rows == (("x", "1.500"), ("y", "–"))
    assert found[2].rows == (("1", "yes"),)
    assert grids({str(i): {"v": i} for i in range(100)})[0].more == 76


def test_the_figures_hold_every_comparison(columns):
    from plaudit.report.svg_inline import strengths

    drawn = str(strengths("t", {"wrong": np.array([-1e9, 0.0, 1.0]), "strong": np.array([1e9, np.nan])}, x_label="x"))
    counts = [int(n.replace(",", "")) for n in re.findall(r"<title>([\d,]+) (?:wrong|strong)", drawn)]
    assert sum(counts) == 4


def commands(html):
    found = re.findall(r'<pre class="command"><code>(.*?)</code></pre>', html)
    return [unescape(re.sub(r"</?span>", "", c)) for c in found]


@pytest.mark.parametrize("voters", [{"model": "tiny"}, {"model": "", "scorer": "length"}])
@pytest.mark.parametrize("score", [0.7, 0.5])
@pytest.mark.parametrize("options", [{}, {"layout": "trl", "columns": "prompt=my question", "heads": "mlp"}])
def test_every_command_is_one_that_plaudit_knows(columns, voters, score, options):
    from plaudit.cli import app

    found = document(columns, noise=False)
    found["options"] = options
    found["voters"].update(voters)
    found["accuracy"].update(score=score, low=score - 0.05)
    shown_commands = commands(page(found, columns, []))
    assert len(shown_commands) >= 7
    for command in shown_commands:
        first, *rest = shlex.split(command)
        assert first == "plaudit"
        parsed, bound, _ = app().parse_args(rest, exit_on_error=False, print_error=False)
        assert parsed.__name__ in {"repair", "audit", "train"}
        assert bound.arguments


def test_tables_of_tables_are_one_each_and_estimates_carry_their_interval():
    longer = {"share": 0.5, "low": 0.4, "high": 0.6, "n": 1000}
    found = grids(
        {"tags": {"topic": {"a": {"longer": longer}}, "family": {"b": {"longer": {**longer, "share": None}}}}}
    )
    assert [g.caption for g in found] == ["tags: topic", "tags: family"]
    assert found[0].rows == (("a", "50.0 % (40.0 to 60.0), n = 1,000"),)
    assert found[1].rows == (("b", "–"),)
    assert grids({"longer": longer, "parts": []})[0].rows == (("longer", found[0].rows[0][1]), ("parts", "none"))


def test_a_part_with_its_share_is_a_cell_in_words():
    low, high = {"part": "harmless.jsonl", "share": 0.406}, {"part": "helpful.jsonl", "share": 0.61}
    table = grids({"opposite": [{"what": "longer", "by": "file", "low": low, "high": high}]})[0]
    assert table.rows == (("1", "longer", "file", "harmless.jsonl (40.6 %)", "helpful.jsonl (61.0 %)"),)
    assert grids({"rows": [{"one": {"a_b": 1, "c": "d"}}]})[0].rows == (("1", "a b 1, c d"),)


def luminance(color):
    digits = color.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_every_color_can_be_told_from_what_is_behind_it(html):
    """WCAG 2: 4.5 for texts, 3 for what figures are made of, in the light, dark and printed scheme."""
    schemes = [
        dict(re.findall(r"--([\w-]+): (#\w{3,6});", block)) for block in re.findall(r"(?s):root \{(.*?)\}", html)
    ]
    assert len(schemes) == 3
    texts = [(ink, "paper") for ink in ("ink", "soft", "accent", "wrong-text", "ambiguous-text", "strong-text")]
    texts += [("ink", behind) for behind in ("panel", "mark-chosen", "mark-rejected", "alike", "unlike")] + [
        ("soft", "panel")
    ]
    shapes = [(kind, "paper") for kind in ("wrong", "ambiguous", "normal", "strong", "accent")]
    for scheme in schemes:
        for pairs, least in ((texts, 4.5), (shapes, 3.0)):
            for front, behind in pairs:
                low, high = sorted(luminance(scheme[name]) for name in (front, behind))
                assert (high + 0.05) / (low + 0.05) >= least, (front, behind)
