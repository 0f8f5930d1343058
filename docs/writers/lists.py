"""Counts what is wrong in the two lists of the demonstration, straight from their files, into a hand-written page.

The counts stand between two marks; what is around them is written by hand and kept. The node finds the same things its
own way (mapping, receipts, quality rules); counting them here again, without it, is what makes the page a check.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

from docs.writers.markdown import table

from hutong.demo.lists import line_lists

BEGIN, END = "<!-- counts: begin -->", "<!-- counts: end -->"
NAMES = {"tw": "Taiwan, 1998 to 2024", "pe": "Peru, 2019 to 2022"}
NOTHING = "\\N"  # as the sender's database exports it
Row = dict[str, str]


def write(path: Path) -> str:
    """The page with fresh counts between its marks."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    found = line_lists({}, {})
    parts = []
    for region, count in (("tw", taiwan), ("pe", peru)):
        with found[region].file.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        head = ("What is wrong", "How many", "What the node does with it")
        parts.append(f"### {NAMES[region]}: {len(rows):,} rows\n\n{table(head, count(rows))}")
    return before + BEGIN + "\n" + "\n\n".join(parts) + "\n" + END + after


def taiwan(rows: list[Row]) -> list[tuple[str, str, str]]:
    """What is wrong in the list of Taiwan: finding, count, what happens."""
    onset, notified, confirmed = (
        [_day(row[name]) for row in rows] for name in ("Date_Onset", "Date_Notification", "Date_Confirmation")
    )
    unconfirmed = [begun for begun, day in zip(onset, confirmed, strict=True) if day is None and begun]
    reported = list(zip(notified, confirmed, strict=True))
    differing = [
        (row["Township_living"].replace("Dist.", "District"), row["MOI_Township_living"])
        for row in rows
        if "None" not in (row["Township_living"], row["MOI_Township_living"])
    ]
    differing = [pair for pair in differing if pair[0] != pair[1]]
    elsewhere = Counter(differing)["Annan District", "West Central District"]
    texts = Counter(name for row in rows for name, value in row.items() if value == "None")
    no_country = Counter(row["Imported"] for row in rows if row["Country_infected"] in ("None", "OTHERS"))
    return [
        (
            f"Confirmed, but no date of confirmation; onset {min(unconfirmed).year} to {max(unconfirmed).year}",
            f"{len(unconfirmed):,}",
            "accepted; quality rule `confirmation-missing`",
        ),
        (
            "Confirmed more than a year after notification",
            _count(reported, lambda a, b: b > a + timedelta(days=365)),
            "held: `confirmation-a-year-late`",
        ),
        (
            "Confirmed before it was notified",
            _count(reported, lambda a, b: b < a),
            "held: `confirmation-before-notification`",
        ),
        (
            "Notified before its symptoms began",
            _count(zip(onset, notified, strict=True), lambda a, b: b < a),
            "held: `notification-before-onset`",
        ),
        (
            f"The word “None” written for a missing value, over {len(texts)} of {len(rows[0])} columns",
            f"{sum(texts.values()):,} cells",
            "read as missing, counted by column: `missing-as-text`",
        ),
        (
            "“None” instead of a serotype: the virus was not typed",
            f"{texts['Serotype']:,}",
            "accepted; quality rule `serotype-missing`",
        ),
        (
            "Two columns that should name the same township differ, beyond “Dist.” for “District”",
            f"{len(differing):,}",
            "accepted; counted: `township-names-differ`",
        ),
        (
            "… of them not another spelling but another place (Annan and West Central)",
            f"{elsewhere:,}",
            "accepted by the code of the township; nobody but the sender can say which is right",
        ),
        (
            "“District” cut off after 15 letters (“Cianjhen Distric”)",
            f"{sum(row['MOI_Township_living'].endswith(' Distric') for row in rows):,}",
            "accepted: codes are taken, not names",
        ),
        ("No coordinates", f"{texts['Enumeration_unit_long']:,}", "accepted; quality rule `coordinates-missing`"),
        (
            "No township of residence",
            f"{texts['MOI_Township_living_Code']:,}",
            "accepted; counted for the whole country only",
        ),
        (
            "Imported, but the country is not told",
            f"{no_country['Y']:,}",
            "accepted; counted: `imported-without-country`",
        ),
        ("Said to be local, but the country is not told", f"{no_country['N']:,}", "accepted; `local-without-country`"),
        (
            "A row that stands for two cases",
            f"{sum(row['Number_of_confirmed_cases'] != '1' for row in rows):,}",
            "accepted, counted as two: `several-cases-in-a-row`",
        ),
        (
            "Rows equal to an earlier row in all columns",
            _surplus(rows),
            "accepted, each: without case numbers equal rows may be different people",
        ),
    ]


def peru(rows: list[Row]) -> list[tuple[str, str, str]]:
    """What is wrong in the list of Peru: finding, count, what happens."""
    ages = [int(row["edad"]) for row in rows]
    damaged = Counter(row["distrito"] for row in rows if _is_damaged(row["distrito"]))
    homes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        homes[row["provincia"]][row["departamento"]] += 1
    misplaced = sum(sum(n for _, n in home.most_common()[1:]) for home in homes.values())
    strangers = {department for home in homes.values() for department, _ in home.most_common()[1:]}
    return [
        (
            "A week and a year, no date",
            f"{len(rows):,}",
            "accepted with the first day of the week and the precision *week*; `week-without-date`",
        ),
        (
            "Not told: onset, notification, suspected or confirmed, imported or not",
            f"{len(rows):,}",
            "accepted: these elements are elastic; quality rules of completeness",
        ),
        (
            "`\\N`, a database's mark for “nothing”, in department, province and district",
            f"{sum(row['departamento'] == row['provincia'] == row['distrito'] == NOTHING for row in rows):,}",
            "held: `no-place`",
        ),
        (f"An age of {max(ages)} years", f"{sum(age > 120 for age in ages):,}", "held: `out-of-range`"),
        (
            "Nobody below one year of age in the whole list",
            "1 list" if not any(age < 1 for age in ages) else "0",
            "accepted; quality rule `no-infants`: infants are missing or were counted otherwise",
        ),
        (
            f"The letter Ñ lost on the way, in {len(damaged)} district names (in two of them a Cyrillic letter stands)",
            f"{damaged.total():,}",
            "repaired by the mapping's list of official names, each counted: `damaged-text`, `repaired`",
        ),
        (
            f"Provinces of other departments placed in {', '.join(sorted(name.title() for name in strangers))}",
            f"{misplaced:,}",
            "accepted; quality rule `area-in-two-parents`",
        ),
        (
            "Rows equal to an earlier row in all columns",
            _surplus(rows),
            "accepted, each: without case numbers equal rows may be different people",
        ),
    ]


def _count(pairs: Iterable[tuple[date | None, date | None]], is_wrong: Callable[[date, date], bool]) -> str:
    return f"{sum(first is not None and second is not None and is_wrong(first, second) for first, second in pairs):,}"


def _surplus(rows: list[Row]) -> str:
    return f"{sum(n - 1 for n in Counter(tuple(row.values()) for row in rows).values()):,}"


def _day(text: str) -> date | None:
    return date(*map(int, text.split("/"))) if text not in ("", "None") else None


def _is_damaged(text: str) -> bool:
    return any(letter == "\ufffd" or "\u0400" <= letter <= "\u04ff" for letter in text)
