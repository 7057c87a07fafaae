"""A hook that was used before a fork, keys that are rotated, and what they leave open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from emulated import JOB, connect, emulator
from emulated import real_clock as clock

from airflow_provider_dataworks.client.http.rate_limit import shared_limiter
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

__all__ = ["clock", "connect", "emulator"]

# Run by a process of its own, which has one thread when it forks.
FORKING = """
import json, os, sys
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

jobs = [int(job) for job in sys.argv[1:]]
hook = DataWorksHook()
hook.get_di_job(jobs[0])
client = hook.get_conn()
client.post("/", headers={"x-acs-action": "ListProjects"})

def own(job):
    for _ in range(15):
        found = hook.get_di_job(job)
        assert (found.id, found.name) == (job, f"job-{job}"), found
    answer = client.post("/", headers={"x-acs-action": "GetDIJob"}, data={"DIJobId": job})
    assert answer.json()["Data"]["DIJobId"] == job
    return hook.stop_di_job(job)

def tell(*said):
    os.write(1, f"TOLD {json.dumps(said)}\\n".encode())  # at once: the others write there, too

children = []
for job in jobs[1:]:
    pid = os.fork()
    if not pid:
        try:
            tell(job, own(job))
            os._exit(0)
        except BaseException as error:
            tell(job, f"failed: {error!r}")
            os._exit(1)
    children.append(pid)
tell(jobs[0], own(jobs[0]))
print([os.waitpid(pid, 0)[1] for pid in children], file=sys.stderr)
"""


def test_parent_and_children_of_a_fork_read_their_own_answers(emulator: Emulator, connect: Callable[..., None]) -> None:
    """All at once with one hook and one client: no stop is told that was never made."""
    jobs = range(JOB, JOB + 5)
    for job in jobs:
        emulator.add_job(job, "Running", name=f"job-{job}")
    done = subprocess.run(
        [sys.executable, "-c", FORKING, *map(str, jobs)], capture_output=True, text=True, check=True, timeout=120
    )
    told = dict(json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("TOLD "))

    assert {job: (emulator.job(job).stop_calls, emulator.job(job).effective_stops) for job in jobs} == dict.fromkeys(
        jobs, (1, 1)
    )
    stops = {call.job_id: call.request_id for call in emulator.calls if call.operation == "StopDIJob"}
    assert told == stops, done.stderr


READING = """
import os, sys, threading, time
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

class SlowBackend(DataWorksHook):
    @classmethod
    def get_connection(cls, conn_id):
        time.sleep(2)
        return super().get_connection(conn_id)

DataWorksHook().account  # so that all of Airflow's is loaded, which has locks of its own
hook, job = SlowBackend(), int(sys.argv[1])
slow = threading.Thread(target=hook.get_di_job, args=(job,))
slow.start()
time.sleep(0.5)  # the other thread reads the connection meanwhile
pid = os.fork()
if not pid:
    os._exit(0 if SlowBackend().get_di_job(job).id == hook.get_di_job(job).id == job else 1)
slow.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_fork_while_another_thread_reads_the_connection(emulator: Emulator, connect: Callable[..., None]) -> None:
    """The child reads it itself, by this hook and by another."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READING, str(JOB)], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert emulator.count("GetDIJob", "served") == 3


HELD = """
import os, sys, threading, time
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

hook = DataWorksHook()
hook.account  # so that all of Airflow's is loaded, which has locks of its own
slow = threading.Thread(target=hook.get_di_job, args=(int(sys.argv[1]),))
slow.start()
time.sleep(1)  # the other thread waits for keys meanwhile
pid = os.fork()
if not pid:
    os._exit(0 if hook.get_di_job(int(sys.argv[1])).id == int(sys.argv[1]) else 1)
slow.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_fork_while_another_thread_renews_keys(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child has nobody to wait for."""
    from issuer import Issuer, serving

    with serving(Issuer()) as issuer:
        issuer.on_issue, issuer.delay = emulator.add_access_key, 2.0
        monkeypatch.setattr(Emulator, "access_key_id", None)
        monkeypatch.setattr(Emulator, "access_key_secret", None)
        connect(credential_type="credentials_uri", credentials_uri=f"{issuer.address}/keys")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", HELD, str(JOB)], capture_output=True, text=True, timeout=60
        )

    assert done.returncode == 0, done.stderr


def open_files() -> list[str]:
    """What this process holds open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(each.readlink()))
        except FileNotFoundError:  # the folder itself
            continue
    return sorted(found)


def test_a_thousand_rotated_keys_leave_nothing_open(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither connections nor the files by which processes share their pace."""

    def call(number: int) -> None:
        emulator.add_access_key(f"LTAIrotated{number}", "secret")
        monkeypatch.setattr(Emulator, "access_key_id", f"LTAIrotated{number}")
        monkeypatch.setattr(Emulator, "access_key_secret", "secret")
        connect()
        hook = DataWorksHook()
        if number % 20 == 0:
            assert hook.get_di_job(JOB).id == JOB
            assert hook.get_conn().post("/", headers={"x-acs-action": "ListProjects"}).status_code == 200
        else:
            account = hook.account
            shared_limiter(account.config.endpoint, account.source.identity, 5).reserve()

    call(0)
    before = open_files()
    for number in range(1, 1001):
        call(number)
    after = open_files()

    assert len(after) <= len(before) + 5, sorted(
        set(after) - set(before)
    )  # the emulator's own connections, for a moment
