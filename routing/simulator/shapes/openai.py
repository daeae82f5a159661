"""The endpoints that OpenAI defined and every engine answers in words of its own.

Reads the request, runs it, hands it to the engine's writers. Not responsible for keys, errors and words.
"""

import base64
import hashlib
import random
import struct
import uuid
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from routing.simulator.engine import Job
from routing.simulator.http import Answer, Request, Stream
from routing.simulator.shapes import asking
from routing.simulator.shapes.asking import Body, Invalid
from routing.simulator.shapes.base import Shape
from routing.simulator.shapes.writing import Writer
from routing.simulator.text import Ask

DIMENSIONS = 128


class OpenAI(Shape):
    """Models, chat, completions and embeddings. Subclasses name their writers and override the words."""

    chat_writer: ClassVar[type[Writer]]
    completion_writer: ClassVar[type[Writer]]

    def read(self, request: Request) -> Body:
        """The JSON object of a request. Raises `ApiError` or `Invalid`."""
        try:
            body = asking.decoded(request.body)
        except ValueError as error:
            raise self.bad_json(str(error)) from error
        if not isinstance(body, dict):
            raise Invalid("", "model_attributes_type", "Input should be a valid dictionary", body)
        return body

    @abstractmethod
    def check_model(self, body: Body) -> None:
        """Raise `ApiError` if this server does not have the model."""

    def check_chat(self, body: Body) -> None:
        """Raise `ApiError` for what the engine refuses in a conversation."""

    def check_sampling(self, body: Body) -> None:
        """Raise `ApiError` or `Invalid` for what the engine refuses in sampling parameters."""
        asking.number(body, "temperature")

    def ident(self, prefix: str, request: Request) -> str:
        """An id for an answer."""
        return prefix + uuid.uuid4().hex[:16]

    async def chat(self, request: Request) -> Answer | Stream:
        body = self.read(request)
        self.check_model(body)
        ask = self.ask_chat(body)
        self.check_sampling(body)
        self.check_chat(body)
        job = self.job(self.ident("chatcmpl-", request), ask, body)
        return await self.written(self.chat_writer(job, body), stream=bool(body.get("stream")))

    def ask_chat(self, body: Body) -> Ask:
        return asking.chat(body)

    async def completions(self, request: Request) -> Answer | Stream:
        return await self.plain(request, asking.completion, "cmpl-", self.completion_writer)

    async def plain(
        self, request: Request, ask: Callable[[Body], Ask], prefix: str, writer: type[Writer]
    ) -> Answer | Stream:
        """An endpoint with no rules of its own."""
        body = self.read(request)
        self.check_model(body)
        self.check_sampling(body)
        job = self.job(self.ident(prefix, request), ask(body), body)
        return await self.written(writer(job, body), stream=bool(body.get("stream")))

    async def embedded(self, request: Request) -> tuple[Job, list[Body]]:
        """The job of an embedding request, done, and the vectors as OpenAI lists them."""
        body = self.read(request)
        self.check_model(body)
        texts = asking.prompts(body, "input")
        job = self.job(self.ident("embd-", request), asking.embedding(texts), body)
        await self.run(job)
        in_base64 = body.get("encoding_format") == "base64"
        data: list[Body] = [
            {"index": index, "object": "embedding", "embedding": vector(text, in_base64=in_base64)}
            for index, text in enumerate(texts)
        ]
        return job, data

    async def embeddings(self, request: Request) -> Answer:
        job, data = await self.embedded(request)
        usage = {"prompt_tokens": job.prompt_tokens, "total_tokens": job.prompt_tokens}
        return self.json({"object": "list", "data": data, "model": job.model, "usage": usage})


def vector(text: str | list[int], *, in_base64: bool = False) -> list[float] | str:
    """A unit vector that depends on the text alone."""
    rng = random.Random(digest(str(text)))
    numbers = [rng.gauss(0, 1) for _ in range(DIMENSIONS)]
    length = sum(each * each for each in numbers) ** 0.5
    numbers = [each / length for each in numbers]
    if not in_base64:
        return numbers
    return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *numbers)).decode()


def digest(text: str) -> int:
    hashed = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(hashed)
