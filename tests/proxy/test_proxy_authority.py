"""The authority: made once, kept privately, and never half."""

import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from proxy_world import DEADLINE_S

from upspace.proxy.authority import Authority, AuthorityError, default_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "authority"


def test_the_key_is_for_its_owner_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        authority = Authority.open(folder)
    finally:
        os.umask(before)
    assert (mode(folder), mode(folder / "key.pem"), mode(authority.ca_file)) == (0o700, 0o600, 0o644)
    assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "key.pem"]
    assert b"PRIVATE KEY" not in authority.ca_file.read_bytes()


def test_it_is_made_once(folder: Path) -> None:
    first = Authority.open(folder).ca_file.read_bytes()
    key = (folder / "key.pem").read_bytes()
    assert Authority.open(folder).ca_file.read_bytes() == first
    assert (folder / "key.pem").read_bytes() == key


def test_the_public_file_comes_back(folder: Path) -> None:
    authority = Authority.open(folder)
    certificate = authority.ca_file.read_bytes()
    for damage in (authority.ca_file.unlink, lambda: authority.ca_file.write_bytes(b"something else")):
        damage()
        assert Authority.open(folder).ca_file.read_bytes() == certificate


OPEN = "import sys; from pathlib import Path; from upspace.proxy.authority import Authority\n"
MAKE = OPEN + "sys.stdin.read(); sys.stdout.buffer.write(Authority.open(Path(sys.argv[1])).ca_file.read_bytes())"


def python(program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_eight_processes_at_once_get_one(folder: Path) -> None:
    processes = [python(MAKE, str(folder)) for _ in range(8)]
    # They wait until their input ends.
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    ended = [process.communicate(timeout=DEADLINE_S) for process in processes]
    assert [err for _, err in ended] == [b""] * 8
    assert {out for out, _ in ended} == {Authority.open(folder).ca_file.read_bytes()}
    assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "key.pem"]


# Ends itself like a power cut would, before or after a step of making the files.
KILLED = (
    OPEN
    + """
import os, signal
counted = 0
def dying(step):
    def wrapped(*arguments, **named):
        global counted
        if counted == int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)
        counted += 1
        return step(*arguments, **named)
    return wrapped
os.open, os.fdopen, os.fchmod, os.fsync, Path.replace, Path.mkdir = map(
    dying, (os.open, os.fdopen, os.fchmod, os.fsync, Path.replace, Path.mkdir))
Authority.open(Path(sys.argv[1]))
"""
)


def test_a_kill_at_any_step_leaves_nothing_half_made(tmp_path: Path) -> None:
    for step in range(100):
        folder = tmp_path / str(step)
        process = python(KILLED, str(folder), str(step))
        process.communicate(timeout=DEADLINE_S)
        again = Authority.open(folder)
        assert handshake(again.context("api.bilibili.com"), again.ca_file, "api.bilibili.com") == "http/1.1"
        assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "key.pem"]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert step > 8


@pytest.mark.parametrize("damage", [b"", b"garbage", "cut", "other key"])
def test_a_damaged_file_is_one_clear_error(folder: Path, tmp_path: Path, damage: bytes | str) -> None:
    Authority.open(folder)
    key = folder / "key.pem"
    if damage == "cut":
        damage = key.read_bytes()[:-100]
    elif damage == "other key":
        Authority.open(tmp_path / "other")
        ours, others = key.read_bytes(), (tmp_path / "other" / "key.pem").read_bytes()
        at = b"-----BEGIN CERTIFICATE"
        damage = others.partition(at)[0] + at + ours.partition(at)[2]
    assert isinstance(damage, bytes)
    key.write_bytes(damage)
    with pytest.raises(AuthorityError, match=r"^authority: .*key\.pem is damaged: remove its folder"):
        Authority.open(folder)


def test_a_key_that_others_may_read_is_refused(folder: Path) -> None:
    Authority.open(folder)
    (folder / "key.pem").chmod(0o640)
    with pytest.raises(AuthorityError, match="other users may read"):
        Authority.open(folder)


def test_a_folder_that_others_may_write_in_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(AuthorityError, match="other users may write"):
        Authority.open(folder)


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(AuthorityError, match=r"^authority: /.*file"):
            Authority.open(folder)


def test_without_a_folder_it_is_in_the_users_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "upspace" / "authority"
    assert Authority.open().ca_file == tmp_path / "upspace" / "authority" / "ca.pem"


def handshake(server: ssl.SSLContext, ca_file: Path, name: str, version: ssl.TLSVersion | None = None) -> str | None:
    """The protocol agreed upon by a client that trusts this file alone and wants this name."""
    client = ssl.create_default_context(cafile=str(ca_file))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.set_alpn_protocols(["h2", "http/1.1"])
    if version is not None:
        # Older ones are spoken only by those who lower their guard.
        client.set_ciphers("ALL:@SECLEVEL=0")
        client.minimum_version = client.maximum_version = version
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True):
                pass
        except OSError:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as connected:
            return connected.selected_alpn_protocol()
    finally:
        ours.close()
        thread.join(DEADLINE_S)
        theirs.close()


@pytest.mark.parametrize("name", ["api.bilibili.com", "127.0.0.1", "::1", "localhost"])
def test_certificates_are_for_names_and_addresses(folder: Path, name: str) -> None:
    authority = Authority.open(folder)
    assert handshake(authority.context(name), authority.ca_file, name) == "http/1.1"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.context(name), authority.ca_file, "other.example.org")
    assert authority.context(name) is authority.context(name)


def test_tls_older_than_1_2_is_not_spoken(folder: Path) -> None:
    authority = Authority.open(folder)
    context = authority.context("localhost")
    handshake(context, authority.ca_file, "localhost", ssl.TLSVersion.TLSv1_2)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises(ssl.SSLError):
        handshake(context, authority.ca_file, "localhost", ssl.TLSVersion.TLSv1_1)


def test_another_authority_is_not_trusted(folder: Path, tmp_path: Path) -> None:
    authority, other = Authority.open(folder), Authority.open(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.context("localhost"), other.ca_file, "localhost")


def test_what_is_no_host_name_gets_no_certificate(folder: Path) -> None:
    for name in ("a b", "a_b.bilibili.com", "x" * 70 + ".com"):
        with pytest.raises(AuthorityError, match="no certificate for"):
            Authority.open(folder).context(name)


def test_a_leaf_as_files(folder: Path, tmp_path: Path) -> None:
    authority = Authority.open(folder)
    certificate, key = authority.write_leaf(["api.bilibili.com", "*.hdslb.com", "127.0.0.1"], tmp_path)
    assert mode(key) == 0o600
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for name in ("api.bilibili.com", "i0.hdslb.com", "127.0.0.1"):
        handshake(context, authority.ca_file, name)


def certificates(path: Path) -> list[bytes]:
    return ssl.create_default_context(cafile=str(path)).get_ca_certs(binary_form=True)


def test_a_bundle_has_the_systems_authorities_and_ours(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Authority.open(tmp_path / "other").ca_file
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    authority = Authority.open(folder)
    bundle = authority.bundle()
    assert sorted(certificates(bundle)) == sorted(certificates(other) + certificates(authority.ca_file))
    # A shell that has been pointed to it before is taken to trust what the system does.
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert certificates(authority.bundle())[-1] in certificates(authority.ca_file)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    assert len(certificates(authority.bundle())) != 2
