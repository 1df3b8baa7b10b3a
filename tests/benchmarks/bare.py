"""The yardstick: an ASGI function that does one MongoDB operation per request and knows nothing of FHIR.

`POST /anything` inserts the JSON body (`w: majority, j: true`); `GET /anything/<id>` finds it by `_id` and answers
`null` if there is none. Run by uvicorn with uvloop and httptools like the server it is compared with.
"""

import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.write_concern import WriteConcern

URI_VARIABLE = "BARE_MONGODB_URI"
DATABASE = "bare"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class BareApplication:
    """ASGI application; opens its client at start-up, in the process that uses it."""

    def __init__(self) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] | None = None
        self._documents: AsyncCollection[dict[str, Any]] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["method"] == "GET":
            await self._read(scope["path"].rsplit("/", 1)[-1], send)
        else:
            await self._create(await _body(receive), send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._client = AsyncMongoClient(os.environ[URI_VARIABLE])
        self._documents = self._client[DATABASE].get_collection(
            "Observation", write_concern=WriteConcern("majority", j=True)
        )
        await self._client.admin.command("ping")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._client.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _read(self, id_: str, send: Send) -> None:
        assert self._documents is not None
        document = await self._documents.find_one({"_id": id_})
        await _answer(send, 200, document)

    async def _create(self, body: bytes, send: Send) -> None:
        assert self._documents is not None
        document = _decode(body)
        document["_id"] = id_ = str(uuid.uuid4())
        await self._documents.insert_one(document)
        await _answer(send, 201, {"_id": id_})


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


async def _answer(send: Send, status: int, content: object) -> None:
    body = _encode(content)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = BareApplication()
