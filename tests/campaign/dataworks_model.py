"""DataWorks as the package meets it: keys, clock, quotas of a schedule's faults, one job; keeps a book of all calls."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from campaign import faults
from campaign.clock import CLOCK
from campaign.endpoint import Answer, Request
from campaign.job_model import JobModel
from campaign.schedule import JOB, PROJECT, Fault, Schedule

if TYPE_CHECKING:
    from campaign.processes import Process

CHANGES = ("StopDIJob", "StartDIJob")
_MOST_CALLS = 20_000  # more than a look each five seconds for a day, longer than any schedule lasts
_GOOD = ("slow", "odd value", "early running")
_TOLERANCE = 900.0  # seconds
_SIGNATURE = re.compile(r"Credential=([^,]+),.*Signature=([0-9a-f]+)")


@dataclass
class Call:
    """
    One call, as both sides can know it. Times are seconds since the schedule's begin, ``epoch`` is our machine's clock.

    :param told: the job's status that the answer told.
    :param fate: one of :mod:`.faults`'s, about what the caller can know.
    :param effective: whether it changed the job.
    """

    at: float
    epoch: float
    process: Process
    action: str
    fate: str = faults.LOST
    told: str | None = None
    told_at: float = 0.0
    unsure: bool = False
    effective: bool = False
    permanent: bool = False
    busy: bool = False
    hint: float | None = None
    fault: str | None = None
    code: str | None = None


class Keys:
    """The pairs that are good; a rotation ends one and makes the next."""

    def __init__(self, schedule: Schedule) -> None:
        self._token = schedule.security_token
        self.number = 0

    def pair(self, number: int) -> tuple[str, str, str]:
        """AccessKey ID, secret and token of the pair with this number."""
        token = f"CAIScampaign+{number}/token==0123456789" if self._token else ""
        return f"LTAI5tCampaign{number}", f"Campaign+Secret/{number}=0123456789abc", token

    def secrets(self) -> list[str]:
        """Everything that nobody may ever read, also as URLs spell it."""
        found = [text for number in range(self.number + 1) for text in self.pair(number)[1:] if text]
        return [spelled for text in found for spelled in {text, quote(text, safe="~")}]


class DataWorksModel:
    """
    The service of one schedule.

    :param process: gives the process of the package that is alive now.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.job, self.keys = schedule, JobModel(schedule), Keys(schedule)
        self.calls: list[Call] = []
        self.signatures: set[str] = set()
        self.process: Process | None = None
        self._clock_offset = CLOCK.epoch - CLOCK.steady
        self._met = [0] * len(schedule.faults)
        self._nonces: set[str] = set()
        self._number = 0

    @property
    def epoch(self) -> float:
        """The service's own clock, which nobody sets."""
        return CLOCK.steady + self._clock_offset

    def answer(self, request: Request) -> Answer:
        """Answer one request; called in the endpoint's thread."""
        process = self.process
        if process is None or process.dead:
            return Answer(close=True)
        if process.reached_its_end():
            return Answer(close=True)
        found = self._meet(request, process)
        if process.reached_its_end():  # after the effect and before the answer
            return Answer(close=True)
        return Answer(found.data, found.close)

    def _meet(self, request: Request, process: Process) -> faults.Told:
        params = {**request.query, **request.form}
        action = request.headers.get("x-acs-action") or params.get("Action", "?")
        call = Call(CLOCK.elapsed, CLOCK.epoch, process, action)
        self.calls.append(call)
        process.heard.append(action)
        if len(self.calls) > _MOST_CALLS:
            process.end_for("calls without end")
            return faults.Told(b"", faults.LOST, close=True)
        found = self._stranger(request, params) or self._told(call, params)
        if found.fate != faults.SERVED:
            call.told = None
        call.fate, call.permanent, call.busy, call.hint = found.fate, found.permanent, found.busy, found.hint
        call.unsure = found.unsure
        return found

    def _stranger(self, request: Request, params: dict[str, str]) -> faults.Told | None:
        """Refuse a key, clock or nonce that is not good."""
        header = _SIGNATURE.search(request.headers.get("authorization", ""))
        identity, signature = header.groups() if header else (params.get("AccessKeyId"), params.get("Signature"))
        date = request.headers.get("x-acs-date") or params.get("Timestamp") or ""
        nonce = request.headers.get("x-acs-signature-nonce") or params.get("SignatureNonce") or ""
        token = request.headers.get("x-acs-security-token") or params.get("SecurityToken") or ""
        self.signatures.add(str(signature))
        good_identity, _, good_token = self.keys.pair(self.keys.number)
        refused = None
        if identity != good_identity:
            refused = ("InvalidAccessKeyId.NotFound", 404)
        elif token != good_token:
            refused = ("InvalidSecurityToken.Expired", 400)
        elif abs(_epoch(date) - self.epoch) > _TOLERANCE:
            refused = ("InvalidTimeStamp.Expired", 400)
        elif nonce in self._nonces:
            refused = ("SignatureNonceUsed", 400)
        self._nonces.add(nonce)
        if refused is None:
            return None
        self.calls[-1].code = refused[0]
        data = faults.refusal(refused[0], "The request is not accepted.", refused[1], self.epoch)
        return faults.Told(data, faults.REFUSED)

    def _fault(self, action: str) -> Fault | None:
        for outage in self.schedule.outages:
            if outage.begins <= CLOCK.elapsed < outage.begins + outage.lasts:
                return outage.fault
        for place, fault in enumerate(self.schedule.faults):
            if fault.kind == "early running" and not self._is_starting():
                continue
            if fault.action in ("*", action) and self._met[place] < fault.skip + fault.times:
                self._met[place] += 1
                if self._met[place] > fault.skip:
                    return fault
        return None

    def _is_starting(self) -> bool:
        self.job.live(CLOCK.elapsed)
        return self.job.starting and self.job.status == "Initialized"

    def _told(self, call: Call, params: dict[str, str]) -> faults.Told:
        fault = self._fault(call.action)
        if fault is None:
            return self._served(call, params)
        call.fault = fault.kind
        if fault.kind == "slow":
            CLOCK.advance(fault.seconds)
        carried_out = fault.kind in _GOOD or (fault.effect and fault.kind in faults.OPEN)
        if carried_out or call.action not in CHANGES:
            good = self._served(call, params, early=fault.kind == "early running")
        else:
            good = faults.Told(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", faults.SERVED)
        if good.fate == faults.REFUSED:
            return good
        if fault.kind == "odd value" and faults.hides_the_status(fault):
            call.told = None
        payload = json.loads(good.data.partition(b"\r\n\r\n")[2] or b"{}")
        return faults.told(fault, good.data, payload, self.epoch)

    def _served(self, call: Call, params: dict[str, str], *, early: bool = False) -> faults.Told:
        self.job.live(CLOCK.elapsed)
        self._number += 1
        request_id = f"{self._number:08X}-0000-4000-8000-0000CAFE0000"
        if call.action in CHANGES:
            return self._changed(call, request_id)
        told = self.job.status_at(CLOCK.elapsed - self.schedule.lag) if self.schedule.lag else self.job.status
        if early:
            told = "Running"
        call.told, call.told_at = told, CLOCK.elapsed
        version = self.schedule.api_version
        fields: dict[str, Any] = {"ProjectId": PROJECT, "JobName": "stream", "JobStatus": told}
        fields |= {"DIJobId": JOB} if version == "2020-05-18" else {"Id": JOB, "DIJobId": str(JOB)}
        if call.action == "ListDIJobs":
            paging = {"TotalCount": 1, "PageNumber": 1, "PageSize": 100, "DIJobs": [fields]}
            return self._good({"DIJobPaging" if version == "2020-05-18" else "PagingInfo": paging}, request_id)
        return self._good({"Data" if version == "2020-05-18" else "PagingInfo": fields}, request_id)

    def _changed(self, call: Call, request_id: str) -> faults.Told:
        change = self.job.stop if call.action == "StopDIJob" else self.job.start
        call.effective = change(CLOCK.elapsed)
        if not call.effective and self.schedule.refuses:
            call.code = "InvalidParameter.JobStatus"
            data = faults.refusal(call.code, "The job cannot do that now.", 400, self.epoch)
            return faults.Told(data, faults.REFUSED)
        return self._good({} if self.schedule.api_version == "2020-05-18" else {"Success": True}, request_id)

    def _good(self, payload: dict[str, Any], request_id: str) -> faults.Told:
        body = json.dumps({"RequestId": request_id, **payload}).encode()
        return faults.Told(faults.http(200, body, self.epoch), faults.SERVED)


def _epoch(date: str) -> float:
    try:
        return datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return float("-inf")
