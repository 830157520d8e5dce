"""What the package exports, where it comes from, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import direct_anyio

EXPORTED = [name for name in direct_anyio.__all__ if name != "__version__"]
STUB = Path(direct_anyio.__file__).with_suffix(".pyi")


def stub() -> str:
    """Return what type checkers and editors read of the package, by its table of names."""
    lines = ["# Written by `python tests/test_exports.py`."]
    for module, names in direct_anyio._PUBLIC.items():
        lines += [f"from .{module} import {name} as {name}" for name in names]
    lines += ["", "__all__: list[str]", "__version__: str"]
    lines += ["_PUBLIC: dict[str, tuple[str, ...]]", "_MODULE_OF: dict[str, str]", ""]
    return "\n".join(lines)


def test_the_stub_has_the_public_names() -> None:
    """The table is sorted and has each name once; the stub and `dir` say the same."""
    tables = direct_anyio._PUBLIC
    assert [*tables] == sorted(tables)
    assert all([*names] == sorted(names) for names in tables.values())
    assert sum(map(len, tables.values())) == len(EXPORTED)
    assert set(EXPORTED) <= set(dir(direct_anyio))
    assert STUB.read_text() == stub()


@pytest.mark.parametrize("name", EXPORTED)
def test_a_name_is_that_of_its_home(name: str) -> None:
    """Every name can be had from the package, is public at home, and is the same there."""
    home = import_module(f"direct_anyio.{direct_anyio._MODULE_OF[name]}")
    assert getattr(direct_anyio, name) is getattr(home, name)
    assert name in home.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not exported is missing as it is from any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = direct_anyio.nothing  # type: ignore[attr-defined]


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


if __name__ == "__main__":
    STUB.write_text(stub())
