"""Private certificate authorities; verification of a server is never switched off."""

from __future__ import annotations

import ssl

from airflow_provider_dataworks.client.settings import refusal


def trust_only(ca_file: str) -> ssl.SSLContext:
    """
    Load a TLS context that trusts these authorities and no others, as ``curl --cacert`` and ``requests`` do.

    :param ca_file: absolute path of a PEM file.
    :raises DataWorksInvalidRequest: the file cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:  # what a file without certificates raises is an OSError, too
        problem = getattr(error, "strerror", None) or error
        remedy = "Give the path of a PEM file with CA certificates that can be read wherever tasks and triggers run."
        raise refusal("ca_file", f"{ca_file!r} cannot be used ({problem})", remedy) from error
