"""What a connection is bound to, by the hash that its certificate is signed with (RFC 5929 section 4.1)."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from mailstead.crypto.certificate import end_point, self_signed


def made(key, algorithm) -> tuple[bytes, bytes]:
    """A certificate in PEM, and its DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    certificate = builder.sign(key, algorithm)
    encoding = serialization.Encoding
    return certificate.public_bytes(encoding.PEM), certificate.public_bytes(encoding.DER)


@pytest.mark.parametrize(
    ("key", "algorithm", "digest"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), hashlib.sha256),
        (lambda: ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(), hashlib.sha384),
        (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA512(), hashlib.sha512),
        (lambda: rsa.generate_private_key(65537, 2048), hashes.SHA256(), hashlib.sha256),
    ],
)
def test_the_hash_is_that_of_the_signature(key, algorithm, digest) -> None:
    pem, der = made(key(), algorithm)
    assert end_point(pem) == digest(der).digest()
    behind, _ = made(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    assert end_point(pem + behind) == digest(der).digest(), "of the server's own, not of who signed it"


OF_SHA_1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBZDCCAQugAwIBAgIBATAJBgcqhkjOPQQBMBExDzANBgNVBAMMBngudGVzdDAg
Fw0yNjExMzAwNDIwMjhaGA8yMTI2MTEwNjA0MjAyOFowETEPMA0GA1UEAwwGeC50
ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvnMxeUhKHRojVaylpQGMFpN6
CTO/qtiWgTe3zJ0cyfGulj6b6aqWNYS3mD8HUsMyE+U0t2jNUoYtcId5q7/xcKNT
MFEwHQYDVR0OBBYEFAv0tfj59MK2pTluy6QgvyGvtmHHMB8GA1UdIwQYMBaAFAv0
tfj59MK2pTluy6QgvyGvtmHHMA8GA1UdEwEB/wQFMAMBAf8wCQYHKoZIzj0EAQNI
ADBFAiEA7EEiTw71Al5yo8eqwwWP3iFM/XNrl7MbH1QTCWZx7BECIC8orajDTno7
sx35miu9p89n5T11qzMVsicXzqVtTez7
-----END CERTIFICATE-----
"""


def test_of_an_old_hash_it_is_sha_256() -> None:
    assert end_point(OF_SHA_1) == bytes.fromhex(
        "414a3f40973249cef12f62c7fbb386369dd33c9d170834b92543552af40b699b"
    )


def test_without_a_hash_there_is_none() -> None:
    pem, _ = made(ed25519.Ed25519PrivateKey.generate(), None)
    assert end_point(pem) is None


def test_ours_has_one() -> None:
    pem, _ = self_signed("mx.b.test", datetime.now(UTC).timestamp())
    assert (
        end_point(pem)
        == hashlib.sha256(
            x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        ).digest()
    )
