"""The code of the docs: it is type-checked as it is printed. The docstrings run."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from world import ROOT

PAGES = [ROOT / "docs/guides/agents-python.md", ROOT / "clients/python/README.md"]
MODULES = ["agent", "keys", "signer", "requests", "httpx", "httpx2", "aiohttp"]


def test_the_code_of_the_docs_is_right(tmp_path: Path) -> None:
    files: list[str] = []
    for page in PAGES:
        for at, block in enumerate(
            re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        ):
            file = tmp_path / f"{page.stem.replace('-', '_').lower()}_{at}.py"
            file.write_text(block, "utf-8")
            files.append(str(file))
    assert len(files) > 5
    cache = ["--cache-dir", str(tmp_path / "cache"), "--config-file", str(ROOT / "clients/python/pyproject.toml")]
    for file in files:
        compile(Path(file).read_text("utf-8"), file, "exec")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *cache, *files],
        capture_output=True,
        text=True,
        cwd=ROOT / "clients/python",
        check=False,
    )
    assert (checked.returncode, checked.stdout[:2000]) == (0, checked.stdout[:2000])


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"countersign.{name}")
    assert doctest.testmod(module).failed == 0


def test_the_two_httpx_are_signed_alike() -> None:
    sources = ROOT / "clients/python/src/countersign"
    of_two = (sources / "httpx2.py").read_text("utf-8")
    same = of_two.replace("httpx2", "httpx").replace(" such as the MCP client of version 2,", "")
    assert same == (sources / "httpx.py").read_text("utf-8")
