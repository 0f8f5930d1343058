"""A version that is announced, at the doors: from when it holds, why it waits, and what holds until then."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from hutong.governance import actions as governance
from hutong.passes.documents import shipped_document
from hutong.passes.rulebook import actions as rulebook_actions
from tests.kept import Kept
from tests.passes.region import FROM, LI, TO, WANG
from tests.web.test_pages_passes import Doors, again, words


@pytest.fixture
def doors(kept: Kept) -> Iterator[Doors]:
    made = again(kept)
    document = copy.deepcopy(
        shipped_document("dengue-three-levels", valid_from=FROM, valid_to=TO, version="1.2.0", notice_hours=36)
    )
    next(rule for rule in document["rules"] if rule["id"] == "fever")["level"] = "high"
    document["tests"] = document["tests"][:1]
    rulebook_actions.publish_rulebook(made.node, by=LI, second=WANG, document=document)
    yield made
    made.node.close()


def test_the_page_tells_what_comes_when_and_why(doors: Doors) -> None:
    held = words(doors.client().get("/en/rulebooks/dengue-3").text)
    assert "Rulebook dengue-3, version 1.1.0" in held
    assert "Version 1.2.0 holds from 2 March 2026, 20:00 UTC" in held
    assert "Whether you have a fever: yes" in held
    assert "from medium to high" in held
    coming = words(doors.client().get("/en/rulebooks/dengue-3?version=1.2.0").text)
    assert "This version is not in force" in coming
    assert "It holds from 2 March 2026, 20:00 UTC." in coming
    assert "36 hours, before a version holds that may raise a level" in coming
    listed = words(doors.client().get("/en/rulebooks").text)
    assert "Version 1.2.0 holds from 2 March 2026, 20:00 UTC" in listed
    chinese = doors.client().get("/zh/rulebooks/dengue-3").text
    assert "2026年3月2日 20:00 UTC" in chinese
    assert "版本 1.2.0" in chinese


def test_the_notice_being_over_it_is_the_one_that_is_shown(doors: Doors) -> None:
    doors.clock.advance(hours=36)
    page = words(doors.client().get("/en/rulebooks/dengue-3").text)
    assert "Rulebook dengue-3, version 1.2.0" in page
    assert "not in force" not in page
    assert "This version is not in force" in words(doors.client().get("/en/rulebooks/dengue-3?version=1.1.0").text)


def test_machines_and_the_log_are_told_too(doors: Doors) -> None:
    (listed,) = doors.client().get("/api/passes/rulebooks").json()
    assert (listed["version"], listed["effect"]) == ("1.1.0", "first")
    (coming,) = listed["coming"]
    assert (coming["version"], coming["effect"]) == ("1.2.0", "tightening")
    assert (listed["in_force"], listed["ended_at"]) == (True, None)
    one = doors.client().get("/api/passes/rulebooks/dengue-3?version=1.2.0").json()
    assert (one["in_force"], one["ended_at"]) == (False, None)
    assert one["because"] == "somebody-gets-a-worse-level"
    assert one["effective_from"] == coming["effective_from"]
    assert doors.client().get("/api/passes/rulebooks/dengue-3").json()["document"]["version"] == "1.1.0"
    at = doors.clock() + timedelta(hours=36)
    log = words(doors.client().get("/en/log").text)
    assert f"it may raise levels, and waits for its notice. It holds from {at.day} March 2026, 20:00 UTC" in log


def test_machines_are_told_that_an_emergency_was_ended(doors: Doors) -> None:
    governance.end_emergency(doors.node, by=LI, emergency_id="dengue-2015")
    ended = doors.clock()
    doors.clock.advance(hours=1)
    browser = doors.client()
    assert "This version is not in force" in words(browser.get("/en/rulebooks/dengue-3").text)
    (listed,) = browser.get("/api/passes/rulebooks").json()
    for told in (listed, browser.get("/api/passes/rulebooks/dengue-3").json()):
        assert (told["in_force"], datetime.fromisoformat(told["ended_at"])) == (False, ended)
