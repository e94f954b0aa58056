"""Generated training postings carry the thin trades and nothing that the rules hold out."""

import pytest

from training.rules.lexicon.entries import lexicon
from training.synthetic.lexicon import load
from training.tiny.ranker.taught import taught

GENERAL = lexicon("general")
TAUGHT = taught(load("train"))
THIN = [
    "animal_care",
    "bartender",
    "bricklayer",
    "building_inspector",
    "bus_driver",
    "carpenter",
    "cleaner",
    "construction_labourer",
    "cook",
    "crane_operator",
    "delivery_driver",
    "dental_nurse",
    "dispatcher",
    "electrician",
    "facility_manager",
    "fashion_designer",
    "fitter",
    "forklift_driver",
    "gardener",
    "hairdresser",
    "head_chef",
    "hotel_manager",
    "hotel_receptionist",
    "housekeeper",
    "hvac_technician",
    "interior_designer",
    "kitchen_assistant",
    "language_teacher",
    "lecturer",
    "logistics_manager",
    "machine_operator",
    "machinist",
    "medical_admin",
    "nanny",
    "paralegal",
    "pastry_chef",
    "payroll_clerk",
    "pharmacist",
    "pilot",
    "plumber",
    "police_officer",
    "production_manager",
    "production_worker",
    "quantity_surveyor",
    "restaurant_manager",
    "security_guard",
    "service_manager",
    "shop_assistant",
    "store_manager",
    "teaching_assistant",
    "truck_driver",
    "ux_designer",
    "waiter",
    "warehouse_manager",
    "welder",
]
"""Occupations of the general lexicon that fewer than thirty real training postings have."""


@pytest.mark.parametrize("key", THIN)
def test_a_trade_with_few_real_postings_is_generated_under_four_titles_or_more(key: str) -> None:
    rule, unless = GENERAL.occupations[key].title, GENERAL.occupations[key].unless
    titles = {title for one in TAUGHT.occupations for title in one.titles if rule.search(title.lower())}
    assert len({title for title in titles if not (unless and unless.search(title.lower()))}) >= 4


def test_no_generated_training_posting_has_a_held_out_title_or_facet() -> None:
    rules = [GENERAL.occupations[key].title for key in GENERAL.test_only()]
    titles = [title.lower() for one in TAUGHT.occupations for title in one.titles]
    assert [title for title in titles if any(rule.search(title) for rule in rules)] == []
    assert GENERAL.test_only_facets().isdisjoint(facet.key for facet in TAUGHT.facets)
    assert len(TAUGHT.facets) > 50
    assert len(TAUGHT.occupations) > 150
