"""Mail: the port, and the outbox through which features use it.

`await outbox.enqueue(context, message)` queues a message in the caller's transaction; adapters implement `Mailer`.
"""

from bivelio_server.mail.port import MAIL, Mailer, Message

__all__ = ["MAIL", "Mailer", "Message"]
