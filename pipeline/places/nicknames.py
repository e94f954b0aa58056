"""Names that people use for cities, beside those in the gazetteer's data."""

#: Names that people use, and the cities that they mean.
NICKNAMES = """
US/CA sf = san francisco
US/CA san fran = san francisco
US/CA la = los angeles
US/CA bay area = san francisco | oakland | san jose | berkeley | palo alto | mountain view | redwood city | san mateo | menlo park | fremont | sunnyvale | santa clara | cupertino | south san francisco | emeryville | hayward | burlingame | san bruno
US/CA silicon valley = san jose | palo alto | mountain view | menlo park | sunnyvale | santa clara | cupertino | redwood city
US/NY nyc = new york city
US/NY new york = new york city
US/NV vegas = las vegas
US/PA philly = philadelphia
US/UT slc = salt lake city
US/LA nola = new orleans
US/TX dfw = dallas | ft worth
US/MN twin cities = minneapolis | st paul
GB/ENG city of london = london
GB/ENG east london = london
GB/ENG inner london = london
GB/ENG newcastle = newcastle upon tyne
GB/ENG hull = kingston upon hull
GB/ENG stoke = stoke on trent
MX/09 cdmx = mexico city
MY/14 kl = kuala lumpur
ES/60 valencia = valencia
"""
#: What stands for "San Francisco" in front of these stands for it as well.
SAME_AS = {"sf bay area": "bay area", "san francisco bay area": "bay area", "the bay area": "bay area"}
