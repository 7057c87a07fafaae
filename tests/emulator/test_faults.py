"""Fault rules: what they may say, which calls they meet, and in which order."""

from __future__ import annotations

import pytest

from airflow_provider_dataworks.emulator.faults import FaultScript, parse_option
from airflow_provider_dataworks.emulator.rules import parse_rule

V2020, V2024 = "2020-05-18", "2024-05-18"


def met(script: FaultScript, times: int, operation: str = "StopDIJob", version: str = V2020, job: int | None = 1):
    """Kinds of the rules a number of equal calls ran into."""
    rules = (script.match(operation, version, job) for _ in range(times))
    return [rule.kind if rule else None for rule in rules]


def test_a_rule_fires_once_unless_told_otherwise():
    """One throttled answer is the usual rehearsal."""
    assert met(FaultScript([{"throttle": True}]), 3) == ["throttle", None, None]


def test_a_rule_lets_the_first_calls_pass_and_fires_its_number_of_times():
    """Skip counts matching calls only."""
    script = FaultScript([{"operation": "StopDIJob", "skip": 1, "times": 2, "truncate": True}])
    assert met(script, 2, operation="GetDIJob") == [None, None]
    assert met(script, 5) == [None, "truncate", "truncate", None, None]


def test_a_rule_can_fire_for_ever():
    """No number of times means always."""
    assert met(FaultScript([{"times": None, "drop": "before"}]), 50) == ["drop"] * 50


def test_rules_for_the_same_call_happen_in_turn():
    """A call met by one rule is not seen by the next."""
    script = FaultScript([{"throttle": True}, {"drop": "after"}, {"skip": 1, "slow": 1}])
    assert met(script, 5) == ["throttle", "drop", None, "slow", None]


def test_a_rule_meets_only_its_operation_job_and_version():
    """Other calls neither meet it nor use it up."""
    script = FaultScript([{"operation": "StopDIJob", "job_id": "7", "version": V2024, "error": {}}])
    assert met(script, 1, job=7) == [None]
    assert met(script, 1, version=V2024, job=8) == [None]
    assert met(script, 1, version=V2024, job=None) == [None]
    assert met(script, 1, operation="GetDIJob", version=V2024, job=7) == [None]
    assert met(script, 1, version=V2024, job=7) == ["error"]


def test_success_false_waits_for_the_version_that_has_it():
    """2020-05-18 has no Success to be false."""
    script = FaultScript([{"success_false": True}])
    assert met(script, 1, version=V2020) == [None]
    assert met(script, 1, version=V2024) == ["success_false"]


def test_a_script_shows_what_its_rules_did():
    """Shown as given, with what each saw and did; bytes as text, since this becomes JSON."""
    script = FaultScript([{"skip": 1, "body": b"\xff"}])
    met(script, 3)
    assert script.as_list() == [{"rule": {"skip": 1, "body": "\ufffd"}, "seen": 2, "fired": 1, "spent": True}]


def test_of_several_rules_none_is_taken_if_one_is_wrong():
    """The error tells which."""
    script = FaultScript()
    with pytest.raises(ValueError, match="fault 2: drop"):
        script.add([{"throttle": True}, {"drop": "later"}])
    assert script.as_list() == []


def test_a_throttle_says_what_the_vendor_says():
    """Code, status and message have the documented defaults."""
    rule = parse_rule({"throttle": {"hints": {"x-acs-retry-after": 2000}}})
    assert (rule.status, rule.code, rule.headers) == (429, "Throttling.User", {"x-acs-retry-after": "2000"})
    assert rule.message == "Your request is too frequent. Try again later."
    numeric = parse_rule({"throttle": {"code": "9990020002", "status": 400}})
    assert (numeric.status, numeric.message) == (400, "Throttling.User")
    assert parse_rule({"throttle": "Throttling.Api"}).code == "Throttling.Api"


@pytest.mark.parametrize(
    ("rule", "effect"),
    [
        ({"throttle": True}, False),
        ({"error": {}}, False),
        ({"error": {}, "effect": True}, True),
        ({"status": 502}, False),
        ({"status": 503, "effect": True}, True),
        ({"body": "not json"}, True),
        ({"body": "not json", "effect": False}, False),
        ({"drop": "before"}, False),
        ({"drop": "after"}, True),
        ({"truncate": True}, True),
        ({"slow": 3}, True),
        ({"redirect": "http://127.0.0.1/"}, False),
        ({"success_false": {"code": "9990040003"}}, False),
    ],
)
def test_whether_the_operation_is_carried_out_follows_from_the_kind(rule, effect):
    """A lost answer is only interesting if it is known whether the work was done."""
    assert parse_rule(rule).effect is effect


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("throttle", "not an object"),
        ({}, "give exactly one of throttle, error"),
        ({"throttle": True, "drop": "after"}, "found drop and throttle together"),
        ({"redirect": "x", "body": "y"}, "raw and redirect together"),
        ({"drop": "after", "jobid": 1}, "field 'jobid' does not belong"),
        ({"drop": "after", "effect": True}, "field 'effect' does not belong"),
        ({"drop": "after", "operation": ""}, "operation: '' is not text"),
        ({"drop": "after", "version": "2019-01-01"}, "version: '2019-01-01'"),
        ({"drop": "after", "job_id": 0}, "job_id: 0"),
        ({"drop": "after", "skip": -1}, "skip: -1"),
        ({"drop": "after", "times": 0}, "times: 0"),
        ({"drop": "after", "times": True}, "times: True"),
        ({"drop": True}, "drop: True is neither 'before' nor 'after'"),
        ({"truncate": 1}, "truncate: 1 is not true"),
        ({"slow": "long"}, "slow: 'long'"),
        ({"slow": -1}, "slow: -1"),
        ({"throttle": 429}, "throttle: 429 is neither"),
        ({"throttle": {"status": 200}}, "throttle.status: 200"),
        ({"throttle": {"retry": 1}}, "throttle: unknown field 'retry'"),
        ({"throttle": {"code": 5}}, "throttle.code: 5"),
        ({"throttle": {"hints": [1]}}, "throttle.hints: \\[1\\]"),
        ({"throttle": {"hints": {"a b": "1"}}}, "'a b' is not a header name"),
        ({"throttle": {"hints": {"Retry-After": "1\r\nX: y"}}}, "Retry-After"),
        ({"throttle": {"hints": {"Content-Length": 5}}}, "Content-Length: would break HTTP"),
        ({"error": {"status": "500"}}, "error.status: '500'"),
        ({"error": {}, "effect": "yes"}, "effect: 'yes'"),
        ({"status": 99}, "status: 99"),
        ({"body": 5}, "body: 5"),
        ({"body_base64": "?"}, "body_base64: not base64"),
        ({"redirect": 5}, "redirect: 5"),
        ({"redirect": "x", "status": 500}, "500 is no redirect"),
        ({"success_false": {"code": 5}}, "success_false.code: 5"),
    ],
)
def test_a_wrong_rule_is_refused_by_field(rule, text):
    """A rule that would do nothing is worse than none: the rehearsal would prove nothing."""
    with pytest.raises(ValueError, match=text):
        parse_rule(rule)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("StopDIJob,throttle", {"operation": "StopDIJob", "throttle": {}}),
        (
            "StopDIJob,throttle=Throttling.Api,status=400,times=2,x-acs-retry-after=2000",
            {
                "operation": "StopDIJob",
                "times": 2,
                "throttle": {"code": "Throttling.Api", "status": 400, "hints": {"x-acs-retry-after": "2000"}},
            },
        ),
        ("*,drop=after,job_id=11668", {"operation": "*", "drop": "after", "job_id": 11668}),
        ("*,status=503,retry-after=7", {"operation": "*", "status": 503, "hints": {"retry-after": "7"}}),
        (
            "*,error=Forbidden.Access,status=403",
            {"operation": "*", "error": {"code": "Forbidden.Access", "status": 403}},
        ),
        ("*,truncate,times=always", {"operation": "*", "truncate": True, "times": None}),
        ("*,slow=2.5", {"operation": "*", "slow": "2.5"}),
        ("*,body=oops,effect=false", {"operation": "*", "body": "oops", "effect": False}),
        ("*,success_false,message=no", {"operation": "*", "success_false": {"message": "no"}}),
        ('{"drop": "after"}', {"drop": "after"}),
    ],
)
def test_a_rule_can_be_written_as_an_option(text, rule):
    """The short form says what the JSON form says, and is a rule."""
    assert parse_option(text) == rule
    parse_rule(rule)


@pytest.mark.parametrize(
    ("text", "error"), [("{", "not JSON"), ("*,drop", "needs a value"), ("*,drop=after,times=x", "times: 'x'")]
)
def test_an_option_that_is_no_rule_is_refused(text, error):
    """The error repeats the option."""
    with pytest.raises(ValueError, match=error):
        parse_option(text)
