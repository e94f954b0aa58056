"""Text in one plain spelling, which the vocabularies of remote work, employment types and places are written in."""

import re
from functools import lru_cache

from schemas.characters import fold

_DASHES = re.compile("[-_\u2010-\u2015\u2212\u2043\ufe58\ufe63\uff0d]+")
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc`\u00b4", "'''''")

#: What stands in a field in place of an answer, in the plain spelling.
NO_ANSWER = frozenset(
    """
    |-|--|*|?|.|all|any|anything|any type|all types|both|either|no preference|no preferences|not important|open|
    doesn't matter|does not matter|don't care|do not care|don't mind|indifferent|irrelevant|whatever|no filter|
    n/a|na|n.a|nil|none|null|nan|undefined|unknown|unspecified|not specified|not stated|not given|not provided|
    not known|not disclosed|not applicable|not available|tbd|tba|tbc|to be determined|to be agreed|to be confirmed|
    egal|beliebig|alle|keine angabe|k.a|nicht angegeben|unbekannt|indifferent|peu importe|tous|toutes|non precise|
    non specifie|non renseigne|indiferente|cualquiera|todos|todas|no especificado|sin especificar|sin preferencia|
    geen voorkeur|maakt niet uit|niet opgegeven|onbekend|keine praferenz|sans preference
    """.replace("\n    ", "")
    .strip()
    .split("|")
)


@lru_cache(maxsize=4096)
def spelling(text: str) -> str:
    """`text` folded as matching folds it, without dashes and with one space between words."""
    return " ".join(_DASHES.sub(" ", fold(text).translate(_APOSTROPHES)).split())


def no_answer(text: str) -> bool:
    """Whether `text` says nothing, such as "any", "no preference", "not specified" or a dash."""
    return spelling(text).strip(" .!()[]\"'") in NO_ANSWER
