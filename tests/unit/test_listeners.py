"""Two listeners: what comes from outside reaches the webhooks and nothing else."""

import socket

import anyio
import httpx
import pytest

from app.settings import SettingsError
from app.web.server import WEBHOOK_PATH, State, bind, create_metrics, create_webhooks, serve, server

WATCHED = ("/metrics", "/healthz", "/readyz")


def _url(listener: socket.socket) -> str:
    return "http://{}:{}".format(*listener.getsockname()[:2])


async def test_each_listener_answers_its_own_callers_only_and_both_end_when_told() -> None:
    state, closed = State(), anyio.Event()
    webhooks, watched = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
    outside, inside = _url(webhooks), _url(watched)
    listeners = {server(create_webhooks(state, list)): webhooks, server(create_metrics(state)): watched}
    async with httpx.AsyncClient(trust_env=False) as client, anyio.create_task_group() as group:
        group.start_soon(serve, listeners, closed)
        answers = {path: (await client.get(inside + path)).status_code for path in WATCHED}
        assert answers == {"/metrics": 200, "/healthz": 200, "/readyz": 503}
        assert (await client.post(inside + WEBHOOK_PATH)).status_code == 404
        for path in (*WATCHED, "/", "/docs"):
            assert (await client.get(outside + path)).status_code == 404, path
        assert (await client.get(outside + WEBHOOK_PATH)).status_code == 405
        assert (await client.post(outside + WEBHOOK_PATH)).status_code == 503, "no database yet"
        assert not closed.is_set()
        for web in listeners:
            web.should_exit = True
        with anyio.fail_after(5):
            await closed.wait()
        with pytest.raises(httpx.ConnectError):
            await client.get(inside + "/healthz")


def test_an_address_that_is_taken_says_which_variables_to_set() -> None:
    with bind("127.0.0.1", 0) as taken, pytest.raises(SettingsError, match="CENTRA_MIRAKL_METRICS_PORT"):
        bind("127.0.0.1", taken.getsockname()[1])
