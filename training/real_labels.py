"""Rule-derived judgements on real postings: for reports only, never for training, vocabulary or tuning.

A query names an occupation by one wording while the posting's title is matched by others, and may ask for
facets, which are looked for in the whole description by rules with negation. Grades as in `synthetic.facts`:
4 all met, 3 half, 2 less, 1 denied, 0 another occupation. Facets without evidence count as not met.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from models.prompts import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A query, its candidates and their grades."""

    query: str
    items: tuple[Item, ...]
    grades: tuple[int, ...]


OCCUPATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nurse": (r"\bnurse\b(?!ry)|\brgn\b|\brmn\b", ("registered nurse", "nursing job", "nurse")),
    "doctor": (r"\bdoctor\b|\bconsultant in\b|\bregistrar\b|\bgp\b|clinical fellow", ("doctor", "physician")),
    "carer": (r"\bcarer\b|support worker|care assistant|healthcare assistant", ("carer", "care worker")),
    "therapist": (
        r"physiotherap|occupational therap",
        ("physio or OT", "physiotherapist", "rehabilitation therapist"),
    ),
    "pharmacy": (r"pharmac", ("pharmacist", "pharmacy job", "dispensing medicines")),
    "secretary": (
        r"secretary|administrat|receptionist|\bclerk\b",
        ("secretary", "office administrator", "admin clerk"),
    ),
    "radiographer": (r"radiograph|sonograph", ("radiographer", "x-ray technician", "imaging")),
    "psychologist": (r"psycholog", ("psychologist", "talking therapies", "clinical psychology")),
    "scientist": (r"biomedical scien|laborator", ("laboratory scientist", "pathology lab", "lab technician")),
    "midwife": (r"midwi", ("midwife", "maternity", "labour ward")),
    "cleaner": (r"domestic|cleaner|housekeep|porter", ("cleaner", "janitor", "hospital domestic")),
    "backend": (
        r"back.?end|python|ruby|java\b|rails|golang",
        ("server-side programmer", "backend developer"),
    ),
    "frontend": (r"front.?end|\bui\b|javascript|react", ("web ui developer", "frontend engineer")),
    "devops": (
        r"devops|site reliab|\bsre\b|infrastructure",
        ("sysadmin for cloud", "devops", "platform engineer"),
    ),
    "data": (
        r"data scien|machine learn|data engin|\bml\b",
        ("machine learning", "data scientist", "data engineer"),
    ),
    "mobile": (r"\bios\b|android|mobile", ("app developer", "iphone developer", "mobile engineer")),
    "design": (r"design", ("designer", "ux designer", "user experience")),
    "product": (r"product (?:manager|owner|lead)", ("product manager", "product owner")),
    "sales": (r"\bsales\b|account exec|marketing", ("sales", "business development", "marketing")),
    "qa": (r"\bqa\b|quality assur|\btest\b|tester", ("software tester", "quality assurance")),
    "contracting": (r"contract(?:ing|s)? (?:officer|special)|acquisition|procure", ("procurement", "buyer")),
    "research": (r"research(?!.*nurse)", ("user researcher", "research")),
    "security": (r"security|privacy", ("information security", "cyber security")),
}
FACETS: dict[str, tuple[str, str, str]] = {
    "part time": (r"part[- ]time|(?:1[0-9]|2[0-9])(?:\.\d+)? hours", r"not? part[- ]time", "part-time hours"),
    "nights": (r"\bnights?\b(?: shift| duty|,| and| work)|night shift", r"no nights?\b", "night work"),
    "fixed term": (
        r"fixed[- ]term|maternity cover|\btemporary\b",
        r"not? (?:a )?(?:fixed|temporary)",
        "temporary contract",
    ),
    "community": (r"\bcommunity\b|home visits", r"no community", "in the community"),
    "driving": (
        r"driving licen[cs]e|car (?:driver|owner)|own transport",
        r"no driving|not essential",
        "must drive",
    ),
    "children": (r"children|paediatric|young people|\bcamhs\b", r"adults only", "working with children"),
    "mental health": (r"mental health|psychiatr", r"$^", "mental illness"),
    "relocation": (r"relocat", r"no relocat|not? (?:offer|provide) relocat", "relocation package"),
    "research": (r"\bresearch\b", r"$^", "research"),
    "management": (r"line manag|supervis|lead a team|manage a team", r"no line manag", "managing people"),
    "python": (r"\bpython\b|django", r"no python", "python"),
    "aws": (r"\baws\b|amazon web|ec2", r"no aws", "amazon cloud"),
    "react": (r"\breact\b|angular|\bvue\b", r"no react", "javascript framework"),
    "postgres": (r"postgres|mysql|\bsql\b", r"no sql", "sql database"),
    "kubernetes": (r"kubernetes|docker|\bk8s\b", r"no docker", "docker containers"),
    "java": (r"\bjava\b|\bscala\b|\bjvm\b", r"no java\b", "java"),
    "remote": (
        r"\bremote\b|work from home|telework",
        r"no remote|not remote|onsite only|no telework",
        "work from home",
    ),
    "visa": (r"visa", r"(?:no|not|cannot|can't|unable)[^.]{0,25}visa", "visa sponsorship"),
    "equity": (r"equity|stock options", r"no equity", "stock options"),
    "startup": (r"start-?up|early[- ]stage|seed", r"$^", "startup"),
    "agile": (r"\bagile\b|scrum", r"$^", "agile"),
    "machine learning": (r"machine learning|deep learning", r"$^", "machine learning"),
    "open source": (r"open[- ]source", r"$^", "open source"),
    "accessibility": (r"accessib|508", r"$^", "accessibility"),
}
SAME, OTHER = 10, 10


def read(path: Path, limit: int) -> list[Item]:
    """Up to `limit` postings, evenly spread over a gzipped file of postings or stream events."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    if rows and "op" in rows[0]:
        rows = list({row["id"]: row["posting"] for row in rows if row.get("posting")}.values())
    rows = [row for row in rows if len((row.get("description") or "").split()) >= 60]
    step = max(1, len(rows) // limit)
    return [_item(row) for row in rows[::step]][:limit]


def _item(row: dict[str, Any]) -> Item:
    fields = {name: row.get(name) or None for name in ("company", "location", "employment_type", "remote")}
    return Item(
        title=row["title"] or "", text=row["description"], **{k: v and str(v) for k, v in fields.items()}
    )


def judge(items: Sequence[Item], count: int, seed: int) -> list[Judged]:
    """`count` queries over the items: an occupation, and none, one or two facets, each with up to 20 candidates."""
    rng = Random(seed)
    evidence = {id(item): _evidence(item) for item in items}
    named = {
        key: [i for i in items if re.search(rule, i.title, re.IGNORECASE)]
        for key, (rule, _) in OCCUPATIONS.items()
    }
    named = {key: found for key, found in named.items() if len(found) >= SAME}
    out: list[Judged] = []
    for _ in range(20 * count):
        key = rng.choice(list(named))
        source = evidence[id(rng.choice(named[key]))]
        met = sorted(name for name, state in source.items() if state > 0)
        facets = rng.sample(met, min(len(met), rng.choice((0, 1, 1, 2))))
        strangers = [
            i for i in items if not re.search(OCCUPATIONS[key][0], f"{i.title} {i.text[:300]}", re.IGNORECASE)
        ]
        if len(strangers) < OTHER:
            continue
        chosen = rng.sample(named[key], SAME) + rng.sample(strangers, OTHER)
        grades = [_grade(facets, evidence[id(i)]) if n < SAME else 0 for n, i in enumerate(chosen)]
        if not 0 < sum(g >= 3 for g in grades) < len(grades):
            continue
        words = [rng.choice(OCCUPATIONS[key][1]), *(FACETS[f][2] for f in facets)]
        out.append(Judged(query=" ".join(words), items=tuple(chosen), grades=tuple(grades)))
        if len(out) == count:
            break
    return out


def _evidence(item: Item) -> dict[str, int]:
    """1 stated, -1 denied, 0 nothing said, for every facet."""
    text = f"{item.title}\n{item.text}\n{item.employment_type}\n{item.remote}"
    return {
        name: -1
        if re.search(denied, text, re.IGNORECASE)
        else int(bool(re.search(stated, text, re.IGNORECASE)))
        for name, (stated, denied, _) in FACETS.items()
    }


def _grade(facets: Sequence[str], evidence: dict[str, int]) -> int:
    states = [evidence[name] for name in facets]
    if any(state < 0 for state in states):
        return 1
    share = sum(states) / len(states) if states else 1.0
    return 4 if share == 1 else 3 if share >= 0.5 else 2
