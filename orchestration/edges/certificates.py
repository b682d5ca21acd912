"""Certificates that Amazon SNS signs with, and its confirmation links: fetched from Amazon's own hosts and from nowhere else.

A message names the place of its certificate. Whoever believes any place believes anybody's key, so the address must be https, of a
host ``sns.<region>.amazonaws.com``; redirects are not followed.
"""

import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import urlsplit, urlunsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from orchestration.edges.clock import Clock

ENDPOINT = "LOOP_SNS_ENDPOINT"
"""Another origin to fetch from, once an address has passed the check: a fake of Amazon on loopback."""
_HOST = re.compile(r"sns\.[a-z0-9-]{1,32}\.amazonaws\.com(\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem")
_KEPT = 32
_MOST_BYTES = 64 * 1024
Fetch = Callable[[str], bytes]


class Unreachable(Exception):
    """Amazon could not be asked; that says nothing about the message."""


class Certificates:
    """Public keys by the address of their certificate, each fetched once.

    Args:
        fetch: Gets an address that has been checked.
        clock: Tells whether a certificate is valid by now.
    """

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch, self._clock = fetch, clock
        self._known: dict[str, x509.Certificate] = {}
        self._lock = threading.Lock()

    def public_key(self, url: str) -> rsa.RSAPublicKey | None:
        """The key, or None if the address is not Amazon's or what lies there is no certificate valid now.

        Raises:
            Unreachable: if it could not be fetched.
        """
        if not is_amazon(url) or not _CERTIFICATE.fullmatch(urlsplit(url).path):
            return None
        with self._lock:
            certificate = self._known.get(url)
            if certificate is None:
                try:
                    certificate = x509.load_pem_x509_certificate(self._fetch(url))
                except ValueError:
                    return None
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[url] = certificate
        now = self._clock.now()
        begins, ends = (
            moment.replace(tzinfo=None)
            for moment in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        )
        key = certificate.public_key()
        return key if begins <= now <= ends and isinstance(key, rsa.RSAPublicKey) else None


def is_amazon(url: str) -> bool:
    """Whether an address is https, on an SNS host, without credentials and on the usual port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and parts.netloc == parts.hostname
        and port is None
        and bool(_HOST.fullmatch(parts.netloc))
    )


def fetch(url: str) -> bytes:
    """Gets an address, at most 64 KB of it, within five seconds; never follows a redirect.

    Raises:
        Unreachable: if that fails.
    """
    if endpoint := os.environ.get(ENDPOINT):
        origin = urlsplit(endpoint)
        url = urlunsplit(urlsplit(url)._replace(scheme=origin.scheme, netloc=origin.netloc))
    try:
        with _OPENER.open(url, timeout=5) as answer:
            content: bytes = answer.read(_MOST_BYTES)
            return content
    except (urllib.error.URLError, OSError, HTTPException) as error:
        raise Unreachable(str(error)) from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
