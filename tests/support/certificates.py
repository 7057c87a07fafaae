"""Certificates made for one test: an authority of its own, and server certificates that it signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """
    A certificate authority that nobody else trusts.

    :param folder: where its certificate, ``ca_file``, and those it signs are written.
    """

    def __init__(self, folder: Path, name: str = "Company CA") -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = self._certificate(self._name, self._key).add_extension(usage, critical=True)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.ca_file = folder / f"{name.replace(' ', '-')}.pem"
        self._write(self.ca_file, made)

    def server(self, address: str) -> tuple[Path, Path]:
        """Sign a certificate for an IP address or a name; return the paths of it and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        is_name = address.rpartition(".")[2].isalpha()
        names = x509.SubjectAlternativeName([x509.DNSName(address) if is_name else x509.IPAddress(ip_address(address))])
        paths = self._folder / f"{address}.pem", self._folder / f"{address}.key"
        self._write(paths[0], self._certificate(x509.Name([]), key).add_extension(names, critical=True))
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
        return paths

    def _certificate(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now, number = datetime.now(UTC), x509.random_serial_number()
        made = x509.CertificateBuilder(self._name, name, key.public_key(), number)
        made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return made.add_extension(identifier, critical=False).add_extension(subject, critical=False)

    def _write(self, path: Path, made: x509.CertificateBuilder) -> None:
        path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
