"""Places as addresses name them: provinces' codes behind a town, streets and houses called after towns."""

import pytest

from pipeline.places.comparing import place_passes

SAME = """
Italy | Milano (MI)
Italy | Torino (TO)
Bergamo | Bergamo (BG)
Brazil | Curitiba, PR
Brazil | Florianópolis, SC
Switzerland | Bern BE
India | Chennai, TN
Netherlands | Eindhoven, NB
Derby | London Road, Derby, GB
Boston | Lincoln House, Boston, GB
Leeds | Leeds General Infirmary, GB
Newcastle | Newcastle upon Tyne
"""
OTHER = """
Michigan | Milano (MI)
Colorado | Como (CO)
Bulgaria | Bergamo (BG)
South Carolina | Florianópolis, SC
Belgium | Bern, BE
Singapore | St. Gallen SG
Utah | Utrecht, UT
Tennessee | Chennai, TN
Italy | Milan, MI
London | London Road Community Hospital, Derby, GB
Bath | Bath Road, Slough, GB
York | York House, Horley, GB
Lincoln | Lincoln House, Boston, GB
"""


@pytest.mark.parametrize("pair", SAME.strip().splitlines())
def test_a_town_is_found_in_its_address(pair: str) -> None:
    wanted, posted = pair.split(" | ")
    assert place_passes(wanted, posted)


@pytest.mark.parametrize("pair", OTHER.strip().splitlines())
def test_a_code_or_street_in_an_address_is_no_other_place(pair: str) -> None:
    wanted, posted = pair.split(" | ")
    assert not place_passes(wanted, posted)
