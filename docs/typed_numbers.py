"""Which numbers may be typed into the sentences of a page: sizes and settings, not measurements.

A measured number is quoted from its figures, so that it is renewed with them. What is looked at are
sentences: no headings, tables, code, links' addresses or comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NUMBER = re.compile(r"(?<![\w.])(?:\d[\d,]*\d|\d)(?:\.\d+)?(?:e-?\d+)?|(?<![\w.\d])\.\d+")

ALLOWED: dict[str, str] = {
    r"\d+×\d+": "a size: 8×8 maps, 16×16 pictures",
    r"\d+ × \d+ units": "a network's size",
    r"arXiv \d{4}\.\d{5}(?:, \d{4}\.\d{5})*": "a paper's number",
    r"(?:et al\.|Puterman|Thiébaux) \d{4}": "a paper's year",
    r"commit \w+": "a version",
    r"Python [\d., or]+\d": "versions that are supported",
    r"(?:version|transformers|gymnax|Llama|GPT-|Qwen) ?\d[\d.]*(?:(?:,| and) \d)?": "a version",
    r"95 % (?:bootstrap )?intervals?|95 %, by bootstrap": "which interval: of statistics.py",
    r"to 80 %|reach(?:ed|es)? 80 %": "comparison.THRESHOLD",
    r"\b[kmndNR] = \d+": "a setting: of the search, the proposals, the instances, the runs",
    r"[αβεγ] = (?:\d+(?:\.\d+)?|\.\d+)": "a setting",
    r"\b[dD]epths? \d(?: and \d)?": "of a search",
    r"(?<![\d,.])[2-9] (?:steps|actions|cubes|blocks|sub-goals)\b": "a world's size, a plan's length",
    r"(?<![\d,.])(?:1[0-2]) (?:cubes|blocks)\b": "a world's size",
    r"\b\d+ (?:× )?training (?:maps|instances)\b": "how many a learner is tuned on",
}
"""Patterns, with what kind of number it is. One that is only right in its sentence is in SENTENCES."""

SENTENCES: dict[str, str] = {}
"""Words with numbers, as they stand on a page, and where the number comes from."""

_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_OUT = (
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"`[^`]*`"),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"^(?:#|\|).*$", re.MULTILINE),
)


def found(text: str) -> Iterator[tuple[int, str, str]]:
    """Numbers that nothing allows: line, number, and the words about it.

    Args:
        text: Of a page's source, where quoted figures are left out.
    """
    for out in (_CODE, *_OUT):
        text = out.sub(_blank, text)
    # A sentence goes on over the ends of lines, of which places stay the same.
    sentences = text.replace("\n", " ")
    allowed = [
        match.span()
        for pattern in (*ALLOWED, *map(_words, SENTENCES))
        for match in re.finditer(pattern, sentences)
    ]
    for match in NUMBER.finditer(sentences):
        start, end = match.span()
        if not any(a <= start and end <= b for a, b in allowed):
            words = " ".join(sentences[max(0, start - 30) : end + 30].split())
            yield text.count("\n", 0, start) + 1, match[0], words


def _blank(match: re.Match[str]) -> str:
    """As many characters and lines, with nothing in them."""
    return re.sub(r"[^\n]", " ", match[0])


def _words(phrase: str) -> str:
    """A pattern of these words, however they are broken into lines."""
    return r"\s+".join(map(re.escape, phrase.split()))
