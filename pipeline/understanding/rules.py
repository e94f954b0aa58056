"""Understanding by rules and lexicons: no model, a millisecond a text once the gazetteer is loaded."""

import unicodedata

from typing_extensions import override

from pipeline.must_not import offers
from pipeline.terms import terms
from pipeline.understanding.negations import negation_parts
from pipeline.understanding.pay import pay_parts
from pipeline.understanding.place import place_parts
from pipeline.understanding.reading import Reading
from pipeline.understanding.types import type_parts
from pipeline.understanding.understood import MOST_CHARS, Part, Understanding, Understood
from pipeline.understanding.workplace import workplace_parts
from schemas.clean import clean
from schemas.errors import ConfigError

#: Share of letters in other scripts from which on a text is in none of the languages that the rules know.
_FOREIGN = 0.5


class RuleUnderstanding(Understanding):
    """Reads pay, hours, remote work, must-nots and place, in this order, each in the words that are left over."""

    @override
    def understand(self, text: str) -> Understood:
        """What `text` asks for; raises ConfigError for a text that is longer than MOST_CHARS."""
        if len(text) > MOST_CHARS:
            raise ConfigError(
                f"the text has {len(text):,} characters: ask in at most {MOST_CHARS:,}, in your own words"
            )
        reading = Reading(clean(text))
        parts = pay_parts(reading)
        hours, hours_remarks = type_parts(reading)
        workplace, workplace_remarks = workplace_parts(reading)
        parts += [*hours, *workplace, *negation_parts(reading), *place_parts(reading)]
        read = Understood(text=reading.text, parts=tuple(parts))
        kept, refused_remarks = _agreeing(read)
        remarks = (*hours_remarks, *workplace_remarks, *refused_remarks, *_script_remarks(reading.text))
        return Understood(text=reading.text, parts=kept, remarks=remarks)


def _agreeing(read: Understood) -> tuple[tuple[Part, ...], list[str]]:
    """The parts without must-nots that the other words ask for, and a remark for each of these."""
    against = [part for part in read.parts if part.name == "must_not" and offers(read.words, part.value)]
    remarks = [
        f'"{part.words}" contradicts "{read.words}": it is no filter' for part in against if terms(part.value)
    ]
    return tuple(part for part in read.parts if part not in against), remarks


def _script_remarks(text: str) -> list[str]:
    letters = [letter for letter in text if letter.isalpha()]
    foreign = sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if foreign > _FOREIGN * len(letters):
        return ["the rules read no filters in this script: all words are looked for as they are"]
    return []
