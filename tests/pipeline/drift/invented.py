"""Invented postings: of the trades that the generator knows, of crafts that it does not, and in other languages."""

from collections.abc import Iterator, Sequence
from random import Random

from models.prompts import Item
from training.synthetic.lexicon import load
from training.synthetic.postings import Writer

Row = tuple[str, Item]
"""A posting's id, and the posting with its raw text."""
HEALTH = ("nursing", "care", "medicine", "therapy")
CRAFT_TITLES = (
    "Luthier",
    "Farrier",
    "Cooper",
    "Horologist",
    "Bookbinder",
    "Thatcher",
    "Lapidary",
    "Organ voicer",
)
CRAFTS = (
    "You fit purfling, plane spruce tonewood and regraduate plates with thumb planes and scrapers.",
    "Forge bar shoes, clench and rasp hooves, and treat quarter cracks and seedy toe.",
    "Raise casks from quercus staves, char and toast, cut the croze and drive truss hoops.",
    "Repivot verge and cylinder escapements, poise balances, make fusee chains and repeating racks.",
    "Sew on raised cords, pare goatskin, marble endpapers and tool spines with gilt fillets.",
    "Comb wheat reed on hazel spars, dress eaves with leggetts and cut scalloped ridges.",
    "Facet tourmaline and spinel on diamond laps, cabochon moonstone, set bezels and collets.",
    "Nick languids, cone tune flue pipes, regulate reeds and releather pallets and bellows.",
    "Slip cast bisque, mix celadon and tenmoku glazes, pack saggars and read pyrometric cones.",
    "Repousse silver vessels, planish, chase acanthus borders and niello the cartouches.",
    "Kumihimo braids, jacquard harnesses, heddles and weft faced tapestry are your daily tools.",
    "Limewash, pargeting and scagliola for vaulted refectories; lath nails are wrought on site.",
)
LANGUAGES = {
    "de": (
        ("Pflegefachkraft", "Elektroniker", "Buchhalterin", "Softwareentwickler", "Lagerhelfer"),
        (
            "Wir suchen ab sofort eine engagierte Verstärkung für unser Team in München.",
            "Sie verfügen über eine abgeschlossene Berufsausbildung und mehrjährige Erfahrung.",
            "Die Bereitschaft zum Schichtdienst und ein Führerschein werden vorausgesetzt.",
            "Wir bieten eine unbefristete Festanstellung, flexible Arbeitszeiten und betriebliche Altersvorsorge.",
            "Zu Ihren Aufgaben gehört die Wartung der Anlagen sowie die Dokumentation der Arbeiten.",
            "Ihre vollständigen Bewerbungsunterlagen richten Sie bitte an unsere Personalabteilung.",
            "Gute Deutschkenntnisse und selbstständiges Arbeiten sind uns besonders wichtig.",
        ),
    ),
    "es": (
        ("Enfermera", "Camarero", "Contable", "Mecánico", "Programador"),
        (
            "Buscamos una persona responsable para incorporarse a nuestro equipo en Sevilla.",
            "Se requiere experiencia mínima de dos años y disponibilidad para trabajar los fines de semana.",
            "Ofrecemos contrato indefinido, jornada completa y formación a cargo de la empresa.",
            "Entre sus funciones estará la atención al cliente y el mantenimiento de las instalaciones.",
            "Imprescindible carné de conducir y vehículo propio para los desplazamientos.",
            "Valoramos la capacidad de trabajo en equipo y las ganas de aprender.",
        ),
    ),
    "fr": (
        ("Infirmière", "Cuisinier", "Comptable", "Électricien", "Vendeuse"),
        (
            "Nous recherchons une personne motivée pour rejoindre notre équipe à Lyon.",
            "Vous justifiez d'une première expérience réussie et maîtrisez les outils bureautiques.",
            "Nous proposons un contrat à durée indéterminée avec treizième mois et mutuelle.",
            "Vous serez chargé de l'accueil des patients et du suivi des dossiers.",
            "Le permis de conduire est exigé en raison de nombreux déplacements.",
            "Merci d'adresser votre candidature accompagnée d'une lettre de motivation.",
        ),
    ),
}


def known(count: int, seed: int, groups: Sequence[str] = HEALTH) -> list[Row]:
    """Short postings of these groups of occupations, by the generator that also made training data."""
    rng, lexicon = Random(seed), load()
    writer, occupations = Writer(lexicon), [one for one in lexicon.occupations if one.group in groups]
    return [
        (f"{groups[0]}-{seed}-{at}", _item(made.title, made.description))
        for at, made in enumerate(writer.write(rng, rng.choice(occupations), 0.1) for _ in range(count))
    ]


def crafts(count: int) -> list[Row]:
    """Postings in English of trades that no model here was trained on."""
    return list(_drawn("craft", CRAFT_TITLES, CRAFTS, count))


def foreign(count: int) -> list[Row]:
    """Postings in German, Spanish and French by turns."""
    made = [_drawn(name, titles, sentences, count) for name, (titles, sentences) in LANGUAGES.items()]
    return [row for rows in zip(*made, strict=True) for row in rows][:count]


def _drawn(name: str, titles: Sequence[str], sentences: Sequence[str], count: int) -> Iterator[Row]:
    rng = Random(name)
    for at in range(count):
        yield f"{name}-{at}", _item(rng.choice(titles), " ".join(rng.sample(sentences, 5)))


def _item(title: str, text: str) -> Item:
    return Item(title=title, company=None, location=None, employment_type=None, remote=None, text=text)
