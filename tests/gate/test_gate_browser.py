"""The console in a real browser: from the login to a reviewer's decision."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from acting import HOLDS, Actor, acting
from gates import Gate, rows

sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
SOON = 10_000  # ms


@pytest.fixture
def actor(gate: Gate) -> Iterator[Actor]:
    """A worker whose stages are played; before the browser, whose event loop it cannot bear."""
    actor = Actor()
    with acting(gate, actor):
        yield actor


@pytest.fixture
def address(gate: Gate) -> Iterator[str]:
    """Where the gate's pages are, while a server of its own brings them."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(gate.client.app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    server.force_exit = True
    thread.join(10)


@pytest.fixture
def browser() -> Iterator[Any]:
    with sync.sync_playwright() as play:
        opened = play.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox"]
        )
        yield opened
        opened.close()


class Visitor:
    """Somebody at a browser of his own, who is told of every error of the page."""

    def __init__(self, browser: Any, address: str, key: str, **how: Any) -> None:
        self.errors: list[str] = []
        self.page = browser.new_context(base_url=address, **how).new_page()
        self.page.set_default_timeout(SOON)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.goto("/console")
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Jobs").wait_for()

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()


def key(gate: Gate, tenant: str, *scopes: str) -> str:
    return gate.as_(tenant, *scopes)["Authorization"].removeprefix("Bearer ")


def upload(at: Visitor, folder: Path) -> None:
    """Fills the form of a new job in."""
    file = folder / "questions.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows(12)))
    at.page.get_by_role("link", name="New job").first.click()
    at.page.get_by_label("Upload a file").set_input_files(str(file))
    at.page.get_by_label("Suffix").fill("mine")
    at.page.get_by_role("button", name="Start the job").click()


def test_the_whole_story_from_login_to_review(
    gate: Gate, actor: Actor, address: str, browser: Any, tmp_path: Path
) -> None:
    actor.waits_in = "audit"
    actor.says["audit"] = {**HOLDS, "verdict": "insufficient evidence", "reason": "ask more"}
    ada = Visitor(browser, address, key(gate, "ada"))
    upload(ada, tmp_path)
    ada.page.get_by_role("heading", name="mine").wait_for()
    # From here on the page is not loaded again: what comes, comes by itself.
    ada.page.evaluate("window.same = true")
    ada.page.locator(".line .going", has_text="Audit").wait_for()
    ada.page.locator("svg.curve[aria-label*='step 3 of 3']").wait_for()
    actor.go_on.set()
    ada.page.locator("[role=status]", has_text="waits for a reviewer").wait_for()
    desk = Visitor(browser, address, key(gate, "desk", "review"), color_scheme="dark")
    desk.page.get_by_role("link", name="Review").click()
    desk.page.get_by_role("link", name="ft:canary:chat:ada:mine").click()
    desk.page.get_by_label("Release").check()
    desk.page.get_by_label("Reason").fill("I read the replies.")
    desk.page.get_by_role("button", name="Seal the decision").click()
    desk.sees("I read the replies.")
    ada.page.locator("[role=status]", has_text="released").wait_for()
    ada.sees("Released as")
    assert ada.page.evaluate("window.same")
    desk.page.get_by_role("link", name="Trail").click()
    desk.sees("2 decisions, none changed")
    ada.page.get_by_role("button", name="Log out").click()
    ada.page.get_by_label("API key").wait_for()
    assert (ada.errors, desk.errors) == ([], [])


def test_a_job_is_cancelled_by_keyboard_and_without_scripts(
    gate: Gate, address: str, browser: Any, tmp_path: Path
) -> None:
    ada = Visitor(
        browser,
        address,
        key(gate, "ada"),
        java_script_enabled=False,
        viewport={"width": 390, "height": 800},
    )
    upload(ada, tmp_path)
    ada.page.get_by_role("link", name="Cancel").press("Enter")
    ada.page.get_by_role("button", name="Cancel the job").press("Enter")
    ada.page.locator("[role=status]", has_text="cancelled").wait_for()
    ada.page.keyboard.press("Tab")
    assert ada.page.locator(":focus").inner_text() == "Skip to the content"


def test_no_page_is_wider_than_the_window(gate: Gate, address: str, browser: Any) -> None:
    job = gate.job(suffix="x" * 64)["id"]
    at = Visitor(browser, address, key(gate, "ada", "admin"))
    for path in ("jobs", "jobs/new", f"jobs/{job}", "review", "policy", "trail", "keys"):
        at.page.goto(f"/console/{path}")
        for width in (1280, 390):
            at.page.set_viewport_size({"width": width, "height": 800})
            assert at.page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert not at.errors
