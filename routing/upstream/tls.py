"""TLS towards servers: whom to trust, and what to tell people when trust fails."""

import ssl
from functools import lru_cache

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


@lru_cache(maxsize=256)
def context_for(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a PEM text, by default the system's.

    The bundle may hold a server's own certificate. Raises `ConnectFailed`.
    """
    context = ssl.create_default_context() if not ca_bundle else _context_of(ca_bundle)
    context.set_alpn_protocols(["http/1.1"])
    return context


def tls_failure(host: str, port: int, error: ssl.SSLError) -> ConnectFailed:
    """Return what to say of a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _REASONS.get(error.verify_code, "is not trusted")
        return ConnectFailed(
            ConnectCause.TLS,
            f"The certificate of {host} {reason}.",
            verify_code=error.verify_code,
        )
    return ConnectFailed(ConnectCause.TLS, f"{host} port {port} does not speak TLS as it should.")


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
