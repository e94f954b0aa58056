"""An invented feed of posting updates, quick to generate, with shares of events as job boards send them.

A board's ids count upwards and its newer postings change most, as on real boards, because that decides which pages of a
B-tree are written. Texts have about 1 KB. All events of a posting come from one board, in order.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from schemas.codec import encode
from schemas.records import Op, Posting, PostingUpdate

START_US = 1_750_000_000_000_000
STEP_US = 250_000
#: Postings of one board that may still change; older ones never do.
LIVE = 4_000
SENTENCES_A_TEXT = 14

#: Kinds of a board's next event, in parts of a thousand.
MIX = {
    "add": 480,
    "salary": 180,
    "text": 110,
    "again": 100,
    "close": 70,
    "open": 20,
    "repost": 20,
    "remove": 10,
    "late": 9,
    "broken": 1,
}

_WORDS_TEXT = """
ability access account advise after agree answer apply archive area assist attend audit balance bakery
bench board book bring budget build busy call care carry cash centre chair change check child city class
clean client clinic coach code college colour community company cook correct count course cover craft
crew customer daily data deliver depot design desk detail district document draft drive duty early
electric energy engine event evening export family farm field file fleet floor food forest freight
friendly garden glass goods grow guide hall hand harbour health help home hotel house inspect install
invoice joint keep kitchen label laboratory learn lesson library lift linen listen load local machine
maintain manage market material measure meet metal mix monitor nursery nurse office open operate orchard
order organise pack paint parent park part patient payroll phone plan plant plumb police polish prepare
print process produce project pump purchase quality query rail read receive record repair report rest
retail review road room route safe sample schedule school science secure seed serve service sew sheet
shift shop sign site small software solve sort staff stage stock store street student study supply
support survey switch table teach team tenant test theatre timber time tool town track trade train travel
treat truck van vehicle visit ward warehouse waste water weekend weld window wire wood work workshop
write yard young
"""
WORDS = _WORDS_TEXT.split()
_ROLES_TEXT = """
assistant cleaner cook driver electrician engineer gardener manager nurse painter planner porter teacher
welder
"""
ROLES = _ROLES_TEXT.split()
_TOWNS_TEXT = """
Ashby Bramley Colne Dunmow Elland Frome Goole Hexham Ilkley Jarrow Kendal Leek Morpeth Northam Oakham
Penrith
"""
_TOWNS = _TOWNS_TEXT.split()
_TYPES = ("full-time", "part-time", "contract", None)
_REMOTE = ("remote", "hybrid", "onsite", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Number of updates and of boards. The same values give the same feed, byte for byte."""

    updates: int
    boards: int = 16
    seed: int = 1


def messages(feed: Feed, share: int = 0, shares: int = 1) -> Iterator[tuple[bytes | None, bytes]]:
    """Key and value of the message of each of `events`."""
    for event in events(feed, share, shares):
        yield (None, event) if isinstance(event, bytes) else (event.posting_id.encode(), encode(event))


def additions(count: int, seed: int = 1) -> Iterator[PostingUpdate]:
    """Only new postings, of one board."""
    board = _Board(number=0, rng=random.Random(seed))
    for _ in range(count):
        yield board.add()


def events(feed: Feed, share: int = 0, shares: int = 1) -> Iterator[PostingUpdate | bytes]:
    """The events of every `shares`-th board from board `share` on, in turns; bytes stand for a broken message."""
    mine = range(share, feed.boards, shares)
    boards = [_Board(number=number, rng=random.Random(f"{feed.seed}/{number}")) for number in mine]
    counts = [len(range(number, feed.updates, feed.boards)) for number in mine]
    for turn in range(max(counts, default=0)):
        for board, count in zip(boards, counts, strict=True):
            if turn < count:
                yield board.next()


@dataclass(slots=True, kw_only=True)
class _Board:
    number: int
    rng: random.Random
    postings: int = 0
    now_us: int = START_US
    live: list[tuple[str, Posting]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sentences = [self._sentence() for _ in range(2_000)]

    def next(self) -> PostingUpdate | bytes:
        """The board's next event."""
        kind = self.rng.choices(*_CHOICES)[0] if self.live else "add"
        if kind == "broken":
            return self.rng.randbytes(60)
        return self.add() if kind == "add" else self._touch(kind)

    def add(self) -> PostingUpdate:
        """The event that adds a new posting."""
        self.now_us += STEP_US
        self.postings += 1
        posting_id, posting = f"board-{self.number:03d}/{self.postings:08d}", self._posting()
        self.live.append((posting_id, posting))
        if len(self.live) > LIVE:
            del self.live[: LIVE // 4]
        return PostingUpdate(posting_id=posting_id, version=self.now_us, op=Op.ADD, posting=posting)

    def _touch(self, kind: str) -> PostingUpdate:
        """An event of an existing posting, more often of a newer one than of an older one."""
        self.now_us += STEP_US
        at = int(len(self.live) * self.rng.random() ** 0.5)
        posting_id, posting = self.live[at]
        posting = self._changed(kind, posting)
        self.live[at] = posting_id, posting
        version = self.now_us - 400 * STEP_US * (kind == "late")
        op = _OPS[kind]
        carries = op in (Op.UPDATE, Op.REPOST)
        return PostingUpdate(
            posting_id=posting_id, version=version, op=op, posting=posting if carries else None
        )

    def _changed(self, kind: str, posting: Posting) -> Posting:
        if kind == "salary":
            return replace(posting, salary=f"{self.rng.randrange(20, 90)},000 a year")
        if kind == "text":
            return replace(posting, description=f"{posting.description} {self.rng.choice(self.sentences)}")
        return posting

    def _posting(self) -> Posting:
        choice = self.rng.choice
        return Posting(
            title=f"{choice(WORDS)} {choice(ROLES)}".capitalize(),
            company=f"{choice(WORDS)} & {choice(WORDS)}".title(),
            location=choice(_TOWNS),
            employment_type=choice(_TYPES),
            remote=choice(_REMOTE),
            salary=f"{self.rng.randrange(20, 90)},000 a year",
            description=" ".join(self.rng.choices(self.sentences, k=SENTENCES_A_TEXT)),
        )

    def _sentence(self) -> str:
        words = self.rng.choices(WORDS, k=self.rng.randrange(6, 17))
        return f"{' '.join(words).capitalize()}."


_CHOICES = (list(MIX), list(MIX.values()))
_OPS = {
    "salary": Op.UPDATE,
    "text": Op.UPDATE,
    "again": Op.UPDATE,
    "late": Op.UPDATE,
    "close": Op.CLOSE,
    "open": Op.OPEN,
    "repost": Op.REPOST,
    "remove": Op.REMOVE,
}
