"""Towards the clients: the ASGI application, keys, request bodies, a request's journey, the relay, the spool.

Not here: which server is asked (`routing.core`, behind `routing.dispatch`), how a server is reached
(`routing.upstream`), and anything of the database: this process never opens it.
"""
