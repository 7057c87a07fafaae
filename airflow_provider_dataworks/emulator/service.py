"""Answers one request by authentication, quotas, faults and operation, in this order; never opens a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any, Final

from . import operations, parameters
from .alarm_rules import AlarmRule
from .auth import AccessKey, Authenticator
from .call_log import BROKEN, REFUSED, SERVED, CallLog, CallRecord, kept_headers, kept_nonce, kept_params
from .faults import FaultScript
from .job_store import Behaviour, JobStore
from .jobs import Job
from .quotas import Meter, Quotas
from .requests import Request, printable
from .responses import Answer, Envelope, Refusal
from .rules import Rule

JobSettings = str | Mapping[str, Any]

FARTHEST_OFFSET_SECONDS: Final = 1e9

DEFAULT_ACCESS_KEY: Final = AccessKey("LTAIemulator", "emulator-secret")


@dataclass(frozen=True)
class Settings:
    """
    What an emulator is started with, and goes back to when it is reset.

    :param jobs: by id, each job's status or its fields.
    :param behaviour: durations and undocumented choices.
    :param access_keys: the pairs that may call.
    :param quotas: limits of the account.
    :param faults: the script of faults.
    :param clock_offset: seconds the service's clock is ahead of the real one.
    """

    jobs: Mapping[Any, JobSettings] = field(default_factory=dict)
    behaviour: Behaviour = field(default_factory=Behaviour)
    access_keys: tuple[AccessKey, ...] = (DEFAULT_ACCESS_KEY,)
    quotas: Quotas = field(default_factory=Quotas)
    faults: tuple[Mapping[str, Any], ...] = ()
    clock_offset: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an offset that no date can hold."""
        if not abs(self.clock_offset) < FARTHEST_OFFSET_SECONDS:
            raise ValueError(f"clock_offset: {self.clock_offset!r} is not a number of seconds within 30 years")


@dataclass
class _CallTrace:
    """How one call went, filled in on the way."""

    admitted: bool = False
    fault: str = ""
    code: str = ""
    broken: bool = False


class Service:
    """
    Answers calls and keeps the account's state. Safe to use from several threads at once.

    :param settings: what to start with.
    :param now: the clock, seconds since 1970.
    """

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.settings = settings
        self.clock_offset = settings.clock_offset
        self._now = now
        self._lock = threading.RLock()
        self._authenticator = Authenticator(settings.access_keys)
        self._meter = Meter(settings.quotas)
        self._call_log = CallLog()
        self._faults = FaultScript()
        self._jobs = JobStore(settings.behaviour)
        self.reset()

    def handle(self, request: Request) -> tuple[Answer, CallRecord]:
        """Answer one call; everything it changes has changed when this returns."""
        with self._lock:
            now = self._now()
            number = parameters.own_job_id(self._jobs, request.version, request.action, request.own_params)
            envelope = Envelope(xml=request.wants_xml, host_id=request.header("host"))
            before = self._status(number, now)
            trace = _CallTrace()
            try:
                answer = self._answer(request, number, envelope, trace, now)
            except Refusal as refusal:
                trace.code = refusal.code
                answer = envelope.failure(refusal)
            # Callers whose clock is off take the right time from here.
            date = formatdate(now + self.clock_offset, usegmt=True)
            answer = replace(answer, headers={**answer.headers, "Date": date})
            record = CallRecord(
                time=now,
                operation=printable(request.action),
                version=printable(request.version),
                job_id=number,
                outcome=_outcome(answer, trace),
                code=trace.code,
                http_status=None if answer.ending == "dropped" else answer.status,
                fault=trace.fault,
                method=request.method,
                signature=request.signature,
                nonce=kept_nonce(request),
                request_id=envelope.request_id,
                headers=kept_headers(request),
                params=kept_params(request) if trace.admitted else {},
                status_before=before,
                status_after=self._status(number, now),
            )
            self._call_log.add(record)
            return answer, record

    def _status(self, number: int | None, now: float) -> str | None:
        job = None if number is None else self._jobs.find(number, now)
        return None if job is None else job.status

    def _answer(
        self, request: Request, number: int | None, envelope: Envelope, trace: _CallTrace, now: float
    ) -> Answer:
        action, version = request.action, request.version
        if request.path != "/":
            raise Refusal(404, "InvalidApi.NotFound", "Specified api is not found, please check your url and method.")
        found = operations.operation(version, action)
        if request.method not in found.methods:
            raise Refusal(400, "UnsupportedHTTPMethod", "This http method is not supported.")
        self._authenticator.admit(request, now + self.clock_offset)
        trace.admitted = True
        if number is not None:
            self._jobs.count_call(number, action, now)
        self._meter.take(now)

        def carry_out() -> Answer:
            return envelope.success(action, found.run(self._jobs, request.own_params, now))

        rule = self._faults.match(action, version, number)
        if rule is None:
            return carry_out()
        trace.fault = rule.kind
        return _met(rule, action, envelope, trace, carry_out)

    def put_job(self, identity: object, settings: JobSettings) -> Job:
        """Set or replace a job; see :class:`Job` for its fields."""
        with self._lock:
            return self._jobs.put(identity, settings, self._now())

    def set_status(self, number: int, status: str) -> Job:
        """Put a job into a status as if it had got there by itself."""
        with self._lock:
            return self._jobs.set_status(number, status, self._now())

    def job(self, number: int) -> Job:
        """
        Give a job as it is now.

        :raises KeyError: if there is no such job.
        """
        with self._lock:
            found = self._jobs.find(number, self._now())
        if found is None:
            raise KeyError(f"no job {number} in the emulator")
        return found

    def jobs(self) -> list[Job]:
        """Give all jobs as they are now."""
        with self._lock:
            return self._jobs.all(self._now())

    def alarm_rules(self, number: int) -> list[AlarmRule]:
        """
        Give the alarm rules of a job as they are now.

        :raises KeyError: if there is no such job.
        """
        with self._lock:
            return self._jobs.alarm_rules.of_job(self.job(number).id)

    def edit_alarm_rule(self, rule_id: int, settings: Mapping[str, Any]) -> AlarmRule:
        """Change fields of an alarm rule as a person in the console does."""
        with self._lock:
            return self._jobs.alarm_rules.edit(rule_id, settings, self._now())

    def remove_alarm_rule(self, rule_id: int) -> None:
        """Delete an alarm rule as a person in the console does."""
        with self._lock:
            self._jobs.alarm_rules.remove(rule_id)

    def inject(self, *rules: Mapping[str, Any]) -> None:
        """Put fault rules behind those already there: all, or none if one is wrong."""
        with self._lock:
            self._faults.add(rules)

    def set_quotas(self, changes: Mapping[str, Any]) -> Quotas:
        """Change some of the account's limits; ``None`` lifts one."""
        with self._lock:
            self._meter.set(self._meter.quotas.changed(changes))
            return self._meter.quotas

    def add_access_key(self, key: AccessKey) -> None:
        """Let one more pair in."""
        with self._lock:
            self._authenticator.add(key)

    def remove_access_key(self, identity: str) -> None:
        """Let a pair in no longer."""
        with self._lock:
            self._authenticator.remove(identity)

    @property
    def calls(self) -> list[CallRecord]:
        """The last calls, oldest first."""
        with self._lock:
            return self._call_log.calls

    def count(self, operation: str | None = None, outcome: str | None = None) -> int:
        """Count calls, of one operation and outcome or of all."""
        with self._lock:
            return self._call_log.count(operation, outcome)

    def reset(self) -> None:
        """
        Go back to the jobs, faults, quotas and clock of the start, and forget all calls.

        Nonces are still remembered: a call sent before may not be sent again after. Access keys added later stay.
        """
        with self._lock:
            self._jobs.clear()
            for identity, settings in self.settings.jobs.items():
                self._jobs.put(identity, settings, self._now())
            self._faults = FaultScript(self.settings.faults)
            self._meter = Meter(self.settings.quotas)
            self.clock_offset = self.settings.clock_offset
            self._call_log.clear()

    def state(self) -> dict[str, Any]:
        """Give everything the control endpoint shows, as JSON values."""
        with self._lock:
            now, rules = self._now(), self._jobs.alarm_rules.by_job()
            return {
                "clock": {"now": now, "offset": self.clock_offset},
                "jobs": {str(job.id): _shown(job, rules.get(job.id, [])) for job in self._jobs.all(now)},
                **self._call_log.as_dict(now),
                "quotas": {**self._meter.quotas.as_dict(), "calls_today": self._meter.used(now)},
                "faults": self._faults.as_list(),
            }


def _shown(job: Job, rules: list[AlarmRule]) -> dict[str, Any]:
    # Not asdict: its deep copy takes 12 ms for 400 jobs, each second while somebody looks at the status page.
    values = dict(vars(job))
    values["history"] = [{"time": at, "status": status} for at, status in job.history]
    values["alarm_rules"] = [rule.shown() for rule in rules]
    return values


def _met(rule: Rule, action: str, envelope: Envelope, trace: _CallTrace, carry_out: Callable[[], Answer]) -> Answer:
    """
    Answer a call that met a fault rule.

    An operation that is carried out and itself refuses (an unknown job, say) answers that, through the same fault.
    """
    answer = Answer(rule.status)
    if rule.effect:
        try:
            answer = carry_out()
        except Refusal as refusal:
            trace.code = refusal.code
            answer = envelope.failure(refusal)
    if rule.kind == "slow":
        return replace(answer, delay=rule.delay)
    trace.code = rule.code
    trace.broken = rule.kind in ("drop", "truncate", "redirect") or (rule.kind == "raw" and rule.status < 400)
    if rule.kind in ("throttle", "error"):
        raise Refusal(rule.status, rule.code, rule.message, rule.headers)
    if rule.kind == "success_false":
        trace.code = rule.code or "Success=false"
        details = {"Code": rule.code or None, "Message": rule.message or None}
        return envelope.success(action, {"Success": False, **details})
    if rule.kind == "drop":
        return replace(answer, ending="dropped")
    if rule.kind == "truncate":
        return replace(answer, ending="truncated")
    return Answer(rule.status, rule.headers, rule.body)


def _outcome(answer: Answer, trace: _CallTrace) -> str:
    if trace.broken:
        return BROKEN
    return REFUSED if answer.status >= 400 or trace.code else SERVED
