"""The paper's tables (arXiv 2510.22101) as rows, each with the name of the report that holds our figure."""

from __future__ import annotations

from dataclasses import dataclass, replace

DENSE = "dense"
SCAN = "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A model of the paper and ours: `file` is the stem of our evaluation report, `system` the system in it."""

    file: str
    title: str
    system: str = "ranker"
    paper_model: str = ""
    paper_change: float | None = None
    """The paper's change of NDCG@10 to its dense model on raw text; None where it gives none."""

    @property
    def key(self) -> str:
        """The row's name in a manifest (`measured.MANIFEST`)."""
        return self.file if self.system == "ranker" else f"{self.file}:{self.system}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """A table's number and title in the paper, and its rows."""

    number: str
    title: str
    rows: tuple[PaperRow, ...]


_DENSE = PaperRow(file=DENSE, title="dense", paper_model="600M, unpruned", paper_change=0.0)
_DROPPED = PaperRow(
    file="mlp50-drop-sft",
    title="50% MLP + SFT, blocks dropped, SFT",
    paper_model="376M: 8 of 28 blocks",
    paper_change=-0.0079,
)

TABLES = (
    PaperTable(
        number="Table 1",
        title="half of the MLP's hidden neurons removed",
        rows=(
            _DENSE,
            PaperRow(file="mlp50", title="50% MLP", paper_model="464M", paper_change=-0.0095),
            PaperRow(file="mlp50-sft", title="50% MLP + SFT", paper_model="464M", paper_change=-0.0046),
        ),
    ),
    PaperTable(
        number="Table 3",
        title="half of the MLP and whole blocks removed",
        rows=(
            _DENSE,
            PaperRow(file="mlp50-drop", title="50% MLP + SFT, blocks dropped, no SFT after it"),
            _DROPPED,
            PaperRow(
                file="mlp50-drop10-sft",
                title="the same, more blocks",
                paper_model="354M: 10 of 28 blocks",
                paper_change=-0.0074,
            ),
            PaperRow(
                file="mlp50-drop12-sft",
                title="the same, most blocks",
                paper_model="332M: 12 of 28 blocks",
                paper_change=-0.0080,
            ),
        ),
    ),
    PaperTable(
        number="Tables 4 and 6",
        title="less text, and both: a smaller model on less text",
        rows=(
            replace(_DENSE, paper_model="600M: .8950"),
            PaperRow(
                file=DENSE,
                system="no-description",
                title="dense, no description",
                paper_model="no item description (said as -9%)",
                paper_change=-0.09,
            ),
            PaperRow(file="mlp50-drop-sft", title="pruned, raw text"),
            PaperRow(
                file="mlp50-drop-sft-summaries",
                title="pruned, SFT on raw text, read summaries",
                paper_model="375M: .8786",
                paper_change=-0.0164,
            ),
            PaperRow(
                file="mlp50-drop-summaries-sft-summaries",
                title="pruned, SFT on summaries, read summaries",
                paper_model="375M: .8788",
                paper_change=-0.0162,
            ),
        ),
    ),
)
"""Table 6 gives levels of NDCG@10; the changes are their differences."""

BLOCKS = {0: -0.3356, 1: -0.0296, 2: -0.0133, 9: -0.0166, -3: -0.0001, -2: -0.0004, -1: -0.0009}
"""Table 2: change by removing one of 28 blocks, numbered from the first (0) or from the last (-1)."""


def block_names(block: int, blocks: int) -> dict[str, float]:
    """The paper's changes for blocks at the same place from the start or the end as block `block` of `blocks`."""
    names = {
        0: "first",
        1: "second",
        2: "third",
        9: "tenth",
        -3: "two before last",
        -2: "one before last",
        -1: "last",
    }
    return {name: BLOCKS[place] for place, name in names.items() if place in {block, block - blocks}}
