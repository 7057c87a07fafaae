"""Keys from a service beside the process: metadata of an ECS instance, or a credentials URI; holds no keys.

Done here and not by the vendor's library, which sends both through a proxy whatever ``NO_PROXY`` says, and starts, for
each instance role, a thread that never ends.

Follows https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata and
https://www.alibabacloud.com/help/en/ecs/user-guide/attach-an-instance-ram-role-to-an-ecs-instance
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_dataworks.client.auth.answers import keys_in, payload_of, refused, unusable
from airflow_provider_dataworks.client.auth.credentials import Credentials
from airflow_provider_dataworks.client.config import address
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.plain import ask
from airflow_provider_dataworks.exceptions import DataWorksUnavailable
from airflow_provider_dataworks.values import invalid

METADATA = "http://100.100.100.200"
ROLE_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)

_ROLES = "/latest/meta-data/ram/security-credentials/"
_TIMEOUT = 2.0  # seconds; it answers from inside the host, or not at all
_HEADER_LIFE = "60"  # seconds; for the two requests that follow
_ACTION = "ECS metadata"
_NO_ROLE = {"": CATALOG["instance-role"]}
_NO_V2 = {"": CATALOG["imds-v2"]}
_URI = {"": CATALOG["credentials-uri"]}


@dataclass(frozen=True)
class EcsRamRole:
    """
    Keys of the RAM role that is attached to this ECS instance.

    :param role_name: the role; ``None`` asks the metadata service.
    :param disable_imds_v1: do without keys rather than ask for them without the token that IMDSv2 wants.
    """

    role_name: str | None = None
    disable_imds_v1: bool = False
    address: str = METADATA
    max_age = float("inf")

    @property
    def identity(self) -> str:
        """The role, as far as it is known; there is one for a process."""
        return f"ecs_ram_role:{self.role_name or ''}"

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        """Ask for the role's name and its keys, with a token if the service gives one."""
        token = self._token(clock)
        headers = {"X-aliyun-ecs-metadata-token": token} if token else {}
        name = self.role_name
        if name is None:
            reply = self._get("", headers, clock)
            lines = reply.body.decode("ascii", "replace").split() if reply.status == 200 else []
            if reply.status == 200 and not (lines and ROLE_NAME.fullmatch(lines[0])):
                raise unusable(_ACTION, "the name of the instance's role cannot be read.", reply)
            if not lines:
                raise refused(_ACTION, reply, _NO_ROLE, "no RAM role is attached to this instance")
            name = lines[0]
        reply = self._get(name, headers, clock)
        return keys_in(_ACTION, payload_of(_ACTION, reply, _NO_ROLE, f"there are no keys of the role {name}"), reply)

    def _token(self, clock: Callable[[], float]) -> str | None:
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": _HEADER_LIFE}
        try:
            reply = self._ask("PUT", "/latest/api/token", headers, clock)
        except DataWorksUnavailable:
            if self.disable_imds_v1:
                raise
            return None
        token = reply.body.decode("ascii", "replace").strip()
        if reply.status == 200 and re.fullmatch(r"[!-~]{1,1000}", token):
            return token
        if self.disable_imds_v1:
            raise refused(_ACTION, reply, _NO_V2, "the metadata service gave no token for IMDSv2")
        return None

    def _get(self, name: str, headers: dict[str, str], clock: Callable[[], float]) -> Reply:
        return self._ask("GET", f"{_ROLES}{name}", headers, clock)

    def _ask(self, method: str, path: str, headers: dict[str, str], clock: Callable[[], float]) -> Reply:
        url, how = f"{self.address}{path}", {"action": _ACTION, "see": "metadata-unreachable"}
        return ask(method, url, clock=clock, headers=headers, proxied=False, timeout=_TIMEOUT, **how)  # type: ignore[arg-type]


@dataclass(frozen=True)
class CredentialsUri:
    """
    Keys from an address that answers like the metadata service does, such as a sidecar's.

    :param uri: ``https``, or ``http`` on a loopback address.
    """

    uri: str
    max_age = float("inf")

    def __repr__(self) -> str:
        """The host alone: the rest of the address may hold a secret."""
        return f"{type(self).__name__}({self.identity.partition(' ')[0]!r})"

    @property
    def identity(self) -> str:
        """Where the keys come from: the host, and a digest of the whole address, which may be a secret of its own."""
        return f"credentials_uri:{urlsplit(self.uri).netloc} {hashlib.sha256(self.uri.encode()).hexdigest()[:12]}"

    def __post_init__(self) -> None:
        """Refuse an address that would show the keys on the way, or holds a password."""
        if not re.fullmatch(r"https?://[!-~]+", self.uri):
            raise invalid("credentials_uri", "is not an address", "Give it like https://host/path.")
        scheme, _, rest = self.uri.partition("://")
        address("credentials_uri", f"{scheme}://{re.split('[/?#]', rest)[0]}")

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        """Ask once."""
        action, host = "Credentials URI", urlsplit(self.uri).netloc
        headers = {"accept": "application/json"}
        reply = ask("GET", self.uri, clock=clock, headers=headers, ca_file=ca_file, action=action)
        return keys_in(action, payload_of(action, reply, _URI, f"{host} handed out no keys"), reply)
