"""TLS towards servers: whom to trust, what to show of ourselves, and what to tell people when trust fails."""

import hashlib
import os
import ssl

import msgspec

from routing.upstream.credentials import Secret
from routing.upstream.errors import ConnectCause, ConnectFailed

# OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h).
_REASONS = {
    7: "is signed by an authority that is not trusted",
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself, and not trusted",
    19: "is signed by an authority that is not trusted",
    20: "is signed by an authority that is not trusted, or lacks an intermediate certificate",
    21: "is signed by an authority that is not trusted, or lacks an intermediate certificate",
    23: "was revoked",
    62: "is for another name",
    64: "is for another address",
}
# OpenSSL's names of a server's alerts about our certificate (TLS 1.3, then those of 1.2).
_ALERTS = frozenset(
    {
        *("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        *("SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
        *("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"),
        *("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_CERTIFICATE_REVOKED", "TLSV1_ALERT_ACCESS_DENIED"),
    }
)


_MOST_CONTEXTS = 256
_contexts: dict[bytes, ssl.SSLContext] = {}
"""By what they were made of, the most recently used one last; a digest, so that no key is kept here."""


class Identity(msgspec.Struct, frozen=True):
    """What the router shows to a server that asks who it is: PEM texts of a certificate with its chain, and its key."""

    chain: str
    key: Secret


def context_for(ca_bundle: str | None, identity: Identity | None = None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a PEM text, by default the system's, and shows `identity`.

    The bundle may hold a server's own certificate. Raises `ConnectFailed`.
    """
    made_of = _digest(ca_bundle, identity)
    context = _contexts.pop(made_of, None) or _make(ca_bundle, identity)
    _contexts[made_of] = context
    if len(_contexts) > _MOST_CONTEXTS:
        del _contexts[next(iter(_contexts))]
    return context


def forget_identity(ca_bundle: str | None, identity: Identity) -> None:
    """Keep no context, in which OpenSSL holds the key; whoever still shows this identity has it made again."""
    _contexts.pop(_digest(ca_bundle, identity), None)


def _make(ca_bundle: str | None, identity: Identity | None) -> ssl.SSLContext:
    context = ssl.create_default_context() if not ca_bundle else _context_of(ca_bundle)
    context.set_alpn_protocols(["http/1.1"])
    if identity is not None:
        _show(context, identity)
    return context


def _digest(ca_bundle: str | None, identity: Identity | None) -> bytes:
    parts = (ca_bundle or "", *((identity.chain, identity.key.reveal()) if identity else ()))
    return hashlib.sha256(
        b"".join(hashlib.sha256(part.encode()).digest() for part in parts)
    ).digest()


def _show(context: ssl.SSLContext, identity: Identity) -> None:
    """Have the context show a certificate. OpenSSL reads it from a file: one in memory, which no disk ever holds."""
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "w", encoding="ascii", errors="ignore", closefd=False) as file:
            file.write(f"{identity.chain}\n{identity.key.reveal()}\n")
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    except ssl.SSLError:
        raise ConnectFailed(
            ConnectCause.TLS, "The certificate that the router is to show cannot be used."
        ) from None
    finally:
        os.close(descriptor)


def _no_password() -> str:
    """An encrypted key would have OpenSSL ask at the terminal."""
    return ""


def tls_failure(host: str, port: int, error: ssl.SSLError) -> ConnectFailed:
    """Return what to say of a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _REASONS.get(error.verify_code, "is not trusted")
        return ConnectFailed(
            ConnectCause.TLS,
            f"The certificate of {host} {reason}.",
            verify_code=error.verify_code,
        )
    if is_wish_for_certificate(error):
        return ConnectFailed(
            ConnectCause.TLS,
            f"{host} port {port} asks for a certificate of the router's, or refuses the one that it was shown.",
            wants_certificate=True,
        )
    return ConnectFailed(ConnectCause.TLS, f"{host} port {port} does not speak TLS as it should.")


def is_wish_for_certificate(error: BaseException | None) -> bool:
    """Say whether a server ended the connection because of the certificate that it was, or was not, shown."""
    return isinstance(error, ssl.SSLError) and error.reason in _ALERTS


def _context_of(ca_bundle: str) -> ssl.SSLContext:
    pem = ca_bundle.encode("ascii", "ignore").decode()  # comments may be French
    try:
        context = ssl.create_default_context(cadata=pem)
    except ssl.SSLError:
        raise ConnectFailed(
            ConnectCause.TLS, "The authorities given for this server are no PEM certificates."
        ) from None
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context
