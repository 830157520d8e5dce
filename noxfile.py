"""The suite's core slice under other conditions than those of `scripts/test`, and the hosts.

Each session has its own environment under `.nox`, kept between runs, and runs the files listed
in `tests/core.txt`, or what follows `--`: `nox -s lowest -- tests/test_sse.py -x`. A session
whose Python is not installed is skipped, with a line that says so. `hosts` runs `tests/hosts`:
servers, task queues, notebooks and the like, each in a process of its own.
"""

import os
import re
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # also where CI is set, which makes it True
nox.options.reuse_venv = "yes"

os.environ["VIRTUALENV_NO_PERIODIC_UPDATE"] = "1"  # the index is asked for what we install only


def put_pyenv_on_path() -> None:
    """Put pyenv's interpreters before its shims, which fail for versions not switched on."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = (*root.glob("versions/3.12.*/bin"), *root.glob("versions/3.13.*/bin"))
    newest_first = sorted(found, key=lambda path: numbers(path.parent.name), reverse=True)
    os.environ["PATH"] = os.pathsep.join([*map(str, newest_first), os.environ["PATH"]])


def numbers(version: str) -> list[int]:
    """The numbers of a version, to sort 3.12.10 after 3.12.9."""
    return [int(number) for number in re.findall(r"\d+", version)]


def lowest_versions() -> list[str]:
    """The lowest version that `pyproject.toml` allows of each dependency, as constraints."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    requirements = sum(extras, start=project["dependencies"])
    bounds = (re.match(r"([\w.-]+)>=([\w.]+)", requirement) for requirement in requirements)
    return [f"{bound[1]}=={bound[2]}\n" for bound in bounds if bound]


def core_files() -> list[str]:
    """The test files of the core slice; pytest refuses one that does not exist."""
    lines = Path("tests/core.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def run_core(session: nox.Session, **env: str) -> None:
    """Run the core slice in the session's environment."""
    parallel = ("-n", "logical", "--maxprocesses", "8", "--dist", "worksteal")
    session.run("python", "-m", "pytest", *(session.posargs or [*parallel, *core_files()]), env=env)


put_pyenv_on_path()


@nox.session(python=["3.12", "3.13"])
def core(session: nox.Session) -> None:
    """The later Pythons."""
    session.install("--editable", ".[trio]", "--group", "test")
    run_core(session)


@nox.session
def no_trio(session: nox.Session) -> None:
    """Trio not installed: asyncio alone."""
    session.install("--editable", ".", "--group", "test")
    session.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", "trio")
    run_core(session)


@nox.session
def lowest(session: nox.Session) -> None:
    """The lowest allowed version of every dependency."""
    constraints = Path(session.create_tmp()) / "constraints.txt"
    constraints.write_text("".join(lowest_versions()))
    session.install(
        "--editable", ".[speed,trio]", "--group", "test", "--constraint", str(constraints)
    )
    run_core(session)


@nox.session
def httpx2(session: nox.Session) -> None:
    """Requests sent through httpx2."""
    session.install("--editable", ".[httpx2,trio]", "--group", "test")
    run_core(session, DIRECT_ANYIO_TEST_HTTPX2="1")


@nox.session
def orjson(session: nox.Session) -> None:
    """JSON read and written by orjson."""
    session.install("--editable", ".[speed,trio]", "--group", "test")
    run_core(session)


@nox.session
def hosts(session: nox.Session) -> None:
    """Programs of the kinds that people run, each with the real package."""
    session.install("--editable", ".[trio]", "--group", "test", "--group", "hosts")
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/hosts"]))
