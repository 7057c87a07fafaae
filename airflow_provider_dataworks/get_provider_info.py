"""What Airflow learns about this package without importing it: one dict of plain values; imports nothing else."""

from __future__ import annotations


def _text(label: str, description: str, **schema: object) -> dict[str, object]:
    # The null lets an optional field stay empty in the form.
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _number(label: str, description: str, kind: str = "number", **schema: object) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


def _flag(label: str, description: str) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": ["boolean", "null"]}}


CONN_FIELDS: dict[str, dict[str, object]] = {
    "region": _text(
        "Region",
        "Region of the workspace, for example cn-shanghai. Not needed where a host is given.",
        examples=["cn-shanghai", "cn-hangzhou", "cn-beijing", "cn-shenzhen", "ap-southeast-1", "eu-central-1"],
    ),
    "network": _text(
        "Network",
        "public: over the internet; vpc: from inside a VPC of the same region.",
        enum=["public", "vpc"],
        default="public",
    ),
    "api_version": _text(
        "API version",
        "2020-05-18 needs Enterprise or Flagship Edition; 2024-05-18 works with every edition and the new Data Studio.",
        enum=["2020-05-18", "2024-05-18"],
        default="2020-05-18",
    ),
    "signature": _text(
        "Signature",
        "ACS3-HMAC-SHA256 unless something on the way needs the older RPC form.",
        enum=["ACS3-HMAC-SHA256", "HMAC-SHA1"],
        default="ACS3-HMAC-SHA256",
    ),
    "credential_type": _text(
        "Credential type",
        "Where the keys come from. access_key: login and password; sts: these with an STS token; ram_role_arn: a role "
        "assumed with them or with a source; ecs_ram_role: the role of the ECS instance; oidc_role_arn: RRSA on ACK; "
        "credentials_uri: a local service; profile: of the aliyun command line; default: the first of these that is "
        "there.",
        enum=[
            "access_key",
            "sts",
            "ram_role_arn",
            "ecs_ram_role",
            "oidc_role_arn",
            "credentials_uri",
            "profile",
            "default",
        ],
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
    "project_id": _number("Workspace id", "Used by the connection test, and for links.", kind="integer", minimum=1),
    "console_url": _text(
        "Console address",
        "Where a task's link leads, with {region} and {project_id}; the workspace if empty.",
    ),
    "connect_timeout": _number(
        "Connect timeout", "Seconds to wait for a connection; 5 if empty.", minimum=1, maximum=600
    ),
    "read_timeout": _number(
        "Read timeout", "Seconds to wait for the next byte of an answer; 10 if empty.", minimum=1, maximum=600
    ),
    "max_qps": _number(
        "Calls per second",
        "The most one process makes; 5 if empty, which is what most editions allow.",
        minimum=0.1,
        maximum=1000,
    ),
}

UI_FIELD_BEHAVIOUR: dict[str, object] = {
    "hidden-fields": ["schema"],
    "relabeling": {"login": "AccessKey ID", "password": "AccessKey Secret", "host": "Endpoint (optional)"},
    # The port stays visible: the Test button of Airflow 3.3 fails on a connection that has none.
    "placeholders": {
        "login": "LTAI...",
        "host": "dataworks.cn-shanghai.aliyuncs.com, in place of the region",
        "port": "443",
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
        "extra-links": [f"{package}.links.dataworks.DataWorksConsoleLink"],
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
