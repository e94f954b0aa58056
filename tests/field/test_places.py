"""Places that searches ask for and postings name, and which of them are the same."""

import pytest

from pipeline.match import passes
from schemas import fields
from schemas.events import parse_search
from tests.pipeline.builders import feature, search

# wanted | posted
SAME = """
OR | Portland, OR
OR | Portland or Seattle
OR | Boston or Remote
OR | Salem Oregon
IN | Indianapolis, IN
ME | Portland, ME
Portland, OR | Portland, Oregon
Portland, OR | Portland
Portland, OR | Portland OR 97201
Portland OR | Portland, Oregon, USA
Montreal | Montréal, QC
Montréal | Montreal, Quebec, Canada
Istanbul | İstanbul, Türkiye
Washington, DC | Washington, D.C.
Washington DC | Washington, DC 20500
Washington D.C. | Washington, District of Columbia
Paris, TX | Portland, OR; Paris, TX
Paris | Portland, OR; Paris, TX
London | London, GB
London, UK | London
London, Ontario | London, ON, Canada
London | London, Ontario
San Fran | San Francisco, CA
San | San Francisco, CA
NYC | New York, NY
New York | NYC
New York, NY | New York City
NYC | Brooklyn, NY
SF | San Francisco, CA
LA | Los Angeles, CA
LA | New Orleans, LA
CA | San Francisco, CA
Canada | Toronto, CA
California | San Francisco, CA
Germany | Berlin, DE
DE | Berlin, Germany
Deutschland | München
Munich | München, Bayern
München | Munich, Germany
Muenchen | München
Köln | Cologne
Koeln | Köln, NRW
Bavaria | Munich, Germany
Bayern | München
Saint Louis | St. Louis, MO
St Louis, MO | Saint Louis, Missouri
UK | London
UK | Leeds, England
England | Leeds, UK
Scotland | Edinburgh
United Kingdom | Leeds, GB
GB | London, UK
U.K. | London, United Kingdom
USA | Austin, TX
us | Austin
Europe | Lyon, France
Greater London | London
London | Greater London, UK
London | Hackney, London
London | Croydon, UK
Kent | Maidstone, Kent, GB
Kent, UK | Maidstone, Kent, GB
Leeds | Leeds, West Yorkshire
Leeds, UK | St James's University Hospital, Leeds, GB
Leeds | Leeds LS1 3EX
Berlin | 10115 Berlin
Berlin | Berlin-Mitte
Berlin | Remote
Berlin | Anywhere
Austin, TX | Remote (US)
Berlin | Remote - Germany
Berlin | Various locations
Remote | Remote
Remote | London or Remote
Remote, UK | Remote
Anywhere | London
Any | London
London; Paris | Paris, FR
London or Paris | Paris, FR
London, Paris | Paris
Boston | Boston/Cambridge, MA
Boston, MA | Boston/Cambridge, MA
Cambridge, MA | Boston / Cambridge, MA
東京 | 東京都港区
Tokyo | 東京
Zürich | zürich
Zurich | Zürich, Switzerland
São Paulo | Sao Paulo, Brazil
Georgia | Atlanta, GA
Georgia | Tbilisi
Ontario | Toronto, ON
Ontario, CA | Ontario, California
Vancouver | Vancouver, WA
Birmingham, UK | Birmingham, GB
78701 | Austin, TX 78701
Toronto | Toronto, CA
Frankfurt | Frankfurt/Main
Frankfurt | Frankfurt am Main, Hessen
Brighton | Brighton & Hove, GB
San José | San Jose, CA
Dublin | Dublin, Ireland or London, UK Full Time
The Hague | Den Haag, Netherlands
Holland | Amsterdam
Vienna | Wien, Österreich
US, CA, San Francisco | San Francisco, CA
Winston-Salem, NC | US, NC, Winston-Salem
Athens | GR, , Athens
Truro | Truro, GB
Bay Area | Palo Alto, CA
Mountain View | SF Bay Area
SF | SF Bay Area - San Mateo, CA (downtown)
Whitby | Whitby, GB
Eindhoven | Eindhoven, Netherlands
Malmö | Malmo, Sweden
Reykjavík | Reykjavik
UK | Cardiff, Wales
New | New York
Newcastle | Newcastle upon Tyne, GB
Newcastle upon Tyne | Newcastle
Stoke | Stoke-on-Trent, GB
Kingston upon Hull | Hull, UK
Indiana | Indianapolis, IN
Reading | Reading, PA
Remote | Virtual (100% Remote), Washington, DC; San Francisco, CA; Chicago, IL; New York, NY
Chicago | Virtual (100% Remote), Washington, DC; San Francisco, CA; Chicago, IL; New York, NY
TX | Austin, Texas
texas | Austin TX
Amsterdam | The Netherlands (Amsterdam / Enschede)
Lyon | Lyon 3e, France
Paris | 75001 Paris
Paris | Paris 12
Newport, Wales | Newport, GB
Cologne | Köln, Deutschland
Genf | Genève, Schweiz
Brussels | Bruxelles
Bruxelles | Brussel, Belgium
Lisbon | Lisboa, Portugal
Prague | Praha
Warsaw | Warszawa, Polska
Moscow | Москва
Kiev | Kyiv, Ukraine
Bombay | Mumbai, India
Peking | 北京
Mexico City | Ciudad de México
CDMX | Mexico City, Mexico
Saint-Étienne | St Etienne, France
Fort Worth, TX | Ft. Worth, Texas
Mt. Vernon, NY | Mount Vernon, NY
Winchester, UK | Winchester, Basingstoke, Andover and Alton, GB
Alton, UK | Winchester, Basingstoke, Andover and Alton, GB
SAN FRANCISCO | san francisco, ca, united states
New York, NY | NEW YORK, NY, USA
Chicago | New York, NY OR Chicago, IL
Washington | Washington, DC
Washington, USA | Washington, DC
Washington state | Seattle, WA
New York State | Buffalo, NY
State of California | San Diego
Lebanon | Beirut, Lebanon
Peru | Lima
Korea | Seoul, South Korea
Springfield | Springfield, MO
Cambridge, MA | Cambridge
Melbourne | Melbourne VIC 3000
Perth | Perth WA, Australia
Sydney, NSW | Sydney, Australia
NSW | Sydney
WA | Seattle, WA
Ontario | London, ON
QC | Montréal
BC | Vancouver, BC
NRW | Köln
Hamburg | Hamburg-Altona
Paris | Paris - La Défense
Frankfurt | Frankfurt (Oder)
London | London (Hybrid)
London | London, hybrid, 2 days
London | Remote, London
Remote | Remote, London
USA | Remote (USA only)
Remote, US | Remote - United States
Remote, USA | Austin, TX (Remote)
Germany | 100% Remote, Deutschland
worldwide | Remote
Nationwide | Leeds
Leeds | Nationwide
Leeds | Nationwide, UK
London | Home based
London | TBC
New York, NY | 96-05 Horace Harding Expway, New York, NY
NYC | 55 Water St Ny Ny, New York, NY
Berlin | SF, NYC, Remote
Berlin | REMOTE (EU ±3h)
Albany, New York | Albany, NY
New York, New York | Manhattan, New York, NY
Washington, USA | Seattle, WA
OR | OR - Portland
Portland, Or. | OR-Portland
Portland, OR | Oregon, Portland
Portland, OR | Portland (OR)
Portland, OR | Portland, Multnomah County, OR
Portland | Port\u00adland, OR
Cork | Cork, Co. Cork, Ireland
San Diego | San Diego, Calif.
California | San Diego, Calif.
US-CA | San Diego, CA
London | GB-ENG, London
UK | N. Ireland
Belfast | Belfast, NI
Oregon | Oregon City, OR
Boston, Mass. | Boston, MA
N.Y. | New York, NY
N.Y.C. | New York, NY
U.S.A. | Boston, MA
Düsseldorf | Duesseldorf
Dusseldorf | Düsseldorf, NRW
Malmö | Malmoe
Genève | Geneva, Switzerland
Sankt Gallen | St. Gallen
Saigon | Ho Chi Minh City, Vietnam
A Coruña | La Coruña, Spain
Kraków | Krakow
Łódź | Lodz, Poland
Århus | Aarhus, Denmark
Göteborg | Gothenburg
København | Copenhagen
Helsingfors | Helsinki
Roma | Rome, Italy
Milano | Milan
Firenze | Florence, Italy
Napoli | Naples
Nürnberg | Nuremberg, Germany
Den Haag | The Hague
Antwerpen | Antwerp, Belgium
Bern | Berne, Switzerland
Bengaluru | Bangalore
Québec | Quebec City
Trois-Rivières | Trois Rivieres, QC
北京 | Beijing, China
北京市 | 北京
上海 | 北京，上海
Seoul | 서울
Athens | Αθήνα
London | LONDON
london uk | London
london, england | London, United Kingdom
Londres | London
new york city | New York
Manhattan | Manhattan, KS
Queens | Jamaica, Queens, NY
Ireland | Dublin
Dublin | Dublin 2
Santiago | Santiago de Chile
New York | New York, or REMOTE
Toronto | Toronto, or Remote Canada
Melbourne | Melbourne, Australia but REMOTE totally OK
SF | SF, Europe, World
MK4 4DA | MK4 4DA, Milton Keynes, GB
94306 | US, CA, 94306
Markaryd Sweden | Fort Wayne IN, Kasendorf Germany, Markaryd Sweden
Berlin (no visa) | Germany, Berlin (no visa)
St. John's | St Johns, NL, Canada
St. John's, NL | St. John’s, Newfoundland
"""
OTHER = """
UK | Kyiv, Ukraine
OR | Austin, TX
IN | Working in Dublin
IN | Bangalore, India
ME | Messina, Italy
Portland, OR | Portland, ME
Washington, DC | Seattle, Washington
Paris, OR | Portland, OR; Paris, TX
Paris, OR | Portland, OR, Paris, TX
Portland, TX | Portland, OR; Paris, TX
London, UK | London, Ontario
London, Ontario | London
Lond | London
Port | Portland, OR
York | New York, NY
land | Portland
CA | Toronto, CA
Canada | San Francisco, CA
California | Toronto, CA
England | Glasgow, UK
US | Russia
US | Sydney, Australia
EU | London, UK
Hackney | London, UK
Kent, WA | Maidstone, Kent, GB
Berlin | Remote (US)
Remote | London
Remote, UK | Remote (Germany)
London; Paris | Berlin
Cambridge, UK | Boston/Cambridge, MA
大阪 | 東京都港区
Georgia, US | Tbilisi, Georgia
Vancouver, WA | Vancouver, BC
Birmingham, AL | Birmingham, UK
78702 | Austin, TX 78701
San Jose, CA | San José, Costa Rica
Dublin, Ireland | Dublin, OH
Wales | New South Wales, Australia
Jersey | Jersey City, NJ
Mexico | Albuquerque, New Mexico
India | Indianapolis, IN
Oman | Romania
Reading, UK | Reading, PA
Boston | Virtual (100% Remote), Washington, DC; San Francisco, CA; Chicago, IL; New York, NY
Leeds | UK
Texas | Texarkana, AR
Fra | Frankfurt, Germany
Bath | Bathurst, NSW
Nice | Nicetown, PA
Manche | Manchester
Colombia | Columbia, SC
Columbia, SC | Bogotá, Colombia
Lebanon, NH | Beirut, Lebanon
Chile | Chilean Embassy
Man | Manchester
Isle of Man | Manchester
Iran | Tirana, Albania
Niger | Lagos, Nigeria
Guinea | Port Moresby, Papua New Guinea
Ireland | Belfast, Northern Ireland
America | Buenos Aires, South America
Springfield, IL | Springfield, MO
Melbourne, FL | Melbourne, Australia
Perth, Scotland | Perth, WA
WA | Perth, WA
Madrid | Remote, London
Remote | London, no remote
Leeds | UK wide
Leeds | Nationwide, Germany
New York, NY | Buffalo, NY
Berlin | New York, Remote
Vientiane | LA or NYC
Quebec City, QC | Montreal, QC
Buffalo, New York | New York, New York
Managua | Belfast, NI
St. Petersburg, FL | Saint Petersburg, Russia
Florence, SC | Florence, Italy
Naples, FL | Napoli
Wien | Vienna, VA
Barking | Bark, London
Hastings | Hasting
Leeds | Leed
Manhattan, NY | Manhattan, KS
Dublin, CA | Dublin
Hyderabad, India | Hyderabad, Pakistan
Tripoli, Libya | Tripoli, Lebanon
Santiago, Chile | Santiago de Compostela
Bristol, UK | Bristol, CT
Cambridge, UK | Cambridge, Ontario
Oklahoma | Melbourne, Australia but REMOTE totally OK
MK4 4DB | MK4 4DA, Milton Keynes, GB
Norway | Berlin (no visa)
"""


def _taken(wanted: str, posted: str) -> bool:
    return passes(search("", location=wanted), feature(location=posted))


def _pairs(table: str) -> list[tuple[str, str]]:
    lines = table.strip().splitlines()
    return [(wanted, posted) for line in lines for wanted, posted in [line.split(" | ", 1)]]


def test_a_search_takes_its_place_however_it_is_written() -> None:
    assert [pair for pair in _pairs(SAME) if not _taken(*pair)] == []


def test_a_search_takes_no_other_place() -> None:
    assert [pair for pair in _pairs(OTHER) if _taken(*pair)] == []


@pytest.mark.parametrize("code", ["OR", "IN", "ME", "or", "in", "HI", "OK", "LA", "CO", "DE", "UK", "US"])
@pytest.mark.parametrize(
    "posted", ["Kyiv, Ukraine", "Orlen House, Minsk", "Hiking Lane, Cork, Ireland", "Oslo or Bergen"]
)
def test_a_code_is_no_word_and_no_part_of_one(code: str, posted: str) -> None:
    assert not _taken(code, posted)


def test_each_place_of_a_posting_matches_by_itself() -> None:
    several = "Portland, OR; Paris, TX"
    assert _taken("Portland, OR", several)
    assert _taken("Paris, TX", several)
    assert not _taken("Paris, OR", several)
    assert not _taken("Portland, TX", several)


@pytest.mark.parametrize(
    ("wanted", "posted", "expected"),
    [
        (["London", "Paris"], "Paris, FR", True),
        (["London", "Paris"], ["Oslo", "London, UK"], True),
        (["London", "Paris"], "Berlin", False),
        (["Paris, OR", "Austin, TX"], ["Austin, OR", "Paris, TX"], False),
        ("no preference", "Berlin", True),
        (["any", "London"], "Berlin", True),
        ("", "Berlin", True),
        ([], "Berlin", True),
        ("N/A", "Berlin", True),
        ("London", None, True),
        ("London", [], True),
    ],
)
def test_a_list_of_places_means_any_of_them_and_no_preference_is_no_filter(
    wanted: object, posted: object, expected: bool
) -> None:
    asked = parse_search({"id": "s", "query": "", "location": wanted})
    assert passes(asked, feature(location=fields.places(posted, "location"))) is expected


@pytest.mark.parametrize(
    ("location", "remote", "expected"),
    [
        ("Remote", None, True),
        ("Remote", "onsite", True),
        ("London", "remote", True),
        ("London", "remote/onsite", True),
        ("London", "onsite", False),
        ("London", None, False),
        (None, None, True),
        (None, "remote", True),
        (None, "onsite", False),
    ],
)
def test_remote_as_a_wanted_place_asks_for_remote_work(
    location: str | None, remote: str | None, expected: bool
) -> None:
    assert passes(search("", location="Remote"), feature(location=location, remote=remote)) is expected


def test_a_posting_whose_place_is_remote_is_no_work_on_site() -> None:
    assert not passes(search("", remote=False), feature(location="Remote (UK)", remote=None))
    assert passes(search("", remote=False), feature(location="London or remote", remote=None))
    assert passes(search("", remote=True), feature(location="London", remote=None))


def test_the_text_of_a_place_stays_as_it_was_written() -> None:
    assert fields.places("  São   Paulo – SP ", "location") == "São Paulo – SP"
    assert fields.places(["Leeds, UK", " ", "York"], "location") == "Leeds, UK; York"
