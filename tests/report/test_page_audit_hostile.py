"""Texts are hostile: whatever stands in any field, the page has the elements it has for harmless text."""

import re
import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_page_audit import Tree

from audit_document import document, shown, signals
from plaudit.report.pages.audit import page
from tiers import examples

HOSTILE = [
    "<script>alert(1)</script>", "</style><script>alert(1)</script>", "</pre></code><h1>", "<!--", "]]>",
    "<svg/onload=x>",
    '" onmouseover="alert(1)', "' autofocus onfocus='alert(1)", "`onload=x`", "javascript:alert(1)",
    "<img src=http://example.com/x>", "\u202etxt.exe\u2066", "\u200f\u200e\u061c", "\x1b[31mred\x1b]0;title\x07",
    "\x00\x01\x08",
    "{{7*7}}", "{% include 'frame.css' %}", "{# gone", "${7*7}", "\ud800", "\udfff\ud800", "\ufffe\uffff",
    "\u2028\u2029",
    "&lt;b&gt;&#x3c;", "<plaintext>", "<textarea>", "<noscript>", "%s%n{0}{x!r}", "\N{WATERMELON}\U000e0041\U000e007f",
    "Z\u0351\u036b\u0343" * 20, "مرحبا", "\r",
]  # fmt: skip
COLUMNS = signals()


def skeleton(html):
    """Elements with every attribute that is not a text for people."""
    told = {"aria-label", "content"}
    return [(depth, tag, {k: v for k, v in a.items() if k not in told}) for depth, tag, a in Tree(html).elements]


def filled(prefix, n=6):
    text = lambda harmless: prefix + harmless  # noqa: E731
    return page(document(COLUMNS, text), COLUMNS, shown(text, n))


@cache
def harmless(prefix, n):
    return skeleton(filled(prefix, n))


def hidden(html):
    """Characters that act without being seen, but for the joiners inside words that need them."""
    html = re.sub(r"(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])", "", html)
    return {c for c in html if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in "\n\t"}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_the_elements_are_those_of_harmless_text(text):
    html = filled(text)
    assert skeleton(html) == harmless("harmless", 6)
    assert not hidden(html)
    html.encode("utf-8")
    assert html.count("{{7*7}}") > 50 or "{{7*7}}" not in text


@examples(25)
@given(st.text(st.characters(), min_size=1, max_size=30).filter(lambda t: not t.isspace()))
def test_the_elements_are_the_same_for_any_text(text):
    html = filled(f"a{text}", n=1)
    assert skeleton(html) == harmless("harmless", 1)
    assert not hidden(html)


slowly = [
    pytest.param(text, marks=pytest.mark.slow) for text in ('"', "<", "word ", "a b ", "\N{WATERMELON}", "\n", "\0")
]


@pytest.mark.parametrize("text", ["\u202e", *slowly], ids=ascii)
def test_a_megabyte_in_every_field_is_cut_and_counted(text):
    long = text * (1_000_000 // len(text))
    html = filled(long, n=20)
    assert len(html.encode()) < 2_000_000
    assert skeleton(html) == harmless("x" * 1_000_000, 20)
    assert "more characters)" in html
    assert "more characters are neither shown nor compared" in html
    assert "characters are not shown here" in html
    assert not hidden(html)


def test_words_that_need_a_joiner_keep_it():
    html = page(document(COLUMNS), COLUMNS, shown(lambda text: "می\u200cکنند a\u200db " + text, n=1))
    assert "می\u200cکنند a\\u200db It is the" in html


def test_a_verdict_that_is_none_gets_no_class_of_its_own():
    from dataclasses import replace

    odd = replace(shown(n=1)[0], verdict='x" onclick="y')
    html = page(document(COLUMNS), COLUMNS, [odd])
    assert '<span class="key normal">' in html
    assert "onclick=&#34;y" in html
