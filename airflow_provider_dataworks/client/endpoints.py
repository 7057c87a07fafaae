"""Which host serves which region, as the vendor publishes it; a table and its one rule, and nothing is looked up.

Follows the pages "Endpoints" of both API versions (https://www.alibabacloud.com/help/en/dataworks/developer-reference/)
and the map in the vendor's SDKs, with two corrections: the SDKs lack ``ap-southeast-7``, and they ignore the network
for every region they know.
"""

from __future__ import annotations

CENTRAL_HOST = "dataworks.aliyuncs.com"

# Regions with hosts of their own, and where they are.
REGIONAL = {
    "ap-northeast-1": "Japan (Tokyo)",
    "ap-northeast-2": "South Korea (Seoul)",
    "ap-southeast-1": "Singapore",
    "ap-southeast-3": "Malaysia (Kuala Lumpur)",
    "ap-southeast-5": "Indonesia (Jakarta)",
    "ap-southeast-7": "Thailand (Bangkok)",
    "cn-beijing": "China (Beijing)",
    "cn-beijing-finance-1": "China (Beijing) Finance",
    "cn-chengdu": "China (Chengdu)",
    "cn-hangzhou": "China (Hangzhou)",
    "cn-hongkong": "China (Hong Kong)",
    "cn-north-2-gov-1": "China (Beijing) Government",
    "cn-shanghai": "China (Shanghai)",
    "cn-shanghai-finance-1": "China (Shanghai) Finance",
    "cn-shenzhen": "China (Shenzhen)",
    "cn-shenzhen-finance-1": "China (Shenzhen) Finance",
    "cn-wulanchabu": "China (Ulanqab)",
    "cn-zhangjiakou": "China (Zhangjiakou)",
    "eu-central-1": "Germany (Frankfurt)",
    "eu-west-1": "UK (London)",
    "me-central-1": "Saudi Arabia (Riyadh)",
    "me-east-1": "UAE (Dubai)",
    "us-east-1": "US (Virginia)",
    "us-west-1": "US (Silicon Valley)",
}

# Regions that only the central host serves. Those with a name are on the endpoint pages too; the vendor keeps the
# others for itself, or has closed them.
CENTRAL = {
    "cn-hangzhou-finance": "China (Hangzhou) Finance",
    "cn-huhehaote": "China (Hohhot)",
    "cn-qingdao": "China (Qingdao)",
    **dict.fromkeys(
        (
            "ap-northeast-2-pop",
            "ap-south-1",
            "ap-southeast-2",
            "cn-beijing-finance-pop",
            "cn-beijing-gov-1",
            "cn-beijing-nu16-b01",
            "cn-edge-1",
            "cn-fujian",
            "cn-haidian-cm12-c01",
            "cn-hangzhou-bj-b01",
            "cn-hangzhou-internal-prod-1",
            "cn-hangzhou-internal-test-1",
            "cn-hangzhou-internal-test-2",
            "cn-hangzhou-internal-test-3",
            "cn-hangzhou-test-306",
            "cn-hongkong-finance-pop",
            "cn-huhehaote-nebula-1",
            "cn-qingdao-nebula",
            "cn-shanghai-et15-b01",
            "cn-shanghai-et2-b01",
            "cn-shanghai-inner",
            "cn-shanghai-internal-test-1",
            "cn-shenzhen-inner",
            "cn-shenzhen-st4-d01",
            "cn-shenzhen-su18-b01",
            "cn-wuhan",
            "cn-yushanfang",
            "cn-zhangbei",
            "cn-zhangbei-na61-b01",
            "cn-zhangjiakou-na62-a01",
            "cn-zhengzhou-nebula-1",
            "eu-west-1-oxs",
            "rus-west-1-pop",
        ),
        "",
    ),
}

# What a person may choose from: the regions that the vendor's endpoint pages name.
NAMED = dict(sorted((region, name) for region, name in {**REGIONAL, **CENTRAL}.items() if name))

_PRODUCTS = {"public": "dataworks", "vpc": "dataworks-vpc"}
NETWORKS = tuple(_PRODUCTS)


def host_of(region: str, network: str) -> str | None:
    """
    Host of a region; one that is not in the table follows the documented pattern, for new regions do.

    :param region: region id of the right shape.
    :param network: ``public`` or ``vpc``.
    :return: the host, or None where the region has none in that network.
    """
    if region in CENTRAL:
        return CENTRAL_HOST if network == "public" else None
    return f"{_PRODUCTS[network]}.{region}.aliyuncs.com"
