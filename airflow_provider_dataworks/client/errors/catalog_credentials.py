"""The part of the catalogue about credentials: the keys that sign, and how temporary ones are obtained; only text.

Which code of STS leads to which entry is in :mod:`airflow_provider_dataworks.client.auth.sts`.
"""

from __future__ import annotations

from airflow_provider_dataworks.client.errors import ErrorInfo
from airflow_provider_dataworks.exceptions import (
    RETRIES_LEFT,
    DataWorksAuthError,
    DataWorksForbidden,
    DataWorksUnavailable,
)

CREDENTIALS: tuple[ErrorInfo, ...] = (
    ErrorInfo(
        anchor="clock",
        error=DataWorksAuthError,
        title="Clocks differ too much",
        codes="InvalidTimeStamp.*, IllegalTimestamp",
        cause="A request is dated more than 15 minutes off; one more, dated by the service's clock, was refused too.",
        remedy="Synchronize the clock of this machine (NTP): the service accepts 15 minutes of difference.",
    ),
    ErrorInfo(
        anchor="access-key",
        error=DataWorksAuthError,
        title="AccessKey ID unknown or disabled",
        codes="InvalidAccessKeyId.*, HTTP 401",
        cause="The AccessKey ID does not exist, was deleted, or is disabled.",
        remedy="Check login (AccessKey ID) and password (AccessKey Secret) of the connection, or the keys of what "
        "its credential_type names, and in RAM that the key is enabled.",
    ),
    ErrorInfo(
        anchor="access-key-secret",
        error=DataWorksAuthError,
        title="Signature refused",
        codes="SignatureDoesNotMatch, InvalidAccessKeySecret, IncompleteSignature",
        cause="The secret is not that of the AccessKey ID, or a proxy changed the request on its way.",
        remedy="The AccessKey Secret (password of the connection) does not belong to this AccessKey ID: copy it "
        "anew, without spaces. If it is right, look for a proxy that changes requests.",
    ),
    ErrorInfo(
        anchor="sts-token",
        error=DataWorksAuthError,
        title="STS token expired or wrong",
        codes="InvalidSecurityToken.*, MissingSecurityToken",
        cause="Temporary keys ended, or login, password and security_token are not of one set.",
        remedy="The STS token expired or is incomplete: renew login, password and security_token together, or choose "
        "a credential_type that renews keys by itself, such as ram_role_arn.",
    ),
    ErrorInfo(
        anchor="no-such-role",
        error=DataWorksAuthError,
        title="RAM role or OIDC provider does not exist",
        codes="EntityNotExist.*",
        cause="There is no role, or no OIDC provider, of the ARN that the connection or the environment names.",
        remedy="Correct the ARN (role_arn, source_role_arn or oidc_provider_arn of the connection), or create the "
        "role or provider in RAM.",
    ),
    ErrorInfo(
        anchor="role-duration",
        error=DataWorksAuthError,
        title="Keys wanted for longer than the role allows",
        codes="InvalidParameter.DurationSeconds",
        cause="duration_seconds of the connection is above the maximum session duration of the role.",
        remedy="Lower duration_seconds of the connection, or raise the role's maximum session duration in RAM.",
    ),
    ErrorInfo(
        anchor="role-refused",
        error=DataWorksAuthError,
        title="The Security Token Service refuses the request for a role",
        cause="AssumeRole or AssumeRoleWithOIDC was refused with a code that has no row of its own.",
        remedy="Check the fields of the role on the connection (role_arn, role_session_name, policy, external_id, "
        "duration_seconds, oidc_provider_arn) and look the code up on the vendor's page of the operation.",
    ),
    ErrorInfo(
        anchor="oidc-token",
        error=DataWorksAuthError,
        title="OIDC token refused",
        codes="AuthenticationFail.*",
        cause="The token in the file expired, is of another issuer or audience, or its signature cannot be checked.",
        remedy="See that the token file is the one that Kubernetes renews, and in RAM that the OIDC provider's "
        "issuer, client IDs and fingerprints are those of the cluster.",
    ),
    ErrorInfo(
        anchor="oidc-not-set-up",
        error=DataWorksAuthError,
        title="OIDC: token file, role or provider is missing",
        cause="Neither connection nor environment names it; tasks and waits run in several pods.",
        remedy="Enable RRSA for the pods of workers and of the triggerer, which sets the variables and mounts the "
        "token, or set the field that the message names.",
    ),
    ErrorInfo(
        anchor="instance-role",
        error=DataWorksAuthError,
        title="The ECS instance has no such RAM role",
        cause="The metadata service has no keys: no role is attached to the instance, or another than role_name.",
        remedy="Attach the RAM role to the ECS instance of the machine of this log, and leave role_name of the "
        "connection empty or give that role's name.",
    ),
    ErrorInfo(
        anchor="imds-v2",
        error=DataWorksAuthError,
        title="No IMDSv2 on the ECS instance",
        cause="disable_imds_v1 is set, and the metadata service gives no token for IMDSv2.",
        remedy="Enable IMDSv2 on the instance, or unset disable_imds_v1 of the connection "
        "(ALIBABA_CLOUD_IMDSV1_DISABLED in the default chain).",
    ),
    ErrorInfo(
        anchor="credentials-uri",
        error=DataWorksAuthError,
        title="The credentials URI refuses",
        cause="What listens there answered that it hands out no keys, or is something else.",
        remedy="Check credentials_uri of the connection (ALIBABA_CLOUD_CREDENTIALS_URI in the default chain), and "
        "the log of what listens there.",
    ),
    ErrorInfo(
        anchor="profile",
        error=DataWorksAuthError,
        title="The profile gives no keys",
        cause="The profile or its file does not exist on this machine or for this user, or cannot be used.",
        remedy="Run aliyun configure list as Airflow's user on the machine of this log; correct the file, or profile "
        "of the connection. Workers and triggerer both need it.",
    ),
    ErrorInfo(
        anchor="profile-library",
        error=DataWorksAuthError,
        title="The library for profiles is missing",
        cause="The package alibabacloud-credentials is not installed, or too old.",
        remedy="Install it for workers and triggerer: pip install 'airflow-provider-dataworks[credentials]'.",
    ),
    ErrorInfo(
        anchor="no-keys-found",
        error=DataWorksAuthError,
        title="The default chain finds no keys",
        cause="No source of the chain has keys on this machine; the message says of each why not.",
        remedy="Give this machine one of these sources, or choose another credential_type on the connection. Workers "
        "and triggerer both need it.",
    ),
    ErrorInfo(
        anchor="keys-removed",
        error=DataWorksAuthError,
        title="The connection holds no keys any more",
        cause="Somebody changed its credential_type while the task ran, and the keys it began with are refused.",
        remedy="Clear the task: it reads the connection anew.",
    ),
    ErrorInfo(
        anchor="role-not-allowed",
        error=DataWorksForbidden,
        title="The role may not be assumed",
        codes="NoPermission, Forbidden.*, NotAuthorized",
        cause="RAM does not allow it to who asks, or the role's trust policy does not name who asks; the keys of an "
        "account itself never may.",
        remedy="Allow sts:AssumeRole on the role in a RAM policy of the user or role that the message names, and "
        "name it in the trust policy of the role.",
    ),
    ErrorInfo(
        anchor="oidc-not-trusted",
        error=DataWorksForbidden,
        title="The role does not trust the OIDC token",
        codes="AuthenticationFail.NoPermission, NoPermission",
        cause="The role's trust policy names another OIDC provider, audience or subject than the token's.",
        remedy="In the role's trust policy name the OIDC provider and, as subject, the service account of the pods: "
        "system:serviceaccount:<namespace>:<name>.",
    ),
    ErrorInfo(
        anchor="keys-unreachable",
        error=DataWorksUnavailable,
        title="Who hands out keys cannot be reached",
        cause="No usable answer came from the Security Token Service or the credentials URI; DataWorks was not asked.",
        remedy=f"{RETRIES_LEFT} If it lasts, check the way from the machine of this log to the host that the message "
        "names (DNS, firewall, proxy, ca_file), and where it is from: region, network, sts_endpoint, "
        "credentials_uri.",
    ),
    ErrorInfo(
        anchor="metadata-unreachable",
        error=DataWorksUnavailable,
        title="The ECS metadata service does not answer",
        cause="This machine is no ECS instance, or its container network does not let 100.100.100.200 through.",
        remedy=f"{RETRIES_LEFT} If it lasts, let containers reach 100.100.100.200, or choose another credential_type "
        "on the connection if this machine is no ECS instance.",
    ),
    ErrorInfo(
        anchor="keys-service-down",
        error=DataWorksUnavailable,
        title="Who hands out keys is busy or out of order",
        cause="The Security Token Service, the metadata service or the credentials URI limits calls or fails for now.",
        remedy=f"{RETRIES_LEFT} If it lasts, see that the host is that of the service meant, and give the request "
        "id, if there is one, to Alibaba Cloud support.",
    ),
    ErrorInfo(
        anchor="keys-unreadable",
        error=DataWorksUnavailable,
        title="Who hands out keys answers without usable ones",
        cause="The answer is cut short, lacks a field, or its keys have expired already.",
        remedy=f"{RETRIES_LEFT} If it lasts, see that the host is that of the service meant, look for a proxy that "
        "changes or keeps answers, and check the clock of this machine.",
    ),
    ErrorInfo(
        anchor="no-keys-for-now",
        error=DataWorksUnavailable,
        title="The default chain finds no keys for now",
        cause="A source of the chain did not answer, and the others have no keys; the message says of each why not.",
        remedy=f"{RETRIES_LEFT} If it lasts, give this machine one of these sources, or choose another "
        "credential_type on the connection. A machine that is no ECS instance never gets an answer from ECS "
        "metadata.",
    ),
    ErrorInfo(
        anchor="connection-not-read-again",
        error=DataWorksUnavailable,
        title="The connection cannot be read again",
        cause="Its keys were refused or ended, and Airflow did not give the connection to look for newer ones.",
        remedy=f"{RETRIES_LEFT} If it lasts, see that the connection still exists, and why Airflow could not read "
        "it: its secrets backend or API server may be down.",
    ),
)
