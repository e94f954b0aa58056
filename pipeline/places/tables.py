"""Names that the gazetteer lacks: regions by their GeoNames codes, groups of countries, other names of countries.

A path is a country's ISO code, with its region's GeoNames code behind a slash: `US/OR`. All names are folded
(`folding.py`). A line of a table is `path name | other name | ...`.
"""

#: Other names and codes of countries.
COUNTRIES = """
GB uk | united kingdom | great britain | britain | gbr | vereinigtes konigreich | royaume uni | reino unido | grossbritannien
US us | usa | united states | united states of america | the states | america | vereinigte staaten | etats unis | estados unidos | eua | eeuu
AE uae | united arab emirates | emirates | vereinigte arabische emirate
AT austria | osterreich | oesterreich | autriche | oostenrijk
AU australia | australien
BE belgium | belgien | belgique | belgie | belgica
BR brazil | brasil | brasilien
CA canada | kanada
CD dr congo | drc | congo kinshasa
CH switzerland | schweiz | suisse | svizzera | suiza | zwitserland
CI cote d ivoire | cote divoire
CN china | prc | peoples republic of china | mainland china
CZ czechia | czech republic | tschechien | cesko | ceska republika
DE germany | deutschland | allemagne | alemania | duitsland | germania | niemcy
DK denmark | danmark | danemark
EE estonia | eesti
ES spain | espana | spanien | espagne | spanje
FI finland | suomi | finnland
FR france | frankreich | francia | frankrijk
GR greece | griechenland | hellas | ellada
HK hong kong | hong kong sar
HR croatia | hrvatska | kroatien
HU hungary | magyarorszag | ungarn
IE ireland | republic of ireland | eire | irland | irlande | ierland
IN india | bharat | indien
IS iceland | island
IT italy | italia | italien | italie
JP japan
KR south korea | korea | republic of korea
LU luxembourg | luxemburg
MO macau | macao
MX mexico | mexiko | mexique
NL netherlands | holland | nederland | niederlande | pays bas | paises bajos
NO norway | norge | norwegen
NZ new zealand | aotearoa
PH philippines | the philippines
PL poland | polska | polen | pologne
PT portugal
RO romania | rumanien
RU russia | russian federation | russland
SA saudi arabia | ksa
SE sweden | sverige | schweden | suede | zweden
SG singapore | singapur | singapour
SK slovakia | slovensko
SY syria
TR turkey | turkiye | turkei | turquie
TW taiwan | roc
UA ukraine | ukraina
VN vietnam | viet nam
ZA south africa | rsa
"""

#: Regions; those of the United States come from the gazetteer. A region's code is its first name where one is used.
REGIONS = """
US/DC district of columbia | washington dc
US/AZ ariz
US/CA calif | cali
US/CO colo
US/CT conn
US/FL fla
US/IL ill
US/MA mass
US/MI mich
US/MN minn
US/OR ore
US/PA penn | penna
US/TN tenn
US/TX tex
US/WA wash
US/WI wis | wisc
CA/01 alta
CA/08 ont
CA/10 que
CA/01 ab | alberta
CA/02 bc | british columbia
CA/03 mb | manitoba
CA/04 nb | new brunswick
CA/05 nl | newfoundland and labrador | newfoundland | labrador
CA/07 ns | nova scotia
CA/08 on | ontario
CA/09 pe | pei | prince edward island
CA/10 qc | quebec | province of quebec
CA/11 sk | saskatchewan
CA/12 yt | yukon
CA/13 nt | northwest territories
CA/14 nu | nunavut
AU/01 act | australian capital territory
AU/02 nsw | new south wales
AU/03 nt | northern territory
AU/04 qld | queensland
AU/05 sa | south australia
AU/06 tas | tasmania
AU/07 vic | victoria
AU/08 wa | western australia
GB/ENG eng | england | angleterre | inglaterra
GB/SCT sct | scotland | schottland | ecosse | escocia
GB/WLS wls | wales | cymru
GB/NIR nir | ni | northern ireland | n ireland | nordirland
DE/01 baden wurttemberg | baden wuerttemberg
DE/02 bavaria | bayern
DE/05 hesse | hessen
DE/06 lower saxony | niedersachsen
DE/07 north rhine westphalia | nordrhein westfalen | nrw
DE/08 rhineland palatinate | rheinland pfalz
DE/09 saarland
DE/10 schleswig holstein
DE/11 brandenburg
DE/12 mecklenburg vorpommern | mecklenburg western pomerania
DE/13 saxony | sachsen
DE/14 saxony anhalt | sachsen anhalt
DE/15 thuringia | thuringen | thueringen
FR/11 ile de france
FR/24 centre val de loire
FR/27 bourgogne franche comte | burgundy
FR/28 normandie | normandy
FR/32 hauts de france
FR/44 grand est
FR/52 pays de la loire
FR/53 bretagne | brittany
FR/75 nouvelle aquitaine
FR/76 occitanie
FR/84 auvergne rhone alpes
FR/93 provence alpes cote dazur | paca
FR/94 corse | corsica
NL/01 drenthe
NL/02 friesland | fryslan
NL/03 gelderland
NL/06 noord brabant | north brabant
NL/07 noord holland | north holland
NL/10 zeeland
NL/11 zuid holland | south holland
NL/15 overijssel
NL/16 flevoland
BE/VLG flanders | vlaanderen
BE/WAL wallonia | wallonie
ES/07 islas baleares | balearic islands | baleares
ES/34 asturias
ES/39 cantabria
ES/51 andalusia | andalucia
ES/52 aragon
ES/53 canary islands | islas canarias | canarias
ES/54 castilla la mancha
ES/55 castilla y leon
ES/56 catalonia | cataluna | catalunya
ES/57 extremadura
ES/58 galicia
ES/59 pais vasco | basque country | euskadi
ES/60 comunidad valenciana
IT/01 abruzzo
IT/03 calabria
IT/04 campania
IT/05 emilia romagna
IT/07 lazio
IT/08 liguria
IT/09 lombardy | lombardia
IT/12 piedmont | piemonte
IT/13 puglia | apulia
IT/14 sardinia | sardegna
IT/15 sicily | sicilia
IT/16 tuscany | toscana
IT/18 umbria
IT/20 veneto
IN/09 gujarat
IN/10 haryana
IN/13 kerala
IN/16 maharashtra
IN/19 karnataka
IN/24 rajasthan
IN/25 tamil nadu
IN/28 west bengal
IN/36 uttar pradesh
IN/40 telangana
"""

#: Counties and the like, by the country of the United Kingdom that they are a part of. The gazetteer does not say
#: which towns lie in one, so that a county qualifies a town but a search for it compares its name.
COUNTIES = """
GB/ENG bedfordshire | berkshire | buckinghamshire | cambridgeshire | cheshire | cornwall | county durham | cumbria | derbyshire | devon | dorset | east sussex | east yorkshire | essex | gloucestershire | greater manchester | hampshire | herefordshire | hertfordshire | isle of wight | kent | lancashire | leicestershire | lincolnshire | merseyside | middlesex | norfolk | north yorkshire | northamptonshire | northumberland | nottinghamshire | oxfordshire | rutland | shropshire | somerset | south yorkshire | staffordshire | suffolk | surrey | sussex | tyne and wear | warwickshire | west midlands | west sussex | west yorkshire | wiltshire | worcestershire | yorkshire | east anglia | north east england | north west england | south east england | south west england | east midlands | the midlands | midlands
GB/SCT aberdeenshire | angus | argyll | ayrshire | east lothian | fife | highland | highlands | lanarkshire | lothian | midlothian | moray | perthshire | west lothian | scottish borders
GB/WLS anglesey | carmarthenshire | ceredigion | conwy | denbighshire | flintshire | glamorgan | gwent | gwynedd | monmouthshire | pembrokeshire | powys
GB/NIR county antrim | county armagh | county down | county fermanagh | county londonderry | county tyrone
"""

#: Codes of provinces that are codes of other areas too, so that they only say in which country a known town lies:
#: "Curitiba, PR", "Bern BE", "Chennai, TN", "Como (CO)". A code is looked up as a whole word.
PROVINCES = {
    "BR": "ac al am ap ba ce df es go ma mg ms mt pa pb pe pi pr rj rn ro rr rs sc se sp to",
    "CH": "ag ai ar be bl bs fr ge gl gr ju lu ne nw ow sg sh so sz tg ti ur vd vs zg zh",
    "IN": (
        "an ap ar as br cg ch ct dl ga gj hp hr jh jk ka kl mh ml mn mp mz nl od or pb py rj sk tg tn tr ts uk up ut wb"
    ),
    "IT": (
        "ag al an ao ap aq ar at av ba bg bi bl bn bo br bs bt bz ca cb ce ch cl cn co cr cs ct cz en fc fe fg fi fm fr "
        "ge go gr im is kr lc le li lo lt lu mb mc me mi mn mo ms mt na no nu or pa pc pd pe pg pi pn po pr pt pu pv pz "
        "ra rc re rg ri rm rn ro sa si so sp sr ss su sv ta te tn to tp tr ts tv ud va vb vc ve vi vr vt vv"
    ),
    "NL": "dr fl fr ge gr lb li nb nh ov ut ze zh",
}
#: English names of Italian and Swiss towns, behind which a code is that of a state: "Milan, MI" lies in Michigan.
ENGLISH_NAMES = "milan turin rome naples venice florence genoa padua mantua syracuse geneva"

#: Codes that stand for a country as often as for a state of the United States; alone they mean both.
TWO_MEANINGS = frozenset(["de"])

CONTINENTS = {
    "europe": "EU", "europa": "EU", "asia": "AS", "africa": "AF", "afrika": "AF", "oceania": "OC",
    "south america": "SA", "sudamerica": "SA",
}  # fmt: skip

_EU = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
_LATIN = "AR BO BR CL CO CR CU DO EC GT HN MX NI PA PE PR PY SV UY VE"
_MIDDLE_EAST = "AE BH EG IL IQ IR JO KW LB OM PS QA SA SY TR YE"
#: Groups of countries; `+XX` takes a continent in.
GROUPS = {
    "eu": _EU,
    "european union": _EU,
    "eea": f"{_EU} IS LI NO",
    "emea": f"{_MIDDLE_EAST} +EU +AF",
    "apac": "+AS +OC",
    "asia pacific": "+AS +OC",
    "americas": "+NA +SA",
    "the americas": "+NA +SA",
    "north america": "US CA MX",
    "latam": _LATIN,
    "latin america": _LATIN,
    "middle east": _MIDDLE_EAST,
    "dach": "DE AT CH",
    "benelux": "BE NL LU",
    "nordics": "DK FI IS NO SE",
    "scandinavia": "DK NO SE",
    "baltics": "EE LV LT",
    "iberia": "ES PT",
    "british isles": "GB IE",
    "anz": "AU NZ",
}

#: Regions that are one city: the city means the region, and the region's other towns are parts of the city.
CITY_REGIONS = frozenset(["US/DC", "DE/16", "DE/04", "AT/09", "BE/BRU", "IN/07"])
CITY_STATES = frozenset(["SG", "MC"])

#: Parts of a city that the gazetteer holds as cities of their own.
PARTS = {
    ("US/NY", "new york city"): "brooklyn | manhattan | queens | the bronx | bronx | staten island",
    ("GB/ENG", "london"): (
        "barking | dagenham | barnet | bexley | bexleyheath | brent | bromley | camden | camden town | city of westminster | "
        "croydon | ealing | enfield | enfield town | greenwich | hackney | hammersmith | fulham | haringey | harrow | "
        "havering | romford | hillingdon | hounslow | islington | kensington | lambeth | lewisham | merton | wimbledon | "
        "newham | redbridge | ilford | richmond | southwark | sutton | tower hamlets | waltham forest | walthamstow | "
        "wandsworth | battersea | brixton | canary wharf | shoreditch | paddington | uxbridge | wembley | stratford"
    ),
}
