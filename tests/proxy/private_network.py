"""Runs as a program in namespaces of its own: with other names in /etc/hosts, and no network but its own loopback.

Arguments: a file to take the place of /etc/hosts, a server's command as JSON, how many lines it says when it is ready,
and the command of a client. What the client prints is what this prints, and its exit code too.
"""

import fcntl
import json
import signal
import socket
import struct
import subprocess
import sys

SIOCSIFFLAGS = 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40


def main(hosts: str, server: str, lines: str, *client: str) -> int:
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP | IFF_RUNNING))
    with subprocess.Popen(json.loads(server), stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        for _ in range(int(lines)):
            assert serving.stdout.readline()
        try:
            ended = subprocess.run(client, check=False)
        finally:
            serving.send_signal(signal.SIGTERM)
    return ended.returncode or serving.returncode


sys.exit(main(*sys.argv[1:]))
