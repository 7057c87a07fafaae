"""A real proxy, Debian's tinyproxy, and behind it an emulated DataWorks with TLS and a name that nobody resolves."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from certificates import Authority
from strict_proxy import StrictProxy, strict_proxy

from airflow_provider_dataworks.emulator import Emulator
from demo.processes import free_port

HOST = "dataworks.test"
USER, PASSWORD = "svc", "proxy-pass-word"
TOKEN = "CAIS-proxied/token+with=specials"
SECRET = "proxied/secret+with=specials"


@dataclass(frozen=True)
class RealProxy:
    """
    A proxy that runs.

    :param environment: what a process needs to call through it: the proxy's variable, and the connection ``proxied``.
    :param log: of tinyproxy, which holds the first line of each request.
    :param behind: what tinyproxy asks in its turn; it saw all that tinyproxy passes on.
    """

    environment: dict[str, str]
    log: Path
    behind: StrictProxy


@contextmanager
def real_proxy(emulator: Emulator, folder: Path) -> Iterator[RealProxy]:
    """Run it on a free port of this machine, and end it by its process id."""
    program = shutil.which("tinyproxy") or shutil.which("tinyproxy", path="/usr/bin:/usr/sbin")
    assert program, "tinyproxy is needed: make proxy"
    authority = Authority(folder)
    emulator.add_access_key("LTAIproxied", SECRET, TOKEN)
    with strict_proxy(authority, {HOST: urlsplit(emulator.url).port or 0}, version=rb"1\.[01]") as behind:
        port, log = free_port(), folder / "tinyproxy.log"
        settings = folder / "tinyproxy.conf"
        settings.write_text(
            f'Port {port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 50\nLogFile "{log}"\nLogLevel Connect\n'
            f'BasicAuth {USER} {PASSWORD}\nConnectPort 443\nUpstream http 127.0.0.1:{behind.port} "{HOST}"\n'
        )
        process = subprocess.Popen([program, "-d", "-c", str(settings)], stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, log)
            connection = {"conn_type": "dataworks", "host": HOST, "login": "LTAIproxied", "password": SECRET}
            extra = {"ca_file": str(authority.ca_file), "security_token": TOKEN, "signature": "HMAC-SHA1"}
            environment = {
                "HTTPS_PROXY": f"http://{USER}:{PASSWORD}@127.0.0.1:{port}",
                "AIRFLOW_CONN_PROXIED": json.dumps({**connection, "extra": extra}),
            }
            yield RealProxy(environment, log, behind)
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, log: Path) -> None:
    until = time.monotonic() + 20
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < until, log.read_text() if log.exists() else "no log"
        time.sleep(0.05)
