"""What a person sees of a demo: one line an alert in any width, and progress where there is no terminal."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from nearline.demo import view
from nearline.demo.alerts import alert_table, shared
from nearline.demo.report import DemoReport
from nearline.demo.screen import LINE_EVERY_S, screen, waiting
from schemas.records import Alert, Outcome, Reason
from streaming.tools.observer import Seen

ROWS = [
    (
        "junior python remote, first developer role",
        "Python Developer [m/f/d], graduates welcome",
        "Calder GmbH",
    ),
    ("وظيفة خدمة عملاء في عمّان بدون خبرة", "ممثل خدمة عملاء", None),
    ("看護師", "看護師（夜勤あり）、療養型病院、寮あり、未経験者歓迎、資格取得支援", "医療法人"),
    ("nurse", "Nurse\nof two lines", "A Hospital With a Rather Long Name in the North of a Country"),
]


def alerts(rows: list[tuple[str, str, str | None]]) -> list[Alert]:
    return [
        Alert(
            alert_id=f"{number:032x}",
            search_id="s",
            posting_id=f"p{number}",
            version=1,
            episode=1,
            query=query,
            title=title,
            company=company,
            p_yes=0.9123,
            model="ranker@1",
            updated_ms=0,
        )
        for number, (query, title, company) in enumerate(rows)
    ]


def printed(width: int, rows: list[tuple[str, str, str | None]]) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(alert_table(alerts(rows), title="alerts", width=console.width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 80, 120, 300])
def test_each_alert_is_one_line_with_its_whole_score_within_the_width(width: int) -> None:
    _title, _head, _rule, *lines = printed(width, ROWS)
    assert len(lines) == len(ROWS)
    assert all(line.endswith("0.912") for line in lines)
    assert max(map(cell_len, lines)) <= width


def test_at_80_columns_every_column_can_be_read_and_what_is_cut_shows_it() -> None:
    lines = printed(80, ROWS)[3:]
    assert lines[0].startswith("junior python remote")
    assert "Python Developer [m/f/" in lines[0], "markup in data is data"
    assert "Calder GmbH" in lines[0]
    assert "…" in lines[0]
    assert "Nurse of two lines" in lines[3]
    assert "A Hospital With a Rat" in lines[3]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_each_alert_says_why_it_went_out(width: int) -> None:
    shown = [replace(alert, reason=reason) for alert, reason in zip(alerts(ROWS), Reason, strict=False)]
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(alert_table(shown, title="alerts", width=width))
    lines = [line.split() for line in out.getvalue().splitlines()[3:]]
    assert len(lines) >= 2
    assert [line[-2] for line in lines[1:]] == [alert.reason.value for alert in shown[1:]]
    assert max(map(cell_len, out.getvalue().splitlines())) <= width


def test_a_wide_terminal_shows_everything() -> None:
    text = "\n".join(printed(300, ROWS))
    assert "…" not in text
    assert all(query in text and (company or "") in text for query, _title, company in ROWS)


def test_no_alerts_are_an_empty_table() -> None:
    assert [line.split() for line in printed(80, [])[1:2]] == [["query", "title", "company", "score"]]


@given(st.integers(3, 300), st.lists(st.integers(1, 400), min_size=3, max_size=3))
def test_widths_fit_and_none_is_cut_while_a_wider_one_is_not(cells: int, wanted: list[int]) -> None:
    given = shared(cells, wanted)
    assert sum(given) == min(cells, sum(wanted))
    cut = [width for width, want in zip(given, wanted, strict=True) if width < want]
    assert all(max(given) - width <= 1 for width in cut)


def seen_after(updates: int) -> Seen:
    seen = Seen(outcomes={f"a/0/{n}": Outcome.SUMMARIZED for n in range(updates)}, feature_ms=[5] * updates)
    seen.alerts = {alert.alert_id: alert for alert in alerts(ROWS)}
    return seen


def test_without_a_terminal_a_plain_line_tells_the_progress_every_few_seconds() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80)
    with waiting(console, "starting"), screen(console) as shown:
        for tenth in range(int(LINE_EVERY_S * 10 * 2) + 1):
            shown.show(view.Progress(seen=seen_after(tenth), sent=100, total=370, elapsed_s=tenth / 10))
    assert out.getvalue().splitlines() == [
        "starting",
        "0 s   sent 100/370   outcomes 0   features 0   alerts 4   lag 100",
        "5 s   sent 100/370   outcomes 50   features 50   alerts 4   lag 50",
        "10 s   sent 100/370   outcomes 100   features 100   alerts 4   lag 0",
    ]


def test_under_a_slow_model_the_line_moves_with_the_texts_summarized() -> None:
    now = view.Progress(seen=Seen(), sent=370, total=370, elapsed_s=35.0, summarized=12)
    assert view.line(now) == (
        "35 s   sent 370/370   outcomes 0   texts summarized 12   features 0   alerts 0   lag 370"
    )


def test_on_a_terminal_the_newest_alerts_are_drawn_in_its_width() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    with screen(console) as shown:
        shown.show(view.Progress(seen=seen_after(3), sent=5, total=5, elapsed_s=2.0, summarized=4))
    assert "texts summarized 4   lag 2" in out.getvalue()
    assert "4 alerts, the newest" in out.getvalue()


def test_the_closing_figures_say_whether_the_outcomes_add_up() -> None:
    out = io.StringIO()
    report = DemoReport(updates_in=3, seen=seen_after(2), features=2, setup_s=1.0, replay_s=1.0)
    view.closing(Console(file=out, width=80), report)
    assert "1 updates have no outcome" in out.getvalue()
    assert max(map(cell_len, out.getvalue().splitlines())) <= 80
