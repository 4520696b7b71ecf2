from __future__ import annotations

import re
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest

from evals import quality
from evals.cases import Kind
from evals.gate import committed


def test_the_page_on_quality_says_what_the_committed_figures_say(tmp_path: Path) -> None:
    quality.write(tmp_path / "quality.md", tmp_path / "quality.svg")
    for made, kept in ((tmp_path / "quality.md", quality.PAGE), (tmp_path / "quality.svg", quality.CHART)):
        assert made.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8"), f"{kept} is stale: run `hkai eval quality`"


def test_every_committed_figure_of_a_kind_is_on_the_page() -> None:
    page = quality.PAGE.read_text(encoding="utf-8")
    for (section, name), figure in committed().items():
        form = f"{figure.expected:.1%}" if section == "right" else f"{figure.expected:.3f}"
        kind = name.split(" ")[0].replace("_", " ")
        if kind != "all":
            assert re.search(rf"^\| {kind} \|.*\| {re.escape(form)} \|", page, re.MULTILINE), name
    assert f"{committed()['right', 'all'].expected:.1%}" in page


def test_every_kind_is_explained() -> None:
    assert set(quality.ASKS) == set(get_args(Kind))


def test_the_chart_is_a_picture_with_a_bar_for_every_kind_and_nothing_from_elsewhere() -> None:
    root = ElementTree.parse(quality.CHART).getroot()
    bars = [one for one in root.iter("{http://www.w3.org/2000/svg}rect") if one.get("rx")]
    shares = {name: figure.expected for (section, name), figure in committed().items() if section == "right" and name not in ("dev", "test")}
    assert [float(bar.get("width", "0")) / 420 for bar in bars] == pytest.approx(list(shares.values()), abs=1e-3)
    assert "href" not in quality.CHART.read_text(encoding="utf-8")


def test_figures_that_cannot_be_read_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quality.md").write_text("kept", encoding="utf-8")
    monkeypatch.setattr(quality, "committed", lambda: committed(tmp_path / "none.toml"))
    with pytest.raises(ValueError, match="hkai eval gate --write"):
        quality.write(tmp_path / "quality.md", tmp_path / "quality.svg")
    assert (tmp_path / "quality.md").read_text(encoding="utf-8") == "kept"
