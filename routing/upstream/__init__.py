"""Towards the inference servers: the relay's own HTTP/1.1 client, the egress guard, engines, probes.

Not here: which server is asked (`routing.core`), and what clients are told (`routing.gateway`).
"""
