"""Stops on a real Airflow through a real proxy, which sees host and port and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from real_airflow import Run
from real_proxy import HOST, PASSWORD, SECRET, TOKEN, RealProxy

from airflow_provider_dataworks.emulator import Emulator, Job

pytestmark = pytest.mark.e2e


def test_stops_go_through_a_real_proxy(
    emulator: Emulator, proxy: RealProxy, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """Of a worker and of a triggerer, signed in the query and with a token, so that a path would show it all."""
    jobs = [new_job(stop_seconds=3).id for _ in range(2)]
    runs = [
        start_run(dag_id, job=job, connection="proxied")
        for dag_id, job in zip(("e2e_stop_blocking", "e2e_stop_deferred"), jobs, strict=True)
    ]

    assert [run.wait_end() for run in runs] == ["success"] * 2
    assert [emulator.job(job).effective_stops for job in jobs] == [1, 1]
    asked = set(re.findall(r"Request \(file descriptor \d+\): (.*)", proxy.log.read_text()))
    assert asked == {f"CONNECT {HOST}:443 HTTP/1.1"}
    seen = b"".join((*proxy.behind.asked, *proxy.behind.passed)).decode("latin-1") + proxy.log.read_text()
    seen += "".join(run.log(1) for run in runs)
    for secret in (SECRET, TOKEN, PASSWORD):
        for spelled in (secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe="")):
            assert spelled not in seen
    assert "Signature=" not in seen
