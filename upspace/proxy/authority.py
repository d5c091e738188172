"""A certificate authority of the user's own, made on first use and kept in a private folder."""

import fcntl
import os
import ssl
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Self

import trustme

# A host name costs a certificate and a context, about 30 KB. Programs ask for a handful.
_CONTEXTS_KEPT = 256

# Where systems keep the certificates they trust, for interpreters whose OpenSSL was built to look elsewhere.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class AuthorityError(Exception):
    """The authority cannot be made, read or used, in one sentence."""


def default_folder() -> Path:
    """Where the authority is kept unless told otherwise: in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("upspace") / "authority"


class Authority:
    """A certificate authority in a folder that only its owner reads.

    `key.pem` holds the key and its certificate, so that neither can be met without the other. `ca_file` is the
    certificate alone, which programs are pointed to. Certificates for hosts are made in memory and never kept.
    """

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self._authority = authority
        self.context = lru_cache(_CONTEXTS_KEPT)(self._context)

    @classmethod
    def open(cls, folder: Path | None = None) -> Self:
        """The authority in this folder, made if there is none; however many processes ask at once, they get one.

        Raises AuthorityError if it cannot be made or read, is damaged, or is open to other users.
        """
        try:
            folder = (folder or default_folder()).absolute()
        except RuntimeError as error:
            raise AuthorityError(f"there is no folder for the certificate authority: {error}") from error
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(folder):
                key_file = folder / "key.pem"
                if not key_file.exists():
                    _write(key_file, _make(), 0o600)
                opened = cls(folder, _read(key_file))
                certificate = opened._authority.cert_pem.bytes()
                if not opened.ca_file.exists() or opened.ca_file.read_bytes() != certificate:
                    _write(opened.ca_file, certificate, 0o644)
        except OSError as error:
            raise AuthorityError(f"authority: {error.filename or folder}: {error.strerror or error}") from error
        return opened

    def bundle(self) -> Path:
        """A file with this authority and all that the system trusts, for programs that reach real hosts as well.

        Written anew each time, as the system's certificates change. Raises AuthorityError if that is not possible.
        """
        path = self.folder / "bundle.pem"
        ours = self._authority.cert_pem.bytes()
        try:
            with _locked(self.folder):
                _write(path, b"\n".join((*_system_certificates(self.folder), ours)), 0o644)
        except OSError as error:
            raise AuthorityError(f"authority: {error.filename or path}: {error.strerror or error}") from error
        return path

    def _context(self, host: str) -> ssl.SSLContext:
        """What a server that is called by this name speaks TLS with: 1.2 or newer, HTTP/1.1 alone inside.

        Remembered by name, as the attribute `context`. Raises AuthorityError for what is no host name.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A client that renegotiates could stop a write half way; nothing here needs it.
        context.options |= ssl.OP_NO_RENEGOTIATION
        # Nobody resumes a session here, and a client that closes before it has read its tickets sends a reset.
        context.num_tickets = 0
        context.set_alpn_protocols(["http/1.1"])
        self._leaf((host,)).configure_cert(context)
        return context

    def write_leaf(self, names: Sequence[str], folder: Path) -> tuple[Path, Path]:
        """Write a certificate for these host names, addresses and wildcards into a folder; its file and the key's.

        Raises AuthorityError for what is none of them, and if the files cannot be written.
        """
        leaf = self._leaf(names)
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        try:
            _write(certificate, b"".join(blob.bytes() for blob in leaf.cert_chain_pems), 0o644)
            _write(key, leaf.private_key_pem.bytes(), 0o600)
        except OSError as error:
            raise AuthorityError(f"authority: {error.filename or folder}: {error.strerror or error}") from error
        return certificate, key

    def _leaf(self, names: Sequence[str]) -> trustme.LeafCert:
        try:
            return self._authority.issue_cert(*names, organization_name="upspace", organization_unit_name=names[0][:64])
        except ValueError as error:
            raise AuthorityError(f"no certificate for {', '.join(names)}: {error}") from error


def _make() -> bytes:
    # No authority below this one: whoever trusts it trusts what this key signs, and nothing further.
    made = trustme.CA(
        path_length=0, organization_name="upspace", organization_unit_name=f"testing authority {os.urandom(4).hex()}"
    )
    return made.private_key_pem.bytes() + made.cert_pem.bytes()


def _read(key_file: Path) -> trustme.CA:
    with key_file.open("rb") as opened:
        if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
            raise AuthorityError(
                f"authority: other users may read {key_file}: remove its folder, and a new one is made"
            )
        pem = opened.read()
    try:
        # OpenSSL tells whether the key is that of the certificate. Without a password it would ask the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(key_file, password="")
        return trustme.CA.from_pem(pem, pem)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise AuthorityError(f"authority: {key_file} is damaged: remove its folder, and a new one is made") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; the system lets go of the lock when a process ends in whatever way."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if stat.S_IMODE(os.fstat(handle).st_mode) & 0o022:
            raise AuthorityError(f"authority: other users may write in {folder}: chmod 700 it, or name another folder")
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, content: bytes, mode: int) -> None:
    """The whole file or none of it. What an interrupted attempt has left is overwritten by the next."""
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as opened:
        os.fchmod(handle, mode)
        opened.write(content)
        opened.flush()
        os.fsync(handle)
    new.replace(path)


def _system_certificates(ours: Path) -> list[bytes]:
    """The files of certificates that programs of this user trust by now, but for those in a folder of ours."""
    paths = ssl.get_default_verify_paths()
    for name in (paths.cafile, paths.openssl_cafile, *_SYSTEM_FILES):
        # A shell may have been pointed to our own file before.
        if name and Path(name).is_file() and Path(name).absolute().parent != ours:
            return [Path(name).read_bytes()]
    folder = Path(paths.openssl_capath)
    return [found.read_bytes() for found in sorted(folder.glob("*.pem")) if found.is_file()]
