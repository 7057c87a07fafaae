"""What a client is told: endpoint, versions and limits, checked field by field; nothing is looked up or sent."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlsplit

from airflow_provider_dataworks.client.auth.signing import ACS3, SIGNATURES
from airflow_provider_dataworks.client.endpoints import NETWORKS, host_of
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.values import finite_number, invalid, shown

API_2020 = "2020-05-18"
API_2024 = "2024-05-18"
API_VERSIONS = (API_2020, API_2024)

_SLOWEST = 1 / 3600  # calls per second
# The region becomes part of the host that receives signed requests, so only the shape of a region id may pass.
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)


@dataclass(frozen=True)
class ClientConfig:
    """
    One account at one endpoint, without its keys.

    :param endpoint: ``https://host[:port]``, as :func:`endpoint` returns it.
    :param api_version: ``2020-05-18`` or ``2024-05-18``.
    :param signature: ``ACS3-HMAC-SHA256`` or ``HMAC-SHA1``.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next byte of an answer.
    :param max_qps: calls per second that the processes of this machine may make together.
    :param ca_file: absolute path of a PEM file with the only certificate authorities to trust, instead of the public
        ones; opened where the first connection is made.
    """

    endpoint: str
    api_version: str = API_2020
    signature: str = ACS3
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    max_qps: float = 5.0
    ca_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse what could only fail later, naming the field."""
        one_of("api_version", self.api_version, API_VERSIONS)
        one_of("signature", self.signature, SIGNATURES)
        for field, most in (("connect_timeout", 600), ("read_timeout", 600), ("max_qps", 1000)):
            if not finite_number(value := getattr(self, field), 0, most):
                raise invalid(field, f"{shown(value)} is not a number above 0 and up to {most}")
        if self.max_qps < _SLOWEST:
            raise invalid("max_qps", f"{shown(self.max_qps)} is less than one call an hour", "Give 0.0003 or more.")
        # A relative one would mean another file in each of Airflow's processes.
        if self.ca_file is not None and not PurePath(self.ca_file).is_absolute():
            raise invalid("ca_file", "is not an absolute path", "Give it like /etc/ssl/company.pem.")

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is an address of this machine, such as the emulator's."""
        return is_loopback(urlsplit(self.endpoint).hostname or "")


def endpoint(
    *, region: str | None = None, network: str | None = None, host: str | None = None, port: int | None = None
) -> str:
    """
    Base address of the service.

    A region's host is that of :mod:`airflow_provider_dataworks.client.endpoints`: ``dataworks.<region>.aliyuncs.com``,
    ``dataworks-vpc.<region>…`` from inside a VPC, or the central host. Where a host is given, region and network are
    checked and otherwise not used.

    :param region: region id, for example ``cn-shanghai``.
    :param network: ``public`` (default) or ``vpc``.
    :param host: bare host or ``https://host``, used instead of the region; ``http`` only for a loopback address.
    :param port: port, where it is not the scheme's own.
    :raises DataWorksInvalidRequest: naming the field.
    """
    network = one_of("network", network or "public", NETWORKS)
    if region and not _REGION.fullmatch(str(region)):
        raise invalid("region", f"{shown(region)} is not a region id", "Give it like cn-shanghai or ap-southeast-1.")
    _check_port(port)
    if host:
        return _from_host(host, port)
    if not region:
        raise invalid("region", "is missing", "Set the region of the workspace, for example cn-shanghai, or a host.")
    found = host_of(region, network)
    if found is None:
        problem = f"DataWorks has no VPC endpoint in {region}"
        raise invalid("network", problem, "Use network public, or give the host of an endpoint of your own.")
    return f"https://{found}" + (f":{port}" if port not in (None, 443) else "")


def address(field: str, text: str) -> str:
    """
    Base address of another service than DataWorks, by the same rules.

    :param field: name of the connection's field, for errors.
    :param text: bare host or ``https://host``; ``http`` only for a loopback address.
    :raises DataWorksInvalidRequest: naming the field.
    """
    try:
        return _from_host(text, None)
    except DataWorksInvalidRequest as error:
        problem = error.message.partition(": ")[2].removesuffix(".")
        raise invalid(field, problem, "Give it with https:// and without user and password.") from None


def _from_host(text: str, port: int | None) -> str:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, own_port = (parts.hostname or ""), parts.port
    except ValueError as error:
        raise invalid("host", "has no valid name or port", "Give it like host or host:8443.") from error
    # The parser drops line ends and tabs silently, so they are looked for in the text.
    extra = parts.query or parts.fragment or parts.path.strip("/") or "@" in parts.netloc or len(text.split()) != 1
    if extra or not (_is_address(host) or _HOST.fullmatch(host)) or ".." in host:
        raise invalid(
            "host", "is not a bare host", "Give it like dataworks.cn-shanghai.aliyuncs.com, without path or user."
        )
    if parts.scheme not in ("http", "https"):
        raise invalid(
            "host", f"{shown(parts.scheme)} is not a scheme to call", "Leave the scheme out, or write https://."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise invalid("host", f"http://{shown(host)[1:-1]} would send signed requests in the clear", "Use https://.")
    _check_port(own_port)
    number = own_port or port
    name = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{name}" + (f":{number}" if number not in (None, default) else "")


def _check_port(port: object) -> None:
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536):
        raise invalid("port", f"{shown(port)} is not a port", "Give a number from 1 to 65535.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is an address of this machine."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def one_of(field: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return the value if it is one of those allowed, else refuse it with the list."""
    if value not in allowed:
        raise invalid(field, f"{shown(value)} is not known", f"Use one of: {', '.join(allowed)}.")
    return value


@functools.cache
def user_agent() -> str:
    """Name of this package and its version, so that the vendor can tell who calls."""
    from airflow_provider_dataworks import __version__

    return f"airflow-provider-dataworks/{__version__}"
