"""What real feeds write about remote work, and what must be understood."""

from typing import Any

import pytest

from pipeline.match import passes
from schemas import fields
from schemas.events import parse_search
from tests.pipeline.builders import feature

REMOTE = """
Remote|REMOTE|remotely|Remote_Only|100% remote|Fully remote|Fully Remote (EU)|Home-Office|Homeoffice|home office
Home based|Home-based role|Work from home|Working from home|WFH|TELECOMMUTE|Telecommuting|telework eligible|Virtual
Remote, no travel|Remote (no travel required)|Remote - US only|Remote, UK|Remote first|remote-friendly|Remote OK
No office|no on-site work|No office, fully distributed|Not in an office|Work from anywhere|Anywhere|Worldwide|true|yes|y|Y|1
Yes, fully|Remote, without relocation|No commute: remote|Remote\u00a0only|Re\u00admote|re\u200bmote|100 % Home-Office|remote possible
mobiles Arbeiten|von zuhause|ortsunabhängig|Télétravail|télétravail complet|à distance|teletrabajo|Remoto|100% remoto
trabajo desde casa|thuiswerken|op afstand|Volledig op afstand
Remote with occasional travel|Remote, 25% travel|Remote first, office optional|Remote, on-site not required|Virtual office
Not hybrid, fully remote|Remote (no hybrid)|Remote, client site visits|Remote but must be in the US|remote = true
"""
HYBRID = """
Hybrid|hybrid/optional|remote optional|Partly remote|partially remote|Part remote|Remote and in-office|Remote, 2 days in office
3 days in the office|Hybrid (2 days remote)|50% remote|up to 60 % remote|teilweise Homeoffice|Homeoffice möglich
2 Tage Homeoffice|télétravail partiel|2 jours de télétravail|Híbrido|semi-presencial|hybride|some remote work|not fully remote
Mix of home and office|Flexible|1 day from home a week|deels thuiswerken|híbrido (3 días en oficina)|40% on site
Hybrid - 3 days onsite|3 days/week onsite|4 days onsite 1 day remote|Remote: Yes (2 days)|Yes - hybrid|yes (partial)|Mostly remote
not fully on-site|überwiegend remote|Homeoffice nach Absprache|Télétravail occasionnel|Thuiswerken mogelijk|Remote with some office days
"""
ON_SITE = """
onsite|On-Site|on site|ON_SITE|In office|in-office|In person|Office based|not remote|Not remote.|No remote|no remote work
Non-remote|No|no|false|False|n|0|remote: false|Remote: no|Remote - no|Remote not possible|Remote work is not available
not a remote position|No remote work possible|This role is not remote|no work from home|not eligible for telework
kein Homeoffice|Homeoffice: nein|Vor Ort|nicht remote|pas de télétravail|sur site|sin teletrabajo|presencial|En oficina
geen thuiswerk|op kantoor|op locatie|No - office based|100% on site|0% remote|Nein|non|Remote (no)|never remote|Remote is not an option
Not remote, office only|On-site only, no remote work|Fully on-site|fully in office|always on site|Work from office|WFO|télétravail : non
"""
UNKNOWN = """
Not specified|unspecified|Unknown|n/a|N/A|-|--|any|All|No preference|TBD|null|nan|None|keine Angabe|non précisé
no especificado|onbekend|ask us|mentioned|Flexible hours|Negotiable|see description|Not applicable|Doesn't matter
Remote: Not specified|Remote status: unknown|Remote/On-site not specified|Travel required|No hybrid|Client site
"""
SEVERAL = """
Remote or in-office=remote/onsite|On-site or remote=remote/onsite|Remote / Hybrid=remote/hybrid|hybrid or remote=remote/hybrid
Remote, hybrid=remote/hybrid|Remote oder vor Ort=remote/onsite|Présentiel ou télétravail=remote/onsite|ONSITE/REMOTE=remote/onsite
Remote until further notice=remote/onsite|Temporarily remote=remote/onsite|Remote; Onsite; Hybrid=remote/hybrid/onsite
In-office, hybrid or remote=remote/hybrid/onsite|Hybrid (3 days in office) or remote=remote/hybrid
Home or office=remote/onsite|Home/Office=remote/onsite|Fully Remote / Hybrid=remote/hybrid|Híbrido/Remoto=remote/hybrid
Onsite/Hybrid=hybrid/onsite|op kantoor of thuis=remote/onsite|Remote during the pandemic=remote/onsite
"""


def _each(block: str) -> list[str]:
    return [spelling for line in block.strip().splitlines() for spelling in line.split("|")]


@pytest.mark.parametrize(
    ("block", "form"), [(REMOTE, "remote"), (HYBRID, "hybrid"), (ON_SITE, "onsite"), (UNKNOWN, None)]
)
def test_every_spelling_has_its_form_and_unknown_stays_unknown(block: str, form: str | None) -> None:
    wrong = {said: found for said in _each(block) if (found := fields.remote(said, "remote")) != form}
    assert not wrong


@pytest.mark.parametrize(("said", "forms"), [case.split("=") for case in _each(SEVERAL)])
def test_alternatives_keep_all_their_forms(said: str, forms: str) -> None:
    assert fields.remote(said, "remote") == forms


def _taken(wanted: Any, said: Any) -> bool:
    asked = parse_search({"id": "s", "query": "nurse", "remote": wanted})
    return passes(asked, feature(title="Nurse", remote=fields.remote(said, "remote")))


@pytest.mark.parametrize(
    "said",
    ["Home-Office", "Remote, no travel", "Not specified", "Remote or in-office", ["Remote", "Onsite"], None],
)
def test_a_search_for_remote_work_takes_all_that_is_or_may_be_remote(said: Any) -> None:
    assert _taken(True, said)


@pytest.mark.parametrize("said", ["No remote", "Hybrid", "On-site", "Remote: no", "2 days in the office"])
def test_a_search_for_remote_work_leaves_out_what_says_otherwise(said: str) -> None:
    assert not _taken(True, said)


NO_PREFERENCE = [
    "no preference",
    "No Preference",
    "any",
    "All",
    "",
    "-",
    "doesn't matter",
    "egal",
    "Either",
    None,
]
WIDE = [
    [],
    [""],
    ["any", "remote"],
    [True, False],
    ["remote", "hybrid", "onsite"],
    "remote or on-site",
    "hybrid",
]


@pytest.mark.parametrize("wanted", [*NO_PREFERENCE, *WIDE])
def test_no_preference_is_no_filter(wanted: Any) -> None:
    assert all(_taken(wanted, said) for said in ("remote", "hybrid", "onsite", None))


@pytest.mark.parametrize("wanted", [False, "onsite", "On-site", "no remote", "In the office", ["onsite"]])
def test_a_search_on_site_takes_work_on_site_and_hybrid(wanted: Any) -> None:
    assert [_taken(wanted, said) for said in ("remote", "hybrid", "onsite", None)] == [
        False,
        True,
        True,
        True,
    ]
