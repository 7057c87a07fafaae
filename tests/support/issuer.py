"""Stand-ins with state for all that hands out temporary keys: STS, ECS metadata v1 and v2, a credentials URI.

One server of this machine plays them all. It verifies signatures by the written rules, with no code of the package's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote

BASE_KEY, BASE_SECRET, BASE_TOKEN = "LTAIbaseKey", "Base+secret/with=specials", "CAISbase+token/with=specials"
ROLE = "acs:ram::1234567890:role/maintenance"
OIDC_ROLE = "acs:ram::1234567890:role/pods"
PROVIDER = "acs:ram::1234567890:oidc-provider/ack"
OIDC_TOKEN = "eyJhbGciOi.eyJzdWIiOiJzeXN0ZW0.c2lnbmF0dXJl_-"
REQUEST_ID = "92F778C7-8F00-53B1-AE1A-B3B17101247D"
METADATA_PATH = "/latest/meta-data/ram/security-credentials/"


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def action(self) -> str:
        """What was asked for, of whichever service."""
        return self.query.get("Action") or self.form.get("Action") or self.path


@dataclass(frozen=True)
class Answer:
    """One answer: status, body and whatever else; ``whole`` false breaks off in the middle."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True


def refusal(code: str, status: int, message: str = "") -> Answer:
    """Refuse as the vendor's gateway does."""
    return Answer(status, json.dumps({"Code": code, "Message": message, "RequestId": REQUEST_ID}).encode())


class Issuer:
    """
    The services and what was asked of them.

    :param now: epoch seconds of the services' clock.
    :param life: seconds that keys live, whatever was asked for; ``None`` for what was asked for.
    """

    def __init__(self, now: Callable[[], float] = time.time, life: float | None = None) -> None:
        self.now, self.life = now, life
        self.known = {BASE_KEY: (BASE_SECRET, "")}
        self.asked: list[Asked] = []
        self.scripted: deque[Answer | Callable[[Asked], Answer]] = deque()
        self.delay = 0.0  # seconds
        self.skew = 0.0  # seconds the services' clock is ahead
        self.role_name = "instance-role"
        self.v2, self.v1 = True, True
        self.on_issue: Callable[[str, str, str, float], None] = lambda *keys: None
        self.issued: list[tuple[str, str, str]] = []
        self._numbers = itertools.count(1)
        self._tokens: set[str] = set()
        self._lock = threading.Lock()
        self.address = ""

    @property
    def actions(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.action for asked in self.asked]

    @property
    def secrets(self) -> set[str]:
        """All that may never be seen."""
        handed_out = {text for _, secret, token in self.issued for text in (secret, token)}
        return handed_out | {BASE_SECRET, BASE_TOKEN, OIDC_TOKEN} | self._tokens

    def answer(self, asked: Asked) -> Answer:
        """Answer one request."""
        with self._lock:
            self.asked.append(asked)
            scripted = self.scripted.popleft() if self.scripted else None
        if self.delay:
            time.sleep(self.delay)
        if scripted is not None:
            return scripted(asked) if callable(scripted) else scripted
        if asked.action == "AssumeRole":
            return self._assume_role(asked)
        if asked.action == "AssumeRoleWithOIDC":
            return self._assume_role_with_oidc(asked)
        if asked.path == "/latest/api/token":
            return self._metadata_token(asked)
        if asked.path.startswith(METADATA_PATH):
            return self._metadata(asked)
        return Answer(200, json.dumps({"Code": "Success", **self.keys(3600)}).encode())

    def keys(self, seconds: float) -> dict[str, str]:
        """Hand out new keys."""
        with self._lock:
            number = next(self._numbers)
        expires = self.now() + self.skew + (seconds if self.life is None else self.life)
        identity, secret, token = f"STS.key{number}", f"issued/secret+{number}=end", f"CAISissued/token+{number}=end"
        self.issued.append((identity, secret, token))
        self.on_issue(identity, secret, token, expires - self.skew)
        expiration = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "AccessKeyId": identity,
            "AccessKeySecret": secret,
            "SecurityToken": token,
            "Expiration": expiration,
        }

    def _assume_role(self, asked: Asked) -> Answer:
        given = {**asked.query, **asked.form}
        known = self.known.get(given["AccessKeyId"])
        if known is None:
            return refusal("InvalidAccessKeyId.NotFound", 404)
        secret, token = known
        if given.get("SecurityToken", "") != token:
            return refusal("InvalidSecurityToken.Malformed", 400)
        signed = {name: value for name, value in given.items() if name != "Signature"}
        pairs = "&".join(f"{quote(name, safe='~')}={quote(signed[name], safe='~')}" for name in sorted(signed))
        text = f"{asked.method}&%2F&{quote(pairs, safe='~')}"
        made = base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()
        if made != given["Signature"]:
            return refusal("SignatureDoesNotMatch", 400, f"server string to sign is:{text}")
        sent = datetime.strptime(given["Timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        if abs(sent - self.now() - self.skew) > 900:
            return refusal("InvalidTimeStamp.Expired", 400)
        if given["RoleArn"] != ROLE:
            return refusal("EntityNotExist.Role", 404)
        return self._role(int(given["DurationSeconds"]))

    def _assume_role_with_oidc(self, asked: Asked) -> Answer:
        form = asked.form
        if "Signature" in form or asked.query or asked.method != "POST":
            return refusal("InvalidParameter", 400)
        if form["OIDCToken"] != OIDC_TOKEN:
            return refusal("AuthenticationFail.OIDCToken.Expired", 400, f"token {form['OIDCToken']} is expired")
        if form["RoleArn"] != OIDC_ROLE or form["OIDCProviderArn"] != PROVIDER:
            return refusal("AuthenticationFail.NoPermission", 403)
        found = self._role(int(form["DurationSeconds"]))
        keys = json.loads(found.body)["Credentials"]
        self.known[keys["AccessKeyId"]] = (keys["AccessKeySecret"], keys["SecurityToken"])
        return found

    def _role(self, seconds: int) -> Answer:
        body = {"RequestId": REQUEST_ID, "AssumedRoleUser": {"Arn": ROLE}, "Credentials": self.keys(seconds)}
        return Answer(200, json.dumps(body).encode(), {"content-type": "application/json"})

    def _metadata_token(self, asked: Asked) -> Answer:
        if not self.v2 or asked.method != "PUT" or "x-aliyun-ecs-metadata-token-ttl-seconds" not in asked.headers:
            return Answer(404, b"<html>not here</html>")
        token = f"imds-token-{len(self._tokens)}=="
        self._tokens.add(token)
        return Answer(200, token.encode())

    def _metadata(self, asked: Asked) -> Answer:
        token = asked.headers.get("x-aliyun-ecs-metadata-token")
        if token not in self._tokens and not (token is None and self.v1):
            return Answer(403, b"")
        name = asked.path.removeprefix(METADATA_PATH)
        if not name:
            return Answer(200, self.role_name.encode()) if self.role_name else Answer(404, b"")
        if name != self.role_name:
            return Answer(404, b"")
        keys = self.keys(3600)
        self.known[keys["AccessKeyId"]] = (keys["AccessKeySecret"], keys["SecurityToken"])
        return Answer(200, json.dumps({"Code": "Success", **keys}).encode())


@contextmanager
def serving(issuer: Issuer) -> Iterator[Issuer]:
    """Serve on a port of this machine; the issuer then knows its address."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            form = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            pairs = dict(parse_qsl(query, keep_blank_values=True))
            found = issuer.answer(Asked(self.command, path, pairs, dict(parse_qsl(form)), headers))
            self.send_response_only(found.status)
            date = formatdate(issuer.now() + issuer.skew, usegmt=True)
            for name, value in {"date": date, **found.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(found.body) if found.whole else len(found.body) + 9))
            self.end_headers()
            self.wfile.write(found.body)

        do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True  # the client gave up

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    issuer.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
