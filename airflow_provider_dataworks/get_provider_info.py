"""What Airflow learns about this package without importing it: one dict of plain values; imports nothing else."""

from __future__ import annotations


def _text(label: str, description: str, **schema: object) -> dict[str, object]:
    # The null lets an optional field stay empty in the form.
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _number(label: str, description: str, kind: str = "number", **schema: object) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


def _flag(label: str, description: str) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": ["boolean", "null"]}}


def _choice(label: str, description: str, values: dict[str, str], **schema: object) -> dict[str, object]:
    """Describe a drop-down: the values, each as it is shown; other values in a stored connection stay as they are."""
    return _text(label, description, enum=[*values], values_display=values, **schema)


# The regions that the vendor's endpoint pages name, as client/regions.py has them (a test compares).
REGIONS = {
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
    "cn-hangzhou-finance": "China (Hangzhou) Finance",
    "cn-hongkong": "China (Hong Kong)",
    "cn-huhehaote": "China (Hohhot)",
    "cn-north-2-gov-1": "China (Beijing) Government",
    "cn-qingdao": "China (Qingdao)",
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

_FIELDS: dict[str, dict[str, object]] = {
    "region": _choice(
        "Region",
        "Region of the workspace. If it is not in the list, give an endpoint under Standard Fields.",
        {region: f"{region}: {name}" for region, name in REGIONS.items()},
    ),
    "project_id": _number(
        "Workspace ID",
        "Lets the connection test prove access to DI jobs; also for links. DataWorks calls it project ID, too.",
        kind="integer",
        minimum=1,
    ),
    "network": _choice(
        "Network",
        "How DataWorks is reached from where tasks run.",
        {"public": "public: over the internet", "vpc": "vpc: from inside a VPC of the same region"},
        default="public",
    ),
    "api_version": _choice(
        "API version",
        "Try the other one where calls are refused as Forbidden.",
        {
            "2020-05-18": "2020-05-18: Enterprise or Flagship Edition",
            "2024-05-18": "2024-05-18: every edition, and the new Data Studio",
        },
        default="2020-05-18",
    ),
    "credential_type": _choice(
        "Credential type",
        "Where the keys come from that sign requests.",
        {
            "access_key": "access_key: login and password",
            "sts": "sts: login, password and an STS token",
            "ram_role_arn": "ram_role_arn: a RAM role that is assumed",
            "ecs_ram_role": "ecs_ram_role: the role of the ECS instance",
            "oidc_role_arn": "oidc_role_arn: the role of the pod (RRSA on ACK)",
            "credentials_uri": "credentials_uri: a service beside Airflow",
            "profile": "profile: of the vendor's command line",
            "default": "default: the first of these that the machine has",
        },
        default="access_key",
    ),
    "security_token": _text("STS token", "Only with temporary keys of the Security Token Service.", format="password"),
    "role_arn": _text(
        "Role ARN",
        "With ram_role_arn and oidc_role_arn: the role to assume, like acs:ram::1234567890:role/name.",
    ),
    "source_credential_type": _text(
        "Role assumed with",
        "With ram_role_arn only; access_key (login and password) if empty.",
        enum=["access_key", "ecs_ram_role", "oidc_role_arn", "credentials_uri", "profile", "default"],
    ),
    "source_role_arn": _text(
        "Source role ARN", "Where the role is assumed with oidc_role_arn: the role that the OIDC token gives."
    ),
    "role_session_name": _text(
        "Role session name",
        "Shown in ActionTrail; 2 to 64 letters, digits and .@-_=; airflow-provider-dataworks if empty.",
    ),
    "duration_seconds": _number(
        "Role session duration",
        "Seconds that keys of a role live; 3600 if empty. They are renewed ahead of their end.",
        kind="integer",
        minimum=900,
        maximum=43200,
    ),
    "policy": _text("Role session policy", "JSON that narrows what the role may do.", format="multiline"),
    "external_id": _text("External id", "With ram_role_arn, where the role's trust policy asks for one."),
    "role_name": _text("Instance role name", "With ecs_ram_role; the metadata service is asked if empty."),
    "disable_imds_v1": _flag("IMDSv2 only", "With ecs_ram_role: never ask the metadata service without a token."),
    "oidc_provider_arn": _text(
        "OIDC provider ARN", "With oidc_role_arn; ALIBABA_CLOUD_OIDC_PROVIDER_ARN, which RRSA sets, if empty."
    ),
    "oidc_token_file": _text(
        "OIDC token file", "Path, with oidc_role_arn; ALIBABA_CLOUD_OIDC_TOKEN_FILE, which RRSA sets, if empty."
    ),
    "credentials_uri": _text(
        "Credentials URI",
        "With credentials_uri: an https address that answers with keys, or http on a loopback address.",
    ),
    "profile": _text(
        "Profile", "With profile: its name in ~/.aliyun/config.json or credentials.ini; the current one if empty."
    ),
    "sts_endpoint": _text("STS endpoint", "Where roles are assumed; the region's Security Token Service if empty."),
    "signature": _choice(
        "Signature",
        "Change it only if something on the way needs the older form, which carries all in the query.",
        {"ACS3-HMAC-SHA256": "ACS3-HMAC-SHA256", "HMAC-SHA1": "HMAC-SHA1: the older RPC form"},
        default="ACS3-HMAC-SHA256",
    ),
    "ca_file": _text(
        "CA file",
        "Absolute path of a PEM file with the authorities to trust instead of the public ones, where a proxy or "
        "gateway has a certificate of your company. It must be there wherever tasks and triggers run.",
    ),
    "connect_timeout": _number(
        "Connect timeout", "Seconds to wait for a connection; 5 if empty.", minimum=1, maximum=600
    ),
    "read_timeout": _number(
        "Read timeout", "Seconds to wait for the next byte of an answer; 10 if empty.", minimum=1, maximum=600
    ),
    "max_qps": _number(
        "Calls per second",
        "The most that one machine makes; 5 if empty, which is what most editions allow.",
        minimum=0.1,
        maximum=1000,
    ),
    "console_url": _text(
        "Console address",
        "Where a task's link leads: an https:// address that may hold {region} and {project_id}. The workspace in the "
        "DataWorks console if empty.",
    ),
}
# Airflow 3.3 folds the fields of a section up; those without one come first, under "Extra Fields".
_SECTIONS: dict[str, tuple[str, ...]] = {
    "": ("region", "project_id", "network", "api_version"),
    "Credentials": ("credential_type", "security_token", "credentials_uri", "profile"),
    "RAM Role": (
        "role_arn",
        "source_credential_type",
        "source_role_arn",
        "role_session_name",
        "duration_seconds",
        "policy",
        "external_id",
        "sts_endpoint",
        "role_name",
        "disable_imds_v1",
        "oidc_provider_arn",
        "oidc_token_file",
    ),
    "Advanced": ("signature", "ca_file", "connect_timeout", "read_timeout", "max_qps", "console_url"),
}


def _grouped(fields: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """Order the fields by section."""
    found: dict[str, dict[str, object]] = {}
    for section, names in _SECTIONS.items():
        for name in names:
            schema: dict[str, object] = fields[name]["schema"]  # type: ignore[assignment]
            found[name] = {**fields[name], "schema": {**schema, **({"section": section} if section else {})}}
    return found


CONN_FIELDS = _grouped(_FIELDS)

UI_FIELD_BEHAVIOUR: dict[str, object] = {
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "Endpoint (optional)",
        "login": "AccessKey ID",
        "password": "AccessKey Secret",
    },
    # The port stays visible: the Test button of Airflow 3.3 fails on a connection that has none.
    "placeholders": {
        "host": "empty: that of the region under Extra Fields",
        "port": "443; the Test button may need it",
        "login": "LTAI...",
        "password": "30 characters",
    },
}


def get_provider_info() -> dict[str, object]:
    """Return the provider info, as Airflow's ``provider_info.schema.json`` describes it."""
    package = "airflow_provider_dataworks"
    name = "Alibaba Cloud DataWorks"
    return {
        "package-name": "airflow-provider-dataworks",
        "name": name,
        "description": "Stop, check and restart DataWorks Data Integration jobs around maintenance windows.",
        "integrations": [
            {
                "integration-name": name,
                "external-doc-url": "https://www.alibabacloud.com/help/en/dataworks/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": name, "python-modules": [f"{package}.hooks.dataworks"]}],
        "operators": [{"integration-name": name, "python-modules": [f"{package}.operators.dataworks"]}],
        "sensors": [{"integration-name": name, "python-modules": [f"{package}.sensors.dataworks"]}],
        "triggers": [{"integration-name": name, "python-modules": [f"{package}.triggers.dataworks"]}],
        "cli": [f"{package}.cli.definition.get_dataworks_cli_commands"],  # Airflow 3.2 and later
        "extra-links": [
            f"{package}.links.dataworks.DataWorksConsoleLink",
            f"{package}.links.dataworks.DataWorksPageLink",
        ],
        "connection-types": [
            {
                "connection-type": "dataworks",
                "hook-class-name": f"{package}.hooks.dataworks.DataWorksHook",
                "hook-name": name,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONN_FIELDS,
            }
        ],
    }
