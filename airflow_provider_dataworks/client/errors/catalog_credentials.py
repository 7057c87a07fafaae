"""Every kind of trouble with keys: those that sign, and getting temporary ones; it only holds text.

They are part of the table in :mod:`.troubles`. Which code of STS and its like means which trouble is said where it is
asked, in :mod:`.sts` and :mod:`.metadata`.
"""

from __future__ import annotations

from airflow_provider_dataworks.client.errors.advice import RETRIES_LEFT, Rows, table
from airflow_provider_dataworks.exceptions import DataWorksAuthError, DataWorksForbidden, DataWorksUnavailable

_ROWS: Rows = {
    DataWorksAuthError: (
        (
            "clock",
            "Clocks differ too much",
            "InvalidTimeStamp.*, IllegalTimestamp",
            "A request is dated more than 15 minutes off; one more, dated by the service's clock, was refused too.",
            "Synchronize the clock of this machine (NTP): the service accepts 15 minutes of difference.",
        ),
        (
            "access-key",
            "AccessKey ID unknown or disabled",
            "InvalidAccessKeyId.*, HTTP 401",
            "The AccessKey ID does not exist, was deleted, or is disabled.",
            "Check login (AccessKey ID) and password (AccessKey Secret) of the connection, or the keys of what its "
            "credential_type names, and in RAM that the key is enabled.",
        ),
        (
            "access-key-secret",
            "Signature refused",
            "SignatureDoesNotMatch, InvalidAccessKeySecret, IncompleteSignature",
            "The secret is not that of the AccessKey ID, or a proxy changed the request on its way.",
            "The AccessKey Secret (password of the connection) does not belong to this AccessKey ID: copy it anew, "
            "without spaces. If it is right, look for a proxy that changes requests.",
        ),
        (
            "sts-token",
            "STS token expired or wrong",
            "InvalidSecurityToken.*, MissingSecurityToken",
            "Temporary keys ended, or login, password and security_token are not of one set.",
            "The STS token expired or is incomplete: renew login, password and security_token together, or choose a "
            "credential_type that renews keys by itself, such as ram_role_arn.",
        ),
        (
            "no-such-role",
            "RAM role or OIDC provider does not exist",
            "EntityNotExist.*",
            "There is no role, or no OIDC provider, of the ARN that the connection or the environment names.",
            "Correct the ARN (role_arn, source_role_arn or oidc_provider_arn of the connection), or create the role or "
            "provider in RAM.",
        ),
        (
            "role-duration",
            "Keys wanted for longer than the role allows",
            "InvalidParameter.DurationSeconds",
            "duration_seconds of the connection is above the maximum session duration of the role.",
            "Lower duration_seconds of the connection, or raise the role's maximum session duration in RAM.",
        ),
        (
            "role-refused",
            "The Security Token Service refuses the request for a role",
            "",
            "AssumeRole or AssumeRoleWithOIDC was refused with a code that has no row of its own.",
            "Check the fields of the role on the connection (role_arn, role_session_name, policy, external_id, "
            "duration_seconds, oidc_provider_arn) and look the code up on the vendor's page of the operation.",
        ),
        (
            "oidc-token",
            "OIDC token refused",
            "AuthenticationFail.*",
            "The token in the file expired, is of another issuer or audience, or its signature cannot be checked.",
            "See that the token file is the one that Kubernetes renews, and in RAM that the OIDC provider's issuer, "
            "client IDs and fingerprints are those of the cluster.",
        ),
        (
            "oidc-not-set-up",
            "OIDC: token file, role or provider is missing",
            "",
            "Neither connection nor environment names it; tasks and waits run in several pods.",
            "Enable RRSA for the pods of workers and of the triggerer, which sets the variables and mounts the token, "
            "or set the field that the message names.",
        ),
        (
            "instance-role",
            "The ECS instance has no such RAM role",
            "",
            "The metadata service has no keys: no role is attached to the instance, or another than role_name.",
            "Attach the RAM role to the ECS instance of the machine of this log, and leave role_name of the connection "
            "empty or give that role's name.",
        ),
        (
            "imds-v2",
            "No IMDSv2 on the ECS instance",
            "",
            "disable_imds_v1 is set, and the metadata service gives no token for IMDSv2.",
            "Enable IMDSv2 on the instance, or unset disable_imds_v1 of the connection "
            "(ALIBABA_CLOUD_IMDSV1_DISABLED in the default chain).",
        ),
        (
            "credentials-uri",
            "The credentials URI refuses",
            "",
            "What listens there answered that it hands out no keys, or is something else.",
            "Check credentials_uri of the connection (ALIBABA_CLOUD_CREDENTIALS_URI in the default chain), and the log "
            "of what listens there.",
        ),
        (
            "profile",
            "The profile gives no keys",
            "",
            "The profile or its file does not exist on this machine or for this user, or cannot be used.",
            "Run aliyun configure list as Airflow's user on the machine of this log; correct the file, or profile of "
            "the connection. Workers and triggerer both need it.",
        ),
        (
            "profile-library",
            "The library for profiles is missing",
            "",
            "The package alibabacloud-credentials is not installed, or too old.",
            "Install it for workers and triggerer: pip install 'airflow-provider-dataworks[credentials]'.",
        ),
        (
            "no-keys-found",
            "The default chain finds no keys",
            "",
            "No source of the chain has keys on this machine; the message says of each why not.",
            "Give this machine one of these sources, or choose another credential_type on the connection. Workers and "
            "triggerer both need it.",
        ),
        (
            "keys-removed",
            "The connection holds no keys any more",
            "",
            "Somebody changed its credential_type while the task ran, and the keys it began with are refused.",
            "Clear the task: it reads the connection anew.",
        ),
    ),
    DataWorksForbidden: (
        (
            "role-not-allowed",
            "The role may not be assumed",
            "NoPermission, Forbidden.*, NotAuthorized",
            "RAM does not allow it to who asks, or the role's trust policy does not name who asks; the keys of an "
            "account itself never may.",
            "Allow sts:AssumeRole on the role in a RAM policy of the user or role that the message names, and name it "
            "in the trust policy of the role.",
        ),
        (
            "oidc-not-trusted",
            "The role does not trust the OIDC token",
            "AuthenticationFail.NoPermission, NoPermission",
            "The role's trust policy names another OIDC provider, audience or subject than the token's.",
            "In the role's trust policy name the OIDC provider and, as subject, the service account of the pods: "
            "system:serviceaccount:<namespace>:<name>.",
        ),
    ),
    DataWorksUnavailable: (
        (
            "keys-unreachable",
            "Who hands out keys cannot be reached",
            "",
            "No usable answer came from the Security Token Service or the credentials URI; DataWorks was not asked.",
            f"{RETRIES_LEFT} If it lasts, check the way from the machine of this log to the host that the message "
            "names (DNS, firewall, proxy, ca_file), and where it is from: region, network, sts_endpoint, "
            "credentials_uri.",
        ),
        (
            "metadata-unreachable",
            "The ECS metadata service does not answer",
            "",
            "This machine is no ECS instance, or its container network does not let 100.100.100.200 through.",
            f"{RETRIES_LEFT} If it lasts, let containers reach 100.100.100.200, or choose another credential_type on "
            "the connection if this machine is no ECS instance.",
        ),
        (
            "keys-service-down",
            "Who hands out keys is busy or out of order",
            "",
            "The Security Token Service, the metadata service or the credentials URI limits calls or fails for now.",
            f"{RETRIES_LEFT} If it lasts, see that the host is that of the service meant, and give the request id, if "
            "there is one, to Alibaba Cloud support.",
        ),
        (
            "keys-unreadable",
            "Who hands out keys answers without usable ones",
            "",
            "The answer is cut short, lacks a field, or its keys have expired already.",
            f"{RETRIES_LEFT} If it lasts, see that the host is that of the service meant, look for a proxy that "
            "changes or keeps answers, and check the clock of this machine.",
        ),
        (
            "no-keys-for-now",
            "The default chain finds no keys for now",
            "",
            "A source of the chain did not answer, and the others have no keys; the message says of each why not.",
            f"{RETRIES_LEFT} If it lasts, give this machine one of these sources, or choose another credential_type on "
            "the connection. A machine that is no ECS instance never gets an answer from ECS metadata.",
        ),
        (
            "connection-not-read-again",
            "The connection cannot be read again",
            "",
            "Its keys were refused or ended, and Airflow did not give the connection to look for newer ones.",
            f"{RETRIES_LEFT} If it lasts, see that the connection still exists, and why Airflow could not read it: its "
            "secrets backend or API server may be down.",
        ),
    ),
}
KEY_TROUBLES = table(_ROWS)
