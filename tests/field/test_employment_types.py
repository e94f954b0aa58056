"""What real feeds write as employment type, and which types must be understood."""

from typing import Any

import pytest

from pipeline.match import passes
from schemas import fields
from schemas.events import parse_search
from tests.pipeline.builders import feature

SPELLINGS = """
full-time: Full-Time|full time|FULL_TIME|fulltime|FullTime|Full\u2011time|Full\u2013time|full\u00a0time|F/T|FT|Full-time (40 hours)
full-time: Full time position|full-time; 40 hours/week|Vollzeit|VOLLZEIT|Temps plein|temps complet|Tiempo completo|Jornada completa|Voltijd
full-time: Full\u00adtime|Full-time, no part-time|Contract type: Full-time|Full-time, no contractors|Full-time employment contract
part-time: PART_TIME|part time|parttime|P/T|Part-time (20h)|Teilzeit|Teilzeit (50%)|temps partiel|mi-temps|media jornada|Jornada parcial
part-time: Tiempo parcial|Deeltijd|Minijob|part time/ 20 hours per week.|Part-time only, not full-time
full-time/part-time: Full- or part-time|full or part-time|Full/part time|full- and part-time|FT/PT|Full-time or part-time|full & part-time
full-time/part-time: Part- or full-time|Full-, part-time|Full/Part-time|part or full time|Voll- oder Teilzeit|Voll-/Teilzeit|Vollzeit, Teilzeit
full-time/part-time: Teil- und Vollzeit|temps plein ou partiel|Temps plein / temps partiel|Tiempo completo o parcial|FULL_TIME, PART_TIME
full-time/part-time: Full time/part|Voll- und Teilzeit|part time/ full time|part-time (full-time preferable)|Jornada completa o parcial
permanent: Permanent|PERMANENT|perm|Permanent contract|permanent employment contract|Open-ended contract|Contract: permanent
permanent: Contract type: permanent|unbefristet|Unbefristeter Vertrag|Festanstellung|CDI|Contrat à durée indéterminée|Contrato indefinido
permanent: vast contract|Vast dienstverband|onbepaalde tijd|indefinido|Permanent, no contractors|Indefinite contract|permanent (not contract)
full-time/permanent: Permanent, full-time|Permanent full-time contract|Full-time permanent contract|Vollzeit, unbefristet|CDI temps plein
permanent: Festangestellt|Feste Anstellung|contrato fijo|No contractors please, permanent only
part-time: Job share|PART_TIME|Werkstudent|Contrato a tiempo parcial|no full-time, part-time only
full-time/temporary: Vollzeit, befristet|Full-time, temporary
temporary: Zeitvertrag|Temporär|6-month FTC|contrato temporal
full-time/permanent: Permanent Full Time|PERMANENT_FULL_TIME|fulltime_permanent|Vollzeit / unbefristet|Temps plein, CDI|Full time (permanent)
contract: Contract|CONTRACTOR|contractors|contracting|Freelance|freelancer|Free-lance|Self-employed|C2C|1099|Corp-to-corp|zzp|autónomo
contract: Freie Mitarbeit|freiberuflich|Contract only|Independent contractor|Contract (no permanent)
contract/permanent: Permanent or contract|Contract/permanent|contract-to-perm|Contract or permanent|Permanent, contract|Permanent / Contract
temporary: TEMPORARY|temp|Temporary|Seasonal|fixed-term|Fixed Term|befristet|Zeitarbeit|Aushilfe|CDD|Contrat à durée déterminée
temporary: intérim|temporal|tijdelijk|bepaalde tijd|uitzendwerk|Locum|Maternity cover|non-permanent, temporary|Saisonarbeit
contract/temporary: Fixed-term contract|temporary contract|FTC (contract)
temporary/permanent: Temp to perm|Temporary or permanent|we offer temporary to permanent positions.|befristet oder unbefristet
internship: INTERN|intern|Interns|internship|Internships|Praktikum|Praktikant (m/w/d)|Stage|stagiaire|Prácticas|becario|Pasantía|co-op
apprenticeship: Apprenticeship|apprentice|Ausbildung|Azubi|Alternance|apprentissage|aprendizaje|leerwerktraject|Apprenticeship contract
volunteer: VOLUNTEER|Voluntary|volunteering|Ehrenamt|ehrenamtlich|Bénévole|bénévolat|voluntariado|Vrijwilligerswerk
per-diem: PER_DIEM|Per diem|per-diem|PRN|Casual|Zero hours|zero-hours contract|Bank staff
full-time/internship: internship/full-time|Full-time internship|["FULL_TIME", "INTERN"]
full-time/contract: contract/full-time|Full-time contract|FULL_TIME,CONTRACTOR
other: OTHER|Other
gratis: gratis|Gratis
international: international
temperature checks: Temperature checks
stand-up: Stand-up
"""
CASES = [
    (spelling, answer)
    for line in SPELLINGS.strip().splitlines()
    for answer, spellings in [line.split(": ", 1)]
    for spelling in spellings.split("|")
]


def test_every_spelling_names_its_types_and_no_other() -> None:
    found = {said: (fields.employment_type(said, "employment_type"), answer) for said, answer in CASES}
    assert {said: pair for said, pair in found.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize(
    "said", ["", " ", "-", "Any", "No preference", "Not specified", "n/a", "null", None, []]
)
def test_no_answer_names_no_type(said: object) -> None:
    assert fields.employment_type(said, "employment_type") is None


def _taken(wanted: Any, said: Any) -> bool:
    asked = parse_search({"id": "s", "query": "nurse", "employment_type": wanted})
    return passes(asked, feature(title="Nurse", employment_type=fields.employment_type(said, "type")))


@pytest.mark.parametrize(
    ("wanted", "said", "expected"),
    [
        ("full-time", "Full- or part-time", True),
        ("part-time", "Full- or part-time", True),
        ("contract", "Permanent contract", False),
        ("permanent", "Permanent contract", True),
        (["FULL_TIME", "PART_TIME"], "full-time", True),
        (["FULL_TIME", "PART_TIME"], "Part time", True),
        (["FULL_TIME", "CONTRACTOR"], "Internship", False),
        ("Full-time or contract", "Freelance", True),
        ("full-time, part-time", "Teilzeit", True),
        ("Vollzeit", "FULL_TIME", True),
        (["full-time", "any"], "contract", True),
        ("No preference", "contract", True),
        ("", "contract", True),
        (["", "full-time"], "contract", False),
        ("full-time", "OTHER", True),
        ("full-time", "see description", True),
        ("gratis", "gratis, open source", True),
        ("gratis", "full-time", False),
    ],
)
def test_a_search_takes_postings_of_any_wanted_type_and_those_that_name_none(
    wanted: Any, said: str, expected: bool
) -> None:
    assert _taken(wanted, said) is expected
