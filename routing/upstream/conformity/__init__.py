"""Whether a server does what its owner declares, asked by the very way that requests take.

One function a check, by families: `way` (name, connection, certificate), `access` (token, model), `streams`, `context`,
`abilities` (tools, schema, images, embeddings, speech), `watching` (metrics, peers), `replay` (prompts as users
send them); `run` makes them in order. Not here: the words for people, and what follows from a report.
"""

from routing.upstream.conformity.run import examine

__all__ = ["examine"]
