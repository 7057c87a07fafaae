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
        title="Clock difference too large",
        codes="InvalidTimeStamp.*, IllegalTimestamp",
        cause="The time of the request was off by more than 15 minutes. A second request, with the service's own "
        "time, was refused too.",
        remedy="Synchronize the clock of this machine (NTP). The service accepts a difference of 15 minutes.",
    ),
    ErrorInfo(
        anchor="access-key",
        error=DataWorksAuthError,
        title="AccessKey ID unknown or disabled",
        codes="InvalidAccessKeyId.*, HTTP 401",
        cause="The AccessKey ID does not exist, was deleted, or is disabled.",
        remedy="Check login (AccessKey ID) and password (AccessKey Secret) of the connection, or the keys from the "
        "source that its credential_type names. Check in RAM that the key is enabled.",
    ),
    ErrorInfo(
        anchor="access-key-secret",
        error=DataWorksAuthError,
        title="Signature refused",
        codes="SignatureDoesNotMatch, InvalidAccessKeySecret, IncompleteSignature",
        cause="The AccessKey Secret does not belong to the AccessKey ID, or a proxy changed the request.",
        remedy="Copy the AccessKey Secret of this AccessKey ID again, without spaces, into the password of the "
        "connection. If it is right, look for a proxy that changes requests.",
    ),
    ErrorInfo(
        anchor="sts-token",
        error=DataWorksAuthError,
        title="STS token expired or invalid",
        codes="InvalidSecurityToken.*, MissingSecurityToken",
        cause="The temporary keys have expired, or login, password and security_token do not belong together.",
        remedy="The STS token expired or is incomplete: renew login, password and security_token together, or choose "
        "a credential_type that renews keys automatically, such as ram_role_arn.",
    ),
    ErrorInfo(
        anchor="no-such-role",
        error=DataWorksAuthError,
        title="RAM role or OIDC provider does not exist",
        codes="EntityNotExist.*",
        cause="The connection or the environment has the ARN of a role or OIDC provider that does not exist.",
        remedy="Correct the ARN (role_arn, source_role_arn or oidc_provider_arn of the connection), or create the "
        "role or provider in RAM.",
    ),
    ErrorInfo(
        anchor="role-duration",
        error=DataWorksAuthError,
        title="Session duration longer than the role allows",
        codes="InvalidParameter.DurationSeconds",
        cause="duration_seconds of the connection is longer than the maximum session duration of the role.",
        remedy="Lower duration_seconds of the connection, or raise the maximum session duration of the role in RAM.",
    ),
    ErrorInfo(
        anchor="role-refused",
        error=DataWorksAuthError,
        title="STS refuses the request for a role",
        cause="The Security Token Service refused AssumeRole or AssumeRoleWithOIDC, with a code that has no row of "
        "its own.",
        remedy="Check the fields of the role on the connection (role_arn, role_session_name, policy, external_id, "
        "duration_seconds, oidc_provider_arn), and look up the code on the vendor's page for the operation.",
    ),
    ErrorInfo(
        anchor="oidc-token",
        error=DataWorksAuthError,
        title="OIDC token refused",
        codes="AuthenticationFail.*",
        cause="The token in the file expired, has another issuer or audience, or its signature cannot be checked.",
        remedy="Check that the token file is the one that Kubernetes renews. Check in RAM that issuer, client IDs "
        "and fingerprints of the OIDC provider match the cluster.",
    ),
    ErrorInfo(
        anchor="oidc-not-set-up",
        error=DataWorksAuthError,
        title="OIDC token file, role or provider missing",
        cause="It is set neither on the connection nor in the environment of this pod. Tasks and deferred waits run "
        "in different pods.",
        remedy="Enable RRSA for the pods of the workers and of the triggerer: it sets the variables and mounts the "
        "token. Or set the field named in the message.",
    ),
    ErrorInfo(
        anchor="instance-role",
        error=DataWorksAuthError,
        title="No such RAM role on the ECS instance",
        cause="The metadata service has no keys: no role is attached to the instance, or it is not the role in "
        "role_name.",
        remedy="Attach the RAM role to the ECS instance of the machine of this log. Set role_name of the connection "
        "to the name of that role, or leave it empty.",
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
        title="The credentials URI refuses the request",
        cause="The server at this address refused to give keys, or is another server.",
        remedy="Check credentials_uri of the connection (ALIBABA_CLOUD_CREDENTIALS_URI in the default chain), and "
        "the log of the server at this address.",
    ),
    ErrorInfo(
        anchor="profile",
        error=DataWorksAuthError,
        title="No keys from the profile",
        cause="The profile or its file does not exist on this machine or for this user, or it is not valid.",
        remedy="Run aliyun configure list as Airflow's user on the machine of this log. Correct the file, or profile "
        "of the connection. Workers and triggerer both need it.",
    ),
    ErrorInfo(
        anchor="profile-library",
        error=DataWorksAuthError,
        title="The library for profiles is missing",
        cause="The package alibabacloud-credentials is not installed, or is too old.",
        remedy="Install it for workers and triggerer: pip install 'airflow-provider-dataworks[credentials]'.",
    ),
    ErrorInfo(
        anchor="no-keys-found",
        error=DataWorksAuthError,
        title="No keys in the default chain",
        cause="No source in the chain has keys on this machine. The message gives the reason for each.",
        remedy="Set up one of these sources on this machine, or choose another credential_type on the connection. "
        "Workers and triggerer both need it.",
    ),
    ErrorInfo(
        anchor="keys-removed",
        error=DataWorksAuthError,
        title="The connection no longer has keys",
        cause="Somebody changed credential_type of the connection while the task was running, and the earlier keys "
        "are refused.",
        remedy="Clear the task: it reads the connection again.",
    ),
    ErrorInfo(
        anchor="role-not-allowed",
        error=DataWorksForbidden,
        title="The role may not be assumed",
        codes="NoPermission, Forbidden.*, NotAuthorized",
        cause="RAM does not allow the caller to assume the role, or the trust policy of the role does not name the "
        "caller. Keys of a root account can never do it.",
        remedy="Allow sts:AssumeRole on the role in a RAM policy of the user or role named in the message, and name "
        "that user or role in the trust policy of the role.",
    ),
    ErrorInfo(
        anchor="oidc-not-trusted",
        error=DataWorksForbidden,
        title="The role does not trust the OIDC token",
        codes="AuthenticationFail.NoPermission, NoPermission",
        cause="The trust policy of the role names a different OIDC provider, audience or subject than the token.",
        remedy="In the trust policy of the role, name the OIDC provider and, as subject, the service account of the "
        "pods: system:serviceaccount:<namespace>:<name>.",
    ),
    ErrorInfo(
        anchor="keys-unreachable",
        error=DataWorksUnavailable,
        title="Credential service cannot be reached",
        cause="No usable answer came from the Security Token Service or the credentials URI. DataWorks was not called.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, check the network (DNS, firewall, proxy, ca_file) from the "
        "machine of this log to the host named in the message, and the fields for it: region, network, sts_endpoint, "
        "credentials_uri.",
    ),
    ErrorInfo(
        anchor="metadata-unreachable",
        error=DataWorksUnavailable,
        title="No answer from the ECS metadata service",
        cause="This machine is not an ECS instance, or its container network blocks 100.100.100.200.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, allow containers to reach 100.100.100.200. If this machine is "
        "not an ECS instance, choose another credential_type on the connection.",
    ),
    ErrorInfo(
        anchor="keys-service-down",
        error=DataWorksUnavailable,
        title="Credential service is busy or unavailable",
        cause="The Security Token Service, the metadata service or the credentials URI throttles calls or has an "
        "internal error.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, check that the host is the intended service. Give the request "
        "id, if there is one, to Alibaba Cloud support.",
    ),
    ErrorInfo(
        anchor="keys-unreadable",
        error=DataWorksUnavailable,
        title="Credential service gave no usable keys",
        cause="The answer is cut short, lacks a field, or its keys have already expired.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, check that the host is the intended service. Look for a proxy "
        "that changes or caches answers, and check the clock of this machine.",
    ),
    ErrorInfo(
        anchor="no-keys-for-now",
        error=DataWorksUnavailable,
        title="No keys in the default chain for now",
        cause="One source in the chain did not answer, and the others have no keys. The message gives the reason for "
        "each.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, set up one of these sources on this machine, or choose "
        "another credential_type on the connection. On a machine that is not an ECS instance, ECS metadata never "
        "answers.",
    ),
    ErrorInfo(
        anchor="connection-not-read-again",
        error=DataWorksUnavailable,
        title="The Airflow connection cannot be read again",
        cause="The keys were refused or have expired, and Airflow could not read the connection again to look for "
        "new ones.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, check that the connection still exists and why Airflow could "
        "not read it: its secrets backend or API server may be down.",
    ),
)
