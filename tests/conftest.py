"""What every test can ask for: a database of its own, and stand-ins of its own.

Whoever asks first starts the run's server; where pytest-xdist spreads the run over workers, the controller
does, and all of them share it.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.child import Child, ChildFailedError
from tests.postgres import Databases
from tests.standins import Json, Sandbox, start_sandbox

SERVER = pytest.StashKey[Child]()

# How long an example takes to make or to run says how busy the machine is, and nothing of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def _run_server(config: pytest.Config) -> dict[str, str]:
    if SERVER not in config.stash:
        config.stash[SERVER] = Child.start("tests.postgres", seconds=120)
    return config.stash[SERVER].first_line


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In pytest-xdist's controller, for each worker: hand it the server, or the reason why there is none."""
    try:
        node.workerinput["databases"] = _run_server(node.config)
    except ChildFailedError as error:
        node.workerinput["no_databases"] = str(error)


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(SERVER, None)
    if server is not None:
        server.stop()


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Databases:
    """The run's server, and the template with all migrations."""
    handed = getattr(request.config, "workerinput", {})
    if "no_databases" in handed:
        pytest.fail(handed["no_databases"], pytrace=False)
    try:
        return Databases(**(handed.get("databases") or _run_server(request.config)))
    except ChildFailedError as error:
        pytest.fail(str(error), pytrace=False)


@pytest_asyncio.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """The DSN of a fresh database with all migrations, gone after the test."""
    if databases.failure:
        pytest.fail(databases.failure, pytrace=False)
    dsn = await databases.create(databases.template)
    yield dsn
    await databases.drop(dsn)


@pytest_asyncio.fixture
async def empty_database_url(databases: Databases) -> AsyncIterator[str]:
    """The DSN of a fresh database with nothing in it, gone after the test."""
    dsn = await databases.create("template0")
    yield dsn
    await databases.drop(dsn)


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Json], Sandbox]]:
    """A factory: `sandbox({"centra": {...}, "mirakl": [...]})` starts stand-ins, which end with the test."""
    started: list[Sandbox] = []

    def start(config: Json) -> Sandbox:
        folder: Path = tmp_path_factory.mktemp("sandbox")
        started.append(start_sandbox(config, folder))
        return started[-1]

    yield start
    for each in started:
        each.child.stop(seconds=10)
        complaints = each.child.stderr()
        if complaints:
            print(f"The stand-ins said:\n{complaints}")
