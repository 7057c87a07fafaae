"""What a client is told is checked field by field, before anything can be sent."""

from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.auth.signing import SIGNATURES
from airflow_provider_dataworks.client.config import API_VERSIONS, ClientConfig, endpoint
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

REGION_REFUSED = [
    "",
    None,
    "cn",
    "CN-shanghai",
    "cn_shanghai",
    "cn-shanghai ",
    " cn-shanghai",
    "cn-shanghai\n",
    "cn-",
    "cn--shanghai",
    "1-shanghai",
    "cn-shanghai.evil",
    "x.evil.example/",
    "x-y.evil.example",
    "cn-shanghai/",
    "cn-shanghai?",
    "cn-shanghai#",
    "cn-shanghai@evil.example",
    "evil.example:8443/cn-shanghai",
    "cn-shanghai\r\nx-evil: 1",
    "cn-shängháì",
    "https://cn-shanghai",
    "{{ region }}",
    5,
]
HOST_REFUSED = [
    "user@dataworks.aliyuncs.com",
    "user:pw@dataworks.aliyuncs.com",
    "@dataworks.aliyuncs.com",
    "dataworks.aliyuncs.com@evil.example",
    "dataworks.aliyuncs.com\\@evil.example",
    "dataworks.aliyuncs.com/path",
    "dataworks.aliyuncs.com?x=1",
    "dataworks.aliyuncs.com#x",
    "dataworks.aliyuncs.com:99999",
    "dataworks.aliyuncs.com:-1",
    "dataworks.aliyuncs.com:port",
    "dataworks aliyuncs.com",
    "data\tworks.aliyuncs.com",
    "dataworks.aliyuncs.com\nx-evil: 1",
    "dataworks..aliyuncs.com",
    "-dataworks.aliyuncs.com",
    "dataworks.aliyuncs.com-",
    "*.aliyuncs.com",
    "dätaworks.aliyuncs.com",
    "℀.aliyuncs.com",
    "https://",
    "//dataworks.aliyuncs.com",
    "ftp://dataworks.aliyuncs.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "[::1",
    "[not-an-address]",
    "::1",
    "{{ host }}",
]
PLAIN_HTTP_REFUSED = [
    "http://dataworks.cn-shanghai.aliyuncs.com",
    "HTTP://dataworks.cn-shanghai.aliyuncs.com",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://10.0.0.1",
    "http://169.254.169.254",
    "http://100.100.100.200",
    "http://2130706433",
    "http://0.0.0.0",
    "http://[fe80::1]",
]


def refused(**given: Any) -> str:
    """What the refusal says."""
    with pytest.raises(DataWorksInvalidRequest) as caught:
        endpoint(**given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"region": "cn-shanghai"}, "https://dataworks.cn-shanghai.aliyuncs.com"),
        ({"region": "ap-southeast-1", "network": "public"}, "https://dataworks.ap-southeast-1.aliyuncs.com"),
        ({"region": "cn-shanghai", "network": "vpc"}, "https://dataworks-vpc.cn-shanghai.aliyuncs.com"),
        ({"region": "cn-north-2-gov-1", "network": ""}, "https://dataworks.cn-north-2-gov-1.aliyuncs.com"),
        ({"region": "cn-shanghai", "port": 443}, "https://dataworks.cn-shanghai.aliyuncs.com"),
        ({"region": "cn-shanghai", "port": 8443}, "https://dataworks.cn-shanghai.aliyuncs.com:8443"),
        ({"host": "dataworks.aliyuncs.com"}, "https://dataworks.aliyuncs.com"),
        ({"host": "https://dataworks.aliyuncs.com"}, "https://dataworks.aliyuncs.com"),
        ({"host": "https://dataworks.aliyuncs.com/"}, "https://dataworks.aliyuncs.com"),
        ({"host": "DataWorks.aliyuncs.com"}, "https://dataworks.aliyuncs.com"),
        ({"host": "dataworks.aliyuncs.com", "region": "cn-shanghai"}, "https://dataworks.aliyuncs.com"),
        ({"host": "dataworks.aliyuncs.com:443"}, "https://dataworks.aliyuncs.com"),
        ({"host": "dataworks.aliyuncs.com:"}, "https://dataworks.aliyuncs.com"),
        ({"host": "dataworks.aliyuncs.com:8443"}, "https://dataworks.aliyuncs.com:8443"),
        ({"host": "dataworks.aliyuncs.com:8443", "port": 443}, "https://dataworks.aliyuncs.com:8443"),
        ({"host": "dataworks.aliyuncs.com", "port": 8443}, "https://dataworks.aliyuncs.com:8443"),
        ({"host": "10.1.2.3"}, "https://10.1.2.3"),
        ({"host": "https://[::1]:8443"}, "https://[::1]:8443"),
        ({"host": "http://[::1]", "port": 8900}, "http://[::1]:8900"),
        ({"host": "http://127.0.0.1", "port": 8900}, "http://127.0.0.1:8900"),
        ({"host": "http://127.8.9.1:8900"}, "http://127.8.9.1:8900"),
        ({"host": "http://localhost:80"}, "http://localhost"),
        ({"host": "http://localhost", "port": 443}, "http://localhost:443"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_region_and_host_give_the_endpoint(given: dict[str, Any], expected: str):
    """Region and network make the vendor's host name; a host of one's own stands as it is."""
    assert endpoint(**given) == expected


@pytest.mark.parametrize("region", REGION_REFUSED, ids=ascii)
def test_a_region_that_is_no_region_id_never_becomes_a_host(region: Any):
    """The region is pasted into the host that receives signed requests, so only a region id passes."""
    assert refused(region=region).startswith("region: ")


@pytest.mark.parametrize("region", [region for region in REGION_REFUSED if region], ids=ascii)
def test_a_region_beside_a_host_is_checked_too(region: Any):
    """It becomes part of links, and a wrong one is a mistake wherever it stands."""
    assert refused(region=region, host="gateway.example").startswith("region: ")


@pytest.mark.parametrize("host", HOST_REFUSED, ids=ascii)
def test_a_host_that_is_more_than_a_host_is_refused(host: str):
    """Users, paths, odd ports and other schemes could send signed requests elsewhere."""
    assert refused(host=host).startswith("host: ")


@pytest.mark.parametrize("host", PLAIN_HTTP_REFUSED)
def test_plain_http_leaves_this_machine_for_nobody(host: str):
    """Signed requests go out in the clear to loopback addresses only."""
    message = refused(host=host)

    assert message.startswith("host: ")
    assert "in the clear" in message


@pytest.mark.parametrize(
    "where", [{"host": "dataworks.aliyuncs.com"}, {"region": "cn-shanghai"}], ids=["host", "region"]
)
@pytest.mark.parametrize("port", [0, -1, 65536, 99999, "443", "80a", True, 1.5], ids=repr)
def test_a_port_that_is_none_is_refused(where: dict[str, str], port: Any):
    """A port is a number from 1 to 65535, whichever way the endpoint is given."""
    assert refused(**where, port=port).startswith("port: ")


def test_a_port_of_zero_inside_the_host_is_refused():
    """Port 0 is not taken for no port."""
    assert "port: 0" in refused(host="dataworks.aliyuncs.com:0")


@pytest.mark.parametrize("network", ["internal", "VPC", "vpc.evil.example/", 5], ids=repr)
def test_an_unknown_network_is_refused(network: Any):
    """Only the two networks that have host names pass."""
    message = refused(region="cn-shanghai", network=network)

    assert message.startswith("network: ")
    assert "public, vpc" in message


@pytest.mark.parametrize("version", ["", "2024", "2024-05-17", "v2024-05-18", None, 20240518], ids=repr)
def test_an_unknown_api_version_is_refused(version: Any):
    """The two versions that exist are named in the refusal."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^api_version: ") as caught:
        ClientConfig("https://h", api_version=version)

    assert all(known in str(caught.value) for known in API_VERSIONS)


@pytest.mark.parametrize("signature", ["", "ACS3-HMAC-SM3", "hmac-sha1", None, []], ids=repr)
def test_an_unknown_signature_is_refused(signature: Any):
    """The two signatures that exist are named in the refusal."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^signature: ") as caught:
        ClientConfig("https://h", signature=signature)

    assert all(known in str(caught.value) for known in SIGNATURES)


@pytest.mark.parametrize("field", ["connect_timeout", "read_timeout", "max_qps"])
@pytest.mark.parametrize("value", [0, -1, -0.1, 1001, math.inf, math.nan, "5", None, True, []], ids=repr)
def test_a_limit_that_is_no_sensible_number_is_refused(field: str, value: Any):
    """Timeouts and rates are numbers above 0 with a ceiling; the message names the field."""
    with pytest.raises(DataWorksInvalidRequest, match=f"^{field}: "):
        ClientConfig("https://h", **{field: value})


@pytest.mark.parametrize("rate", [1 / 3601, 1e-5, 5e-324])
def test_a_rate_of_less_than_a_call_an_hour_is_refused(rate: float):
    """It could not be kept: such moments are further off than any that was meant."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^max_qps: .* is less than one call an hour"):
        ClientConfig("https://h", max_qps=rate)

    assert ClientConfig("https://h", max_qps=1 / 3600).max_qps == 1 / 3600


@pytest.mark.parametrize("path", ["ca.pem", "./ca.pem", "~/ca.pem", "", "https://example.com/ca.pem"])
def test_a_file_of_authorities_needs_an_absolute_path(path: str):
    """A relative one would be another file in each of Airflow's processes."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^ca_file: is not an absolute path"):
        ClientConfig("https://h", ca_file=path)


def test_a_file_of_authorities_is_not_opened_yet():
    """ClientConfig are read in event loops, too."""
    assert ClientConfig("https://h", ca_file="/nowhere/ca.pem").ca_file == "/nowhere/ca.pem"


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://127.0.0.1:8900", True),
        ("http://localhost", True),
        ("https://[::1]:1", True),
        ("https://dataworks.cn-shanghai.aliyuncs.com", False),
        ("https://10.0.0.1", False),
    ],
)
def test_an_endpoint_knows_whether_it_is_on_this_machine(address: str, local: bool):
    """Proxies are for the rest of the world."""
    assert ClientConfig(address).is_local is local


def test_credentials_never_show_their_secrets():
    """Neither the keys nor what holds them print more than the key's id."""
    keys = Credentials("LTAI5tInvented", "invented-secret", "invented-token")
    source = StaticCredentials(keys)

    assert source.fetch(lambda: 0.0) is keys
    for text in (repr(keys), str(source), f"{keys}"):
        assert "LTAI5tInvented" in text
        assert "invented" not in text.replace("LTAI5tInvented", "")
