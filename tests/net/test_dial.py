"""Our client against servers that are not what they seem (TLS-010, TLS-011)."""

import socket
import threading

import pytest

from mailstead.mail.address import parse_mailbox
from mailstead.net.dial import Dialled, SendError, SmtpClient


def serve(script: list[bytes]) -> tuple[int, list[bytes]]:
    """A server that says the next thing after each thing it hears; the port, and what it heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def run() -> None:
        sock, _ = listener.accept()
        with sock, listener:
            for octets in script:
                sock.sendall(octets)
                if not (came := sock.recv(65536)):
                    return
                heard.append(came)

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1], heard


HELLO = b"250-x\r\n250 STARTTLS\r\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([b"220 x\r\n", HELLO, b"220 go\r\n250 fake\r\n"], "sent more before TLS"),
        ([b"220 x\r\n", b"250-x\r\n250 SIZE\r\n"], "no STARTTLS"),
        ([b"220 x\r\n", HELLO, b"454 not now\r\n"], "454"),
        ([b"554 no\r\n"], "554"),
        ([b"220 x\r\n", b"250" + b"x" * 10_000], "no end"),
        ([b"220 x\r\n", b"250-x\r\n" * 300], "no end"),
        ([b"220 x\r\n", b"250-x\r\n251 y\r\n"], "no SMTP reply"),
        ([b"hello\r\n"], "no SMTP reply"),
    ],
)
def test_nothing_is_sent_to_who_does_not_keep_the_rules(script: list[bytes], said: str) -> None:
    port, heard = serve(script)
    with pytest.raises(SendError, match=said):
        SmtpClient(Dialled("127.0.0.1", port, "starttls", insecure=True), lambda line: None)
    assert b"MAIL" not in b"".join(heard)


def test_dots_are_doubled_and_the_end_is_added() -> None:
    port, heard = serve(
        [b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n"]
    )
    client = SmtpClient(Dialled("127.0.0.1", port, "none"), lambda line: None)
    ann = parse_mailbox(b"ann@b.test")
    client.send(ann, [ann], b".a\r\n.\r\nno end")
    client.close()
    assert heard[4] == b"..a\r\n..\r\nno end\r\n.\r\n"
