"""What the rules understand of a person's words, and what becomes of words that they cannot use."""

import pytest

from pipeline.understanding.rules import RuleUnderstanding
from pipeline.understanding.understood import MOST_CHARS, Understood
from schemas.errors import ConfigError, EventError


def understood(text: str) -> Understood:
    return RuleUnderstanding().understand(text)


def values(text: str) -> dict[str, str]:
    made = understood(text)
    return {f"{part.name}": part.value for part in made.parts if part.name != "must_not"} | {
        f"must_not:{part.value}": part.value for part in made.parts if part.name == "must_not"
    }


def test_the_example_of_the_documentation_is_understood_part_by_part() -> None:
    made = understood("part-time barista near Leeds, no weekends, remote not needed")
    assert made.words == "barista"
    assert [(part.name, part.value, part.words) for part in made.parts] == [
        ("employment_type", "part-time", "part-time"),
        ("remote", "any", "remote not needed"),
        ("must_not", "weekends", "no weekends"),
        ("location", "Leeds", "near Leeds"),
        ("radius_km", "25", "near Leeds"),
    ]
    search = made.search("s-1")
    assert (search.query, search.location, search.radius_km) == ("barista", "Leeds", 25.0)
    assert (search.remote, search.employment_type, search.must_not) == (None, "part-time", ("weekends",))


@pytest.mark.parametrize(
    ("text", "parts", "words"),
    [
        ("remote python developer, at least £60k", {"remote": "remote", "pay_from": "£60k"}, "python developer"),
        ("driver 13.50 an hour or more", {"pay_from": "13.50 an hour"}, "driver"),
        ("up to 40k driver", {}, "up to 40k driver"),
        ("welder Hamburg", {"location": "Hamburg"}, "welder"),
        ("chef in Reading", {"location": "Reading"}, "chef"),
        ("reading teacher", {}, "reading teacher"),
        ("java developer in Portland, OR", {"location": "Portland, OR"}, "java developer"),
        ("care work in Leeds or York", {"location": "Leeds; York"}, "care work"),
        ("nurse within 10 miles of Bradford", {"location": "Bradford", "radius_km": "16.1"}, "nurse"),
        ("cook, Lyon within 20 km", {"location": "Lyon", "radius_km": "20"}, "cook"),
        ("gardener in the UK within 20 km", {"location": "UK"}, "gardener"),
        ("farm work near Little Snoring", {"location": "Little Snoring"}, "farm work"),
        ("full- or part-time cook", {"employment_type": "full-time/part-time"}, "cook"),
        ("cook, not full time", {"employment_type": "part-time"}, "cook"),
        ("barista, no nights or weekends", {"must_not:nights": "nights", "must_not:weekends": "weekends"}, "barista"),
        ("care work, weekends off", {"must_not:weekends": "weekends"}, "care work"),
        ("sales, cold calling not wanted", {"must_not:cold calling": "cold calling"}, "sales"),
        ("carer, part-time not wanted", {"employment_type": "full-time"}, "carer"),
        ("no weekends barista in Leeds", {"must_not:weekends": "weekends", "location": "Leeds"}, "barista"),
        ("no people management nurse", {"must_not:people management": "people management"}, "nurse"),
        ("no nights / pharmacist", {"must_not:nights": "nights"}, "pharmacist"),
        ("analyst, no contact with clients", {"must_not:contact with clients": "contact with clients"}, "analyst"),
        ("cook (no dealing with the public)", {"must_not:dealing with the public": "dealing with the public"}, "cook"),
        ("nurse, somewhere to live on site", {}, "nurse, somewhere to live on site"),
        ("C++ or .NET, remote", {"remote": "remote"}, "C++ or .NET"),
        (".NET developer at the bedside", {}, ".NET developer at the bedside"),
        ("warehouse, no experience", {}, "warehouse, no experience"),
        ("remote sensing scientist", {}, "remote sensing scientist"),
        ("developer, no remote", {"remote": "on site"}, "developer"),
        ("developer, remote or on site", {"remote": "any"}, "developer"),
        ("hybrid developer", {}, "hybrid developer"),
        (
            "Krankenschwester in Teilzeit in München, keine Nachtdienste",
            {"employment_type": "part-time", "location": "München", "must_not:Nachtdienste": "Nachtdienste"},
            "Krankenschwester",
        ),
    ],
)  # fmt: skip
def test_filters_are_read_and_their_words_are_not_looked_for(
    text: str, parts: dict[str, str], words: str
) -> None:
    made = understood(text)
    assert (values(text), made.words) == (parts, words)
    made.search("s")


@pytest.mark.parametrize("text", ["", " ", "any job", "we want a job", "?!"])
def test_a_text_that_asks_for_nothing_says_so(text: str) -> None:
    made = understood(text)
    assert made.asks_for_nothing
    assert made.notes == ("nothing is asked for: name a kind of work, a place or a condition",)


def test_filters_without_words_say_that_all_that_passes_matches() -> None:
    made = understood("part-time in Leeds")
    assert not made.asks_for_nothing
    assert made.notes == ("no word to look for: whatever passes the filters matches",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cook, part time, no part time", "contradict each other"),
        ("remote developer, no remote", "contradict each other"),
        ("nurse, night shifts, no nights", "contradicts"),
    ],
)
def test_a_text_that_contradicts_itself_sets_no_filter_and_says_so(text: str, said: str) -> None:
    made = understood(text)
    assert not made.parts
    assert len(made.notes) == 1
    assert said in made.notes[0]


def test_another_script_is_looked_for_as_it_is() -> None:
    made = understood("ゲーム 翻訳 在宅")
    assert made.words == "ゲーム 翻訳 在宅"
    assert "script" in made.notes[0]


def test_a_text_that_nobody_types_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"10,000 characters: ask in at most 2,000"):
        understood("nurse " * (10_000 // 6) + "nurs")
    assert understood("x" * MOST_CHARS).words == "x" * MOST_CHARS


def test_a_part_can_be_dropped_and_its_words_are_looked_for_again() -> None:
    made = understood("barista near Leeds, no weekends, no nights")
    assert made.without(["location"]).search("s").query == "barista near Leeds"
    assert made.without(["location"]).search("s").radius_km == 0
    assert made.without(["must_not:weekends"]).search("s").must_not == ("nights",)
    with pytest.raises(ConfigError, match="names no part"):
        made.without(["place"])


def test_a_part_can_be_set_by_hand() -> None:
    made = understood("barista near Leeds")
    corrected = (
        made.with_value("location", "York").with_value("must_not", "nights").with_value("remote", "on site")
    )
    search = corrected.search("s")
    assert (search.query, search.location, search.radius_km) == ("barista", "York", 25.0)
    assert (search.must_not, search.remote) == (("nights",), False)
    with pytest.raises(EventError, match="radius_km"):
        made.with_value("radius_km", "far")
    for name, value in (("remote", "maybe"), ("remote", ""), ("location", " "), ("must_not", "")):
        with pytest.raises(
            ConfigError, match=f"{name} '.*' is no filter: give another value, or drop {name}"
        ):
            made.with_value(name, value)
    with pytest.raises(ConfigError, match="cannot be set"):
        made.with_value("query", "cook")
