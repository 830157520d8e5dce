"""The architecture as a test: what each module may import, and which packages it may use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import direct_anyio

PACKAGE = Path(direct_anyio.__file__).parent
NAME = "direct_anyio"

DATA, CORE, SHARED, DIALECTS, PROVIDERS, IO, STREAMING, MODELS, ENTRY = range(9)

# The first pattern that fits counts. On a layer marked True a module may import its siblings.
LAYERS: list[tuple[str, int, bool]] = [
    ("__init__", ENTRY + 1, False),
    ("exceptions", DATA, True),
    ("_record", DATA, True),
    *((name, DATA, True) for name in ("_annotations", "_docstrings", "_json", "_validation")),
    *((name, DATA, True) for name in ("_prices", "_pydantic", "_stored", "_type_schemas")),
    *((name, DATA, True) for name in ("_structure", "_values")),
    ("_types", DATA, True),
    ("_types.*", DATA, True),
    ("usage", DATA, True),
    ("settings", DATA, True),
    ("builtin_tools", DATA, True),
    ("tools", DATA, True),
    ("profiles", DATA, True),
    ("content", DATA, True),
    ("parts", DATA, True),
    ("events", DATA, True),
    ("messages", DATA, True),
    ("output", DATA, True),
    ("history", DATA, True),
    ("_core", CORE, True),
    ("_core.*", CORE, True),
    ("dialects", SHARED, True),
    ("dialects._*", SHARED, True),
    ("dialects.*", DIALECTS, False),
    ("providers", PROVIDERS, True),
    *((f"providers._{name}", PROVIDERS, True) for name in ("row", "families", "gateways")),
    ("providers.*", MODELS, True),  # the constructors that porters know
    ("profiles.*", MODELS, True),  # and the profiles
    ("_io", IO, True),
    ("_io.*", IO, True),
    ("streaming", STREAMING, False),
    ("models", MODELS, True),
    ("models.*", MODELS, True),
    *((name, ENTRY, True) for name in ("direct", "_blocking", "_sync_stream", "__main__")),
    *((name, ENTRY, True) for name in ("testing", "_cassette", "_traffic", "pytest_plugin")),
]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def layer_of(name: str) -> tuple[int, bool]:
    for pattern, layer, siblings in LAYERS:
        if fnmatch(name, pattern):
            return layer, siblings
    raise AssertionError(f"{name} is in no layer: give it one in LAYERS")


def is_placed(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern, _, _ in LAYERS)


PURE = [name for name in MODULES if is_placed(name) and layer_of(name)[0] < IO]


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those that only a type checker sees."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from at_run_time(other)
        else:
            yield from at_run_time(child)


def imports(name: str) -> Iterator[str]:
    """Yield the absolute name of everything that a module imports, also inside functions."""
    path = MODULES[name]
    inside = [] if name == "__init__" else name.split(".")
    package = [NAME, *(inside if path.name == "__init__.py" else inside[:-1])]
    for node in at_run_time(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            yield from (
                each
                if (each := f"{whole}.{alias.name}").removeprefix(f"{NAME}.") in MODULES
                else whole
                for alias in node.names
            )


def uses(name: str, *packages: str) -> set[str]:
    return {each.partition(".")[0] for each in imports(name)}.intersection(packages)


LATE = {
    # By pydantic's own call, so that the library needs no pydantic.
    ("_record", "_pydantic"),
    # A name that pydantic-ai has there too, looked up when it is asked for.
    ("messages", "history"),
}
"""Imports at the first use, from a module that the other one is made of."""


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Not inside of functions either, but for the two that `LATE` names."""
    needs = {
        name: {
            each.removeprefix(f"{NAME}.")
            for each in imports(name)
            if each.startswith(f"{NAME}.") and (name, each.removeprefix(f"{NAME}.")) not in LATE
        }
        & MODULES.keys() - {name, "__init__"}
        for name in MODULES.keys() - {"__init__"}
    }
    while free := {name for name, needed in needs.items() if not needed & needs.keys()}:
        needs = {name: needed for name, needed in needs.items() if name not in free}
    assert needs == {}


def test_every_module_has_a_layer() -> None:
    """A new module is given a layer before it is given anything else."""
    assert [name for name in MODULES if not is_placed(name)] == []


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down(name: str) -> None:
    """A module imports from layers below its own, and siblings only where they may talk."""
    layer, siblings = layer_of(name)
    for imported in imports(name):
        top, _, rest = imported.partition(".")
        if top == NAME and rest and rest != name:
            below, _ = layer_of(rest)
            assert below < layer or (below == layer and siblings), f"{name} imports {rest}"


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_they_promise(name: str) -> None:
    """A module has a docstring, an `__all__`, and at most 600 lines."""
    tree = TREES[name]
    assert ast.get_docstring(tree)
    assert len(MODULES[name].read_text().splitlines()) <= 600
    targets = [
        target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
    ]
    named = any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
    assert named or len(tree.body) == 1  # a package that only says what it is


@pytest.mark.parametrize("name", PURE)
def test_nothing_waits_below_the_outside_world(name: str) -> None:
    """The pure layers have no `async`, no `await`, no clock, no thread and no network."""
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node for node in ast.walk(TREES[name]) if isinstance(node, waiting)]
    assert not uses(name, "anyio", "asyncio", "trio", "httpx", "time", "random", "socket", "ssl")


# Packages that only these modules may import at run time.
USERS: dict[str, tuple[set[str], set[str]]] = {
    "the HTTP library": ({"httpx", "httpx2", "httpcore", "h11"}, {"_io.transport"}),
    "threads": (
        {"threading"},
        {
            "_blocking",
            "_sync_stream",
            "testing",
            "_io.offload",
            "_io.processes",
            "models.rate_limit",
        },
    ),
    "the converter": ({"cattrs"}, {"history"}),
}


@pytest.mark.parametrize("what", USERS)
def test_some_packages_are_used_in_few_modules(what: str) -> None:
    """What is hard to get right is done in one place."""
    packages, users = USERS[what]
    assert {name for name in MODULES if uses(name, *packages)} <= users


def test_the_environment_is_read_in_one_place() -> None:
    """`os.environ` is read where a model or a client is made, and by the command line."""
    readers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
    }
    assert readers <= {"models.http", "__main__", "_io.environment", "_io.llama"}
