"""A mail server that takes mail for sending: TLS, then a password, then mail.

    mail.py CERTIFICATE KEY wrapped|starttls|clear

Prints its port, then every mail as one line of JSON.
"""

import json
import socket
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

certificate, key, how = sys.argv[1:]


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "user": session.auth_data,
        }
        print(json.dumps(mail), flush=True)
        return "250 taken"


def check(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"lockgate", b"mail-secret-4711")
    return AuthResult(success=good, handled=False, auth_data=data.login.decode() if good else None)


class Server(Controller):
    def factory(self):
        encrypted = how != "clear"
        options = {"auth_required": encrypted, "authenticator": check, "auth_require_tls": encrypted}
        if how == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if how == "wrapped":
            # The connection is encrypted before the server sees it.
            options |= {"auth_require_tls": False}
        return SMTP(self.handler, **options)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
server = Server(Mailbox(), "127.0.0.1", 0, ssl_context=context if how == "wrapped" else None)
with socket.create_server(("127.0.0.1", 0)) as free:
    server.port = free.getsockname()[1]
server.start()
print(server.port, flush=True)
threading.Event().wait()
