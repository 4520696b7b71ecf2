"""The documents say what is so: every command that they name exists, every setting is described, every link leads somewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from assistant.settings import Settings, described
from tests.hkai_process import ROOT
from ui.cli import app

WRITTEN = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/api.md", "evals/README.md")
DOCUMENTS = sorted({*(ROOT / name for name in WRITTEN), *(ROOT / "docs").rglob("*.md")})
TESTS_ONLY = re.compile(r"HKAI_TEST_\w+")


def _commands(command: object, name: str = "hkai") -> Iterator[tuple[str, object]]:
    """Every command with its name in full."""
    yield name, command
    for part, below in getattr(command, "commands", {}).items():
        yield from _commands(below, f"{name} {part}")


COMMANDS = dict(_commands(typer.main.get_command(app)))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def _code(document: Path) -> list[str]:
    """What stands in code spans and code blocks, line by line."""
    raw = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", raw, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", raw, flags=re.MULTILINE | re.DOTALL))
    indented = re.findall(r"^ {4}(.+)$", raw, re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines()] + spans + indented


@pytest.mark.parametrize("name", WRITTEN)
def test_the_document_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    wrong = []
    for line in _code(document):
        wrong += [f"make {target}" for target in re.findall(r"(?:^|[;&$] *)(?:\w+=\S+ )*make ([a-z]+)", line) if target not in TARGETS]
        for written in re.findall(r"(?:^|[;&|$] *|bin/)(?:\w+=\S+ )*hkai((?: +[^\s;&|#]+)*)", line):
            wrong += _unknown(written.split(), line)
    assert wrong == []


def _unknown(words: list[str], line: str) -> Iterator[str]:
    name = "hkai"
    while words and f"{name} {words[0]}" in COMMANDS:
        name = f"{name} {words.pop(0)}"
    command = COMMANDS[name]
    if name == "hkai" and words and re.fullmatch(r"[a-z]+", words[0]):
        yield f"hkai {words[0]} (in {line!r})"
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    for word in words:
        if word.startswith("--") and word.split("=")[0].rstrip(",.)]") not in options:
            yield f"{name} {word} (in {line!r})"


def test_every_command_and_target_is_told_of() -> None:
    told = " ".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    for name, command in COMMANDS.items():
        assert hasattr(command, "commands") or name in told, f"no document names `{name}`"
    for target in ("serve", "test", "check", "fix", "eval", "bench"):
        assert f"make {target}" in told


def test_every_setting_is_described_and_every_one_described_exists() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    described = set(re.findall(r"^#? ?((?:HKAI|OPENAI)_\w+)=", example, re.MULTILINE))
    aliases = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    known = {str(alias) if alias else f"HKAI_{name.upper()}" for name, alias in aliases.items()}
    assert described == known


def test_the_page_of_settings_is_the_one_that_is_printed() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == described(), "hkai settings > docs/settings.md"


def test_every_setting_that_a_document_names_exists() -> None:
    known = {f"HKAI_{name.upper()}" for name in Settings.model_fields}
    for document in DOCUMENTS:
        named = set(re.findall(r"\bHKAI_[A-Z_]+[A-Z]\b", document.read_text(encoding="utf-8")))
        assert {name for name in named if not TESTS_ONLY.fullmatch(name)} <= known, document


def test_the_defaults_that_are_described_are_the_defaults() -> None:
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"# HKAI_(EMBEDDER|MODEL_TIMEOUT|MODEL_TOTAL|MODEL_BUDGET|MODEL_TEMPERATURE|HOST|PORT|MAX_FILE_MB|DATA)=(.*)", line)
        if match:
            assert match[2] == str(Settings.model_fields[match[1].lower()].default), line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_what_is_installed_is_what_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = {_canonical(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line}
    assert [name for name in wanted if _canonical(re.split(r"[\[<>=~;]", name)[0]) not in pinned] == []


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
