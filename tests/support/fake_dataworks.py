"""A DataWorks endpoint in memory, with jobs and scripted faults, and a clock that only sleeping moves.

For tests that need an answer but no socket: hand :meth:`FakeDataWorks.handler` to ``httpx.MockTransport``.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import httpx

from airflow_provider_dataworks.client.auth.cache import CredentialCache
from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource, StaticCredentials
from airflow_provider_dataworks.client.auth.signing import RPC
from airflow_provider_dataworks.client.client import PATIENCE, DataWorksClient
from airflow_provider_dataworks.client.config import API_2020, ClientConfig
from airflow_provider_dataworks.client.http.rate_limit import RateLimiter
from airflow_provider_dataworks.client.http.session import LONGEST_PAUSE, Session

START = 1_790_000_000.0
JOB = 11668
PROJECT = 1967
REQUEST_ID = "92F778C7-8F00-53B1-AE1A-B3B17101247D"
ENDPOINT = "https://dataworks.cn-shanghai.aliyuncs.com"
KEY_ID = "LTAI5tInventedKeyId"
SECRET = "Invented+Secret/0123456789=abc"
TOKEN = "CAISinvented+Token/With=Specials0123456789=="
ALLOWED_SKEW = 15 * 60

Fault = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]


@dataclass
class Clock:
    """Epoch seconds that pass only while somebody sleeps; remembers each sleep."""

    time: float = START
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class Job:
    """One DI job: the statuses it shows to one look after the other; the last one stays."""

    id: int
    statuses: list[str]
    project_id: int = PROJECT
    name: str = "mysql_to_holo"
    error_message: str = ""

    @property
    def status(self) -> str:
        return self.statuses[0]

    def look(self) -> str:
        """Show the status and move on to the next."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@dataclass(frozen=True)
class Heard:
    """One request as the service understood it."""

    action: str
    params: Mapping[str, str]
    nonce: str
    date: str
    request: httpx.Request


class FakeDataWorks:
    """
    The service: jobs, faults, and what was asked of it.

    :param now: epoch seconds of the clock that the client uses.
    :param skew: seconds by which the service's own clock is ahead of it.
    :param xml: answer in XML.
    """

    def __init__(self, now: Callable[[], float], *, version: str = API_2020, skew: float = 0.0, xml: bool = False):
        self.version, self.skew, self.xml = version, skew, xml
        self.now = now
        self.jobs: dict[int, Job] = {}
        self.add(JOB, "Running")
        self.heard: list[Heard] = []
        self.effective_stops = self.effective_starts = 0
        self.after_start = ["Initialized", "Running"]
        self.may_be_started = {"Stopped", "Finished", "Failed", "Initialized", "Running", "Stopping"}
        self.after_stop = ["Stopping", "Stopped"]
        self.may_be_stopped = {"Running", "Initialized"}
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)

    def add(self, job_id: int, *statuses: str, **more: Any) -> Job:
        """Put a job there, showing these statuses one after the other."""
        self.jobs[job_id] = Job(job_id, list(statuses), **more)
        return self.jobs[job_id]

    def script(self, action: str, *faults: Fault, forever: Fault | None = None) -> None:
        """Meet the next requests for an action with these faults, and all further ones with the last."""
        self._faults[action].extend(faults)
        if forever:
            self._faults[action] = deque(itertools.chain(self._faults[action], [forever] * 100))

    @property
    def actions(self) -> list[str]:
        return [heard.action for heard in self.heard]

    def handler(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; see :class:`httpx.MockTransport`."""
        heard = self._hear(request)
        repeated = heard.nonce in {earlier.nonce for earlier in self.heard}
        self.heard.append(heard)
        if repeated:
            response = refuse("SignatureNonceUsed", 400, "Specified signature nonce was used already.")(request, None)
        elif abs(epoch(heard.date) - self.now() - self.skew) > ALLOWED_SKEW:
            response = refuse("InvalidTimeStamp.Expired", 400, "Specified time stamp or date value is expired.")(
                request, None
            )
        elif self._faults[heard.action]:
            response = self._faults[heard.action].popleft()(request, lambda: self._serve(heard))
        else:
            response = self._serve(heard)
        response.headers.setdefault("date", formatdate(self.now() + self.skew, usegmt=True))
        return response

    def _hear(self, request: httpx.Request) -> Heard:
        target = request.extensions.get("target", request.url.raw_path).decode()
        params = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
        params.update(parse_qsl(request.content.decode(), keep_blank_values=True))
        headers = request.headers
        if params.get("SignatureMethod") == RPC:
            return Heard(params["Action"], params, params["SignatureNonce"], params["Timestamp"], request)
        nonce, date = headers["x-acs-signature-nonce"], headers["x-acs-date"]
        return Heard(headers["x-acs-action"], params, nonce, date, request)

    def _serve(self, heard: Heard) -> httpx.Response:
        return getattr(self, f"_{heard.action}")(heard)

    def _answer(self, action: str, payload: Mapping[str, Any], **flags: Any) -> httpx.Response:
        payload = {"RequestId": REQUEST_ID, **flags, **payload}
        return xml_answer(f"{action}Response", payload) if self.xml else httpx.Response(200, json=payload)

    def _job(self, heard: Heard) -> Job | None:
        return self.jobs.get(int(heard.params.get("Id") or heard.params["DIJobId"]))

    def _StopDIJob(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        job = self._job(heard)
        if job is None or job.status not in self.may_be_stopped:
            return refuse("InvalidParameter.JobStatus", 400, "The job cannot be stopped now.")(heard.request, None)
        self.effective_stops += 1
        job.statuses = list(self.after_stop)
        return self._done("StopDIJob")

    def _StartDIJob(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        job = self._job(heard)
        if job is None or job.status not in self.may_be_started:
            return refuse("InvalidParameter.JobStatus", 400, "The job cannot be started now.")(heard.request, None)
        self.effective_starts += 1
        job.statuses = list(self.after_start)
        return self._done("StartDIJob")

    def _done(self, action: str) -> httpx.Response:
        return self._answer(action, {} if self.version == API_2020 else {"Success": True})

    def _GetDIJob(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        job = self._job(heard)
        if job is None:
            return refuse("500130", 400, "The job does not exist.")(heard.request, None)
        envelope = "Data" if self.version == API_2020 else "PagingInfo"
        return self._answer("GetDIJob", {envelope: self._fields(job)})

    def _ListDIJobs(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        envelope = "DIJobPaging" if self.version == API_2020 else "PagingInfo"
        name = heard.params.get("JobName") or heard.params.get("Name") or ""
        size, number = int(heard.params["PageSize"]), int(heard.params["PageNumber"])
        wanted = int(heard.params["ProjectId"])
        # Fuzzy, as 2020-05-18 documents its filter.
        found = [job for job in self.jobs.values() if job.project_id == wanted and name in job.name]
        page = [self._fields(job) for job in found[(number - 1) * size : number * size]]
        paging = {"TotalCount": len(found), "PageNumber": number, "PageSize": size, "DIJobs": page}
        return self._answer("ListDIJobs", {envelope: paging})

    def _ListProjects(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        envelope = "PageResult" if self.version == API_2020 else "PagingInfo"
        return self._answer("ListProjects", {envelope: {"TotalCount": 3, "PageNumber": 1, "PageSize": 10}})

    def _fields(self, job: Job) -> dict[str, Any]:
        ids = {"DIJobId": job.id} if self.version == API_2020 else {"Id": job.id, "DIJobId": str(job.id)}
        told = {"ErrorMessage": job.error_message} if self.version == API_2020 else {}
        return {**ids, "ProjectId": job.project_id, "JobName": job.name, "JobStatus": job.look(), **told}


def epoch(date: str) -> float:
    """Return the moment that a request is dated, in epoch seconds."""
    return datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


# Answers and faults


def xml_answer(root: str, payload: Mapping[str, Any], status: int = 200) -> httpx.Response:
    """Answer in XML, lists as repeated elements inside a wrapper, as the service's RPC style has them."""
    text = f"<?xml version='1.0' encoding='UTF-8'?>\n{_element(root, payload)}"
    return httpx.Response(status, content=text.encode(), headers={"content-type": "text/xml;charset=utf-8"})


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_element(key, item) for key, item in value.items())
    elif isinstance(value, list):
        inner = "".join(_element(name.removesuffix("s"), item) for item in value)
    else:
        inner = escape(str(value).lower() if isinstance(value, bool) else str(value))
    return f"<{name}>{inner}</{name}>"


def answer(status: int, content: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Fault:
    """Answer so, without doing anything."""
    return lambda request, serve: httpx.Response(status, content=content, headers=headers)


def refuse(code: str | None, status: int, message: str = "", headers: Mapping[str, str] | None = None) -> Fault:
    """Refuse in the vendor's JSON envelope."""
    body = {"RequestId": REQUEST_ID, "HostId": "dataworks.cn-shanghai.aliyuncs.com", "Code": code, "Message": message}
    return answer(status, json.dumps(body), {"content-type": "application/json", **(headers or {})})


def lose(error: Exception, *, after_effect: bool = False) -> Fault:
    """Break the exchange with an error of the HTTP library, before or after the request had its effect."""

    def fault(request: httpx.Request, serve: Callable[[], httpx.Response]) -> httpx.Response:
        if after_effect:
            serve()
        raise error

    return fault


def spoil(status: int, content: bytes, headers: Mapping[str, str] | None = None) -> Fault:
    """Do what is asked, but answer with this."""

    def fault(request: httpx.Request, serve: Callable[[], httpx.Response]) -> httpx.Response:
        serve()
        return httpx.Response(status, content=content, headers=headers)

    return fault


def serve(request: httpx.Request, serve: Callable[[], httpx.Response]) -> httpx.Response:
    """No fault: stands between others in a script."""
    return serve()


class Stream(httpx.SyncByteStream):
    """A body that comes chunk by chunk."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks


class Drive:
    """A client of a fake service, without any real sleep; :meth:`use` starts over with another."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.use()

    def use(
        self,
        *,
        dataworks: FakeDataWorks | None = None,
        patience: float = PATIENCE,
        token: str | None = None,
        transport: httpx.MockTransport | bool = True,
        endpoint: str = ENDPOINT,
        limiter: RateLimiter | None = None,
        source: CredentialSource | None = None,
        longest_pause: float = LONGEST_PAUSE,
        **config: Any,
    ) -> FakeDataWorks:
        """Start over with another service, signature or setting; ``transport=False`` is the real one."""
        version = config.setdefault("api_version", dataworks.version if dataworks else API_2020)
        self.dataworks = dataworks or FakeDataWorks(self.clock, version=version)
        self.config = ClientConfig(endpoint, **config)
        keys = source or StaticCredentials(Credentials(KEY_ID, SECRET, token))
        self.cache = CredentialCache(keys, self.clock, ca_file=self.config.ca_file)
        mocked = httpx.MockTransport(self.dataworks.handler) if transport is True else transport or None
        self.session = Session(
            self.config,
            self.cache,
            limiter or RateLimiter(1000, self.clock),
            clock=self.clock,
            sleep=self.clock.sleep,
            transport=mocked,
            longest_pause=longest_pause,
        )
        self.client = DataWorksClient(
            self.config, self.session, clock=self.clock, sleep=self.clock.sleep, patience=patience
        )
        return self.dataworks

    @property
    def slept(self) -> list[float]:
        return self.clock.slept
