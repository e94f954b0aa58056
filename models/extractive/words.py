"""Words and marks by which a text is cut into phrases, in the languages that postings are mostly written in."""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SENTENCE_ENDS = ".!?…。！？؟।"
WIDE_ENDS = "。！？｡"
"""Ends of a sentence in scripts without spaces."""
CLAUSE_ENDS = ",;:，、；：،؛"
SEMICOLONS = ";；؛"
DASHES = "-–—•·*"
"""Marks that begin an item of a list, also without a space after them."""
CLOSERS = "\"'”’»)]}」』）】"
OPENERS = "\"'“‘«([{「『（【"

BULLET = re.compile(r"(?:[•·▪●◦‣∙○■□►▶➢➤✓✔★*|~>–—-]|-{2,}|={2,}|_{2,}|\*{5,}|\(?(?:\d{1,2}|[a-z])[.)])++")
"""A whole word that begins an item of a list, or stands between two phrases.

The loop never gives back what it took: a line of thirty dashes with a word behind it would take minutes otherwise."""

ABBREVIATIONS = _set(
    "e.g eg i.e ie etc mr mrs ms dr prof st no nr ca approx inc ltd co corp vs dept min max incl z.b bzw d.h usw p.ex ej sr sra"
    " tel ext est hrs hr jr fig vol"
)
"""Words that end with a full stop within a sentence."""

COORDINATORS = _set("and or but & und oder sowie et ou mais y e o u pero en maar och och i oraz и или а но")
"""Words that join two clauses and begin neither; a phrase does not begin or end with one."""

RANGE_WORDS = _set("to and or bis und oder à et ou a y o e")
"""Words that may stand between two numbers."""

STARTERS = COORDINATORS | _set(
    # English
    "which who whose whom where when while because so if unless although though whereas that to with without including"
    " ensuring using by for in on at from through within as into across under between during after before via per"
    # German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian
    " die der das den dem mit für bei von zu zur zum im um wenn dass weil auf aus nach als"
    " qui que dont où pour avec dans sur chez par sans afin lorsque"
    " quien donde para con en por sin cuando porque del al"
    " che dove per con nel nella di da"
    " com para em no na do da sem quando"
    " voor met van bij op waar die dat om te"
    " który która które dla z w na do od"
    " который которая которые для с в на от по чтобы"
)
"""Words that a part of a sentence may begin with: a long sentence is cut before them."""

ARTICLES = _set(
    "a an the this that these those our your their its his her my any all each some no of de la le les l el los las un una"
    " une des du ein eine einen einem einer der die das den dem des het een il lo gli i is are be been will can may must"
    " should would have has had we you they it he she not"
)

NO_CUT_AFTER = ARTICLES | STARTERS
"""Words after which a phrase does not end."""
