"""The download of full MNIST, at most once an hour where it fails."""

import contextlib
import secrets
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from mnistrobust.data import files
from mnistrobust.errors import DataError, cause

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
NETWORK_SECONDS = 4.0
RETRY_SECONDS = 3600.0


def fetch(target: Path, *, offline: bool, retry: bool) -> None:
    """Download full MNIST.

    Raises DataError when `offline`, on a failure, and within an hour of one unless `retry`.
    """
    if offline:
        raise DataError("no full MNIST on this machine, and --offline forbids a download")
    failed = target.with_name("download-failed")
    age = RETRY_SECONDS
    with contextlib.suppress(OSError):
        age = time.time() - failed.stat().st_mtime
    if age < RETRY_SECONDS and not retry:
        raise DataError("no full MNIST on this machine, and a download failed within the last hour")
    # pooch would take a damaged file that lies at the target for the download
    received = target.with_name(f"{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        _probe(URL)
        import pooch

        target.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            URL,
            known_hash=None,  # the arrays are verified, not the container
            fname=received.name,
            path=received.parent,
            downloader=pooch.HTTPDownloader(timeout=NETWORK_SECONDS),
        )
        files.identify(files.read(received))
        received.replace(target)
    except Exception as error:  # any failure of the network or the server has the same remedy
        with contextlib.suppress(OSError):  # the mark only saves the next try
            received.unlink(missing_ok=True)
            failed.parent.mkdir(parents=True, exist_ok=True)
            failed.touch()
        raise DataError(
            f"no full MNIST on this machine, and no download ({cause(error)})"
        ) from error


def _probe(url: str) -> None:
    """Raise OSError unless the host answers in time; a name look-up alone can hang for longer.

    Behind a proxy, which looks names up by itself, nothing is asked.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    if getproxies().keys() & {parts.scheme, "all"} and not proxy_bypass(host):
        return
    failures: list[OSError] = [TimeoutError(f"no answer from {host} in {NETWORK_SECONDS} s")]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=NETWORK_SECONDS).close()
            failures.clear()
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(NETWORK_SECONDS)
    if failures:
        raise failures[-1]
