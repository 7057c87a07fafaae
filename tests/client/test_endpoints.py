"""Every region in every network, against the maps in the vendor's SDKs; where we differ from them, it is said why."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from airflow_limits import needs_vendor_sdk

from airflow_provider_dataworks.client.config import endpoint
from airflow_provider_dataworks.client.endpoints import CENTRAL, CENTRAL_HOST, NAMED, REGIONAL
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

pytestmark = needs_vendor_sdk
SDKS = ("alibabacloud_dataworks_public20200518", "alibabacloud_dataworks_public20240518")
# Region ids that nobody has, to stand for regions that come to exist after this release.
NEW = ("cn-guangzhou", "xx-new-1")

# The vendor's endpoint pages (2020-05-18 and 2024-05-18) list the region; both SDKs forgot it, and so make up a host
# from the product's code.
FORGOTTEN = {"ap-southeast-7": "dataworks-public.ap-southeast-7.aliyuncs.com"}
# What the SDKs make of a region they do not know, where the documented pattern is dataworks[-vpc].<region>….
MADE_UP = {**FORGOTTEN, **{region: f"dataworks-public.{region}.aliyuncs.com" for region in NEW}}


def sdk_client(sdk: str, region: str, network: str = "public") -> Any:
    """Make an SDK's client."""
    config = importlib.import_module("alibabacloud_tea_openapi.utils_models").Config
    keys = {"access_key_id": "LTAIinvented", "access_key_secret": "invented"}
    return importlib.import_module(f"{sdk}.client").Client(config(region_id=region, network=network, **keys))


def sdk_host(sdk: str, region: str, network: str) -> str:
    """Ask an SDK for the host it would call."""
    host: str = sdk_client(sdk, region, network)._endpoint
    return host


def ours(region: str, network: str) -> str:
    """Return the host we would call."""
    return endpoint(region=region, network=network).removeprefix("https://")


@pytest.mark.parametrize("sdk", SDKS, ids=["2020-05-18", "2024-05-18"])
def test_the_table_holds_the_regions_of_the_sdk_and_the_one_it_forgot(sdk: str) -> None:
    """Should the vendor's next SDK know another region, this says so."""
    known = sdk_client(sdk, "cn-shanghai")._endpoint_map

    assert set(REGIONAL) | set(CENTRAL) == set(known) | set(FORGOTTEN)
    assert {region for region, host in known.items() if host == CENTRAL_HOST} == set(CENTRAL)
    assert (len(REGIONAL), len(CENTRAL)) == (24, 36)
    assert not set(REGIONAL) & set(CENTRAL)


@pytest.mark.parametrize("region", [*REGIONAL, *CENTRAL, *NEW])
def test_the_public_host_of_a_region_is_the_sdks(region: str) -> None:
    """Of both SDKs, save for the hosts they make up."""
    expected = CENTRAL_HOST if region in CENTRAL else f"dataworks.{region}.aliyuncs.com"

    assert ours(region, "public") == expected
    for sdk in SDKS:
        assert sdk_host(sdk, region, "public") == MADE_UP.get(region, expected)


@pytest.mark.parametrize("region", [*REGIONAL, *NEW])
def test_the_vpc_host_of_a_region_is_the_documented_one(region: str) -> None:
    """The SDKs call the public host from inside a VPC, where it may be out of reach; of new regions they know nothing.

    For cn-beijing-finance-1 and cn-north-2-gov-1 no page lists a VPC host; they keep the pattern of all others.
    """
    assert ours(region, "vpc") == f"dataworks-vpc.{region}.aliyuncs.com"
    for sdk in SDKS:
        made_up = f"dataworks-public-vpc.{region}.aliyuncs.com" if region in MADE_UP else ours(region, "public")
        assert sdk_host(sdk, region, "vpc") == made_up


@pytest.mark.parametrize("region", CENTRAL)
def test_a_region_without_vpc_host_is_refused_in_that_network(region: str) -> None:
    """There is none to call; the SDKs leave the VPC without a word."""
    with pytest.raises(DataWorksInvalidRequest, match=f"^network: DataWorks has no VPC endpoint in {region}") as caught:
        endpoint(region=region, network="vpc")

    assert "Use network public" in str(caught.value)
    for sdk in SDKS:
        assert sdk_host(sdk, region, "vpc") == CENTRAL_HOST


@pytest.mark.parametrize("network", ["public", "vpc"])
@pytest.mark.parametrize("region", [*REGIONAL, *CENTRAL, *NEW, None])
def test_a_host_stands_whatever_the_region(region: str | None, network: str) -> None:
    """Region and network then serve links only; port and scheme are the host's."""
    assert endpoint(host="gateway.example", port=8443, region=region, network=network) == "https://gateway.example:8443"


@pytest.mark.parametrize("region", ["cn-shanghai", "cn-qingdao", *NEW])
def test_a_port_goes_with_any_host_of_a_region(region: str) -> None:
    """Unless it is the scheme's own."""
    assert endpoint(region=region, port=8443).endswith(".aliyuncs.com:8443")
    assert endpoint(region=region, port=443).endswith(".aliyuncs.com")


def test_the_regions_to_choose_from_are_those_the_vendor_names() -> None:
    """In order, each with a name of its own; the vendor's internal ones are not among them."""
    assert list(NAMED) == sorted(NAMED)
    assert set(NAMED) == set(REGIONAL) | {"cn-hangzhou-finance", "cn-huhehaote", "cn-qingdao"}
    assert len(set(NAMED.values())) == len(NAMED)
