"""Which numbers may be typed into the sentences of a page: sizes and settings, not measurements.

A measured number is quoted from its figures, so that it is renewed with them. What is looked at is
all that is read, headings and tables too, and ratios in words: a third, ten times. What is not are
blocks of code, commands and names in a line, links' addresses and comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|fifty|a hundred|a thousand"
_PART = "half|thirds?|quarters?|fifths?|sixths?|eighths?|tenths?|twentieths?|hundredths?"
NUMBER = re.compile(
    r"(?<![\w.])(?:\d[\d,]*\d|\d)(?:\.\d+)?(?:e-?\d+)?|(?<![\w.\d])\.\d+"
    rf"|\b(?:{_WORD}) times\b|\b(?:a|one|{_WORD}) (?:{_PART})\b|\borders? of magnitude\b"
)

ALLOWED: dict[str, str] = {
    r"\d+×\d+": "a size: 8×8 maps, 16×16 pictures",
    r"\d+ × \d+ units": "a network's size",
    r"arXiv \d{4}\.\d{5}(?:, \d{4}\.\d{5})*|\[\d{4}\.\d{5}": "a paper's number",
    r"(?:et al\.|Puterman|Thiébaux|Elkan) \d{4}": "a paper's year",
    r"commit \w+": "a version",
    r"Python [\d., or]+\d": "versions that are supported",
    r"(?:version|transformers|gymnax|Llama|GPT-|Qwen)[ -]?\d[\d.]*(?:(?:,| and) \d)?": "a version",
    r"95 % (?:bootstrap )?intervals?|95 %, by bootstrap|of 95 %": "which interval",
    r"fewer than (?:6|11)\b(?: runs)?": "statistics.MIN_RUNS, and of runs that are all alike",
    r"(?:[Tt]o|at|reach(?:ed|es)?)\s+80 %|is \.8 or more": "comparison.THRESHOLD",
    r"\b[kmndNR] = \d+": "a setting",
    r"early-[123]\b|Top-1\b|Apache-2\.0|SmolLM2-135M(?:-Instruct)?|few-shot-2": "a name",
    r"[αβεγ] = (?:\d+(?:\.\d+)?|\.\d+)": "a setting",
    r"\b[dD]epths? \d(?: and \d)?": "of a search",
    r"(?<![\d,.])[2-9] (?:steps|actions|cubes|blocks|sub-goals)\b": "a world, a plan",
    r"(?<![\d,.])(?:1[0-2]|2 to 12) (?:cubes|blocks)\b": "a world's size",
    r"\b\d+ (?:× )?training (?:maps|instances)\b": "how many a learner is tuned on",
}
"""Patterns, with what they are. What is right in one sentence only is in SENTENCES."""

SENTENCES: dict[str, str] = {
    # README
    "80 % fewer steps": "what a paper claims",
    "with 32 on one device": "runs of a bench",
    "of 32 runs": "the same",
    "PPO's 32 runs": "the same",
    "PlanBench's 602 instances": "what is published",
    "logits equal torch's to 1e-4 for 12 configurations": "what the tests require, and of how many",
    "are numbers, `010`": "how numbers are read",
    "`16384`": "a row's name",
    "a third of that, with a third of the prompt": "sizes of models and prompts, counted",
    "more than four fifths of it": "what the card's program asks about",
    "more than a tenth of a": "lm.taught.MOST_STRANGE",
    "goes from one run to 256": "the notebook's",
    "[CLS] → 64 → 64 → 1": "the papers' network",
    "for 32 runs of 10,000 transitions 0.3 GB with the embedded model, 8 GB": "floats, counted",
    "One update of 64 transitions a run every 10 steps": "bench/suites",
    "10,000 instances": "bench/suites",
    "256 states behind a prompt of 96 tokens, 16 of their own": "bench/tools/scoring_work.py",
    "4 answers of 2 tokens": "bench/tools/scoring_work.py",
    "64 states, 256 + 32, 8 × 3": "bench/tools/scoring_work.py",
    "of 3M weights": "bench/tools/scoring_work.py",
    "of 3M random weights with prompts of 150 tokens": "bench/peers/torch_loop.py",
    "scores agree to 1e-4": "what the suites require",
    "at batch 1,024": "bench/suites",
    "256 MiB": "lprl_jax.experiments.kept.MOST",
    "16-bit words": "how the search is written",
    "512 bits wide": "how the search is compiled",
    "256 runs on one map": "bench/suites",
    "1,000 runs of": "bench/suites",
    "10 million environment steps": "bench/suites: 1,000 runs of 10,000",
    "on these 2 cores": "the machine",
    "32 runs of LaGR-SEQ": "bench/suites",
    "256 states of 16 maps of 8×8": "bench/tools/published_scorer.py",
    "a 1,024³ product": "bench/suites",
    "at most 26 columns": "letters name them",
    "about 1,450 token columns": "a count of the template's, not a measurement",
    # results.md
    "The paper's 80 % fewer steps are not": "the paper's claim",
    "a perfect judge with 70 % of its verdicts right for ever": "a row's name",
    "(IQMs of 1.00 leave out": "the greatest share there is",
    "costs the pendulum about ten times as much": "π², by the world's law",
    "right there in most of 64 training instances": "measuring_verdicts.OTHERS",
    "evaluated every 500 steps. Learners play": "key_rooms.EVERY",
    "whose ε falls to .05 over half": "DQN's default in the rows' config",
    "together with two that are 70 % right": "rows' names",
    "a bound, and `.0` or": "how a table is written",
    "of a judge that is 70 % right": "rows' names",
    "by the area over 20,000 steps": "published.TUNED",
    "where at most 64 answers are written at a time": "p_map.CHUNK",
    "A temperature of .8 with top-p .95": "a row's name",
    "lowers the KL of 15 answers": "that row's k",
    "At a cost of .5, the paper's rewards": "a row's name",
    "a run at a cost of .5": "a row's name",
    "steps; at .2": "a row's name",
    "is worth, at .05, still": "a row's name",
    "in episodes 2 to 5": "lagr.EARLY",
    "That **CQL-Prior** needs a tenth of the data": "the paper's",
    "that CQL-Prior needs a tenth of the data": "the paper's",
    "with ten times the α": "a setting",
    "(70 % of an optimal policy": "a row's name",
    "wrong nine times in ten": "the control's",
    "over two orders of magnitude": "the table's values of α",
    "an undiscounted return of at most 1.": "the environment's law",
    "ε / (2 ε_LLM)": "the paper's formula",
    "(a return of 107 is the most;": "the environment's law",
    "success is to complete the stack once in 50 steps)": "the environment's law",
    "(the most there is: 107)": "the environment's law",
    "for 90 % of that": "the share of CQL's return that offline.py asks for",
    "for 90 % of CQL's return": "the same",
    "for 90 % of CQL's success": "the same",
    "Fewer than 10 % of the data, as the paper has it": "the paper's",
    "for m up to 16": "names a column",
    "Over 100 % it needs more than CQL": "what the share says",
    "finished episode, 0 before there is one": "how returns are defined",
    "scale 1 where nothing is said": "a setting",
    "With 70 % right verdicts": "a row's name",
    "At a fifth of the scale": "a row's name",
    "Rows of 80 % and 50 % by state": "rows' names",
    "here, with λ = .8": "a setting",
    "750 episodes are the least": "the rule's window",
    # watch_repair.md
    "a table that starts at 10 everywhere": "watch_repair_td.START",
    "Annealed to nothing over 20,000 episodes": "watch_repair.JUDGES",
}
"""Words with numbers, as they stand on a page, and where the number comes from."""

_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_OUT = (
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"`[^`]*`"),
    re.compile(r"\]\([^)]*\)"),
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


def unused(text: str) -> list[str]:
    """Of SENTENCES, those that a text has not."""
    return [phrase for phrase in SENTENCES if not re.search(_words(phrase), text)]


def _blank(match: re.Match[str]) -> str:
    """As many characters and lines, with nothing in them; a number in a line stays."""
    if re.fullmatch(r"`[\d\s.,%]+`", match[0]):
        return match[0]
    return re.sub(r"[^\n]", " ", match[0])


def _words(phrase: str) -> str:
    """A pattern of these words, however they are broken into lines."""
    return r"(?<![\w.,])" + r"\s+".join(map(re.escape, phrase.split()))
