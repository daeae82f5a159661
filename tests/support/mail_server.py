"""A mail server on this machine, just enough of SMTP for Django to hand its letters over, that can misbehave."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


class MailServer(socketserver.ThreadingTCPServer):
    """`taken`: the letters, in order. `refuses`: addresses that it does not know. `hangs_up`: before a letter."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.taken: list[EmailMessage] = []
        self.refuses: set[str] = set()
        self.hangs_up = False
        self.connections = 0
        super().__init__(("127.0.0.1", port), _Conversation)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def read_by(self) -> list[str]:
        return sorted(str(letter["To"]) for letter in self.taken)


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.server.connections += 1
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            match line.split(" ")[0].upper():
                case "RCPT" if any(address in line for address in self.server.refuses):
                    self._say("550 5.1.1 nobody here by that name")
                case "DATA" if self.server.hangs_up:
                    return
                case "DATA":
                    self._say("354 go on")
                    self._take()
                case "QUIT":
                    self._say("221 good bye")
                    return
                case _:
                    self._say("250 good")

    def _take(self) -> None:
        text = b""
        while (line := self.rfile.readline()) != b".\r\n":
            text += line.removeprefix(b".") if line.startswith(b"..") else line
        letter = message_from_bytes(text, policy=default)
        self.server.taken.append(letter)
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(port: int = 0) -> Iterator[MailServer]:
    with MailServer(port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
