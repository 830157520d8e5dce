"""What the package exports, where it comes from, and what importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import direct_anyio

OWN = {"__version__"}
EXPORTED = [name for name in direct_anyio.__all__ if name not in OWN]


def checked_imports() -> dict[str, str]:
    """Return what a type checker is told: each name with the module that it is imported from."""
    tree = ast.parse(Path(direct_anyio.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    named: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname in (None, alias.name)
            named[alias.name] = node.module or ""
    return named


def test_the_three_lists_agree() -> None:
    """`__all__` is sorted, and is the table of homes and what type checkers are told."""
    assert sorted(EXPORTED) == EXPORTED
    assert [*direct_anyio._HOME] == EXPORTED
    assert checked_imports() == direct_anyio._HOME
    assert set(EXPORTED) <= set(dir(direct_anyio))


@pytest.mark.parametrize("name", EXPORTED)
def test_a_name_is_that_of_its_home(name: str) -> None:
    """Every name can be had from the package, is public at home, and is the same there."""
    home = import_module(f"direct_anyio.{direct_anyio._HOME[name]}")
    assert getattr(direct_anyio, name) is getattr(home, name)
    assert name in home.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not exported is missing as it is from any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = direct_anyio.nothing


LOADS = [
    ("import direct_anyio", "httpx trio anyio attrs attr cattrs"),
    ("from direct_anyio import model_request, ModelRequest", "httpx httpx2 trio cattrs"),
]


@pytest.mark.parametrize(("statement", "unwanted"), LOADS, ids=[s for s, _ in LOADS])
def test_importing_is_cheap(statement: str, unwanted: str) -> None:
    """An import loads no more than it needs."""
    code = f"{statement}; import sys; print(*set({unwanted.split()!r}) & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
