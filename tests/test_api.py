"""Every example of docs/api.md runs, against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.hkai_process import ROOT, Server, environment

WRITTEN = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860"
REFUSED = "/v1/texts/nowhere"


def _examples(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", WRITTEN, re.MULTILINE | re.DOTALL)
    assert found
    return found


def _name(example: str) -> str:
    return re.sub(r"\W+", " ", example).strip()[:60]


@pytest.fixture
def folder(server: Server, tmp_path: Path) -> Path:
    """A folder from which the examples run: `data` is the server's, and `hkai` is on the path."""
    (tmp_path / "data").symlink_to(server.data)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "hkai"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -c "from ui.cli import main; main()" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return tmp_path


def _run(command: list[str], folder: Path) -> str:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=folder, env=environment(folder / "data", PATH=path), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return done.stdout


@pytest.mark.parametrize("example", _examples("sh"), ids=_name)
def test_the_examples_for_the_shell_run(server: Server, folder: Path, example: str) -> None:
    assert shutil.which("curl")
    assert example.count("curl ") == example.count(ADDRESS)
    strict = example if REFUSED in example else example.replace("curl ", "curl --fail-with-body ")
    said = _run(["bash", "-ec", strict.replace(ADDRESS, server.url)], folder)
    assert ('"request_id":"portal-17"' in said) if REFUSED in example else said.strip()


@pytest.mark.parametrize("example", _examples("python"), ids=_name)
def test_the_examples_in_python_run(server: Server, folder: Path, example: str) -> None:
    assert _run([sys.executable, "-c", example.replace(ADDRESS, server.url)], folder).strip()


@pytest.mark.browser
@pytest.mark.parametrize("example", _examples("js"), ids=_name)
def test_the_examples_for_the_browser_run(server: Server, browser: Browser, example: str) -> None:
    with browser.new_context() as opened:
        page = opened.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{server.url}/healthz")
        events = page.evaluate(f"async () => {{ {example}\nreturn events; }}")
    names = [event["name"] for event in events]
    assert names[:2] == ["question", "evidence"]
    assert names[-1] == "answer"
    assert events[-1]["data"]["citations"]


@pytest.mark.parametrize("example", _examples("json"), ids=_name)
def test_the_configuration_of_other_assistants_starts_the_tools(example: str) -> None:
    (tools,) = json.loads(example)["mcpServers"].values()
    assert (Path(tools["command"]).name, tools["args"], set(tools["env"])) == ("hkai", ["mcp"], {"HKAI_DATA"})


def test_every_route_has_an_example(server: Server, folder: Path) -> None:
    paths = json.loads(_run(["curl", "-s", f"{server.url}/openapi.json"], folder))["paths"]
    told = "".join(_examples("sh"))
    for path in paths:
        assert re.search(re.escape(ADDRESS) + re.sub(r"\\\{\w+\\\}", r"[\\w.$-]+", re.escape(path)) + r"['\"? \n]", told), path
