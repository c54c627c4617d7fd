"""Each request, from its headers to the last byte of its answer, as the event loop sees it."""

import asyncio
import json
import logging
from collections import defaultdict
from functools import partial
from hashlib import sha256
from http import HTTPStatus

from django.urls import Resolver404, resolve

from aggregates.accounts.addresses import client_address, network_of
from aggregates.api.admission import secret_of
from aggregates.ops import requests
from aggregates.ops.allowances import DEFAULT, NOTES, Allowance, Lane, allowance_of, is_large
from aggregates.ops.places import NoPlace, Places
from aggregates.web.views.probes import PROBES
from usagesite.server import answers, bodies
from usagesite.server.answers import Answer, Send, TooSlow, make_answer, refusal
from usagesite.server.bodies import Awaited, Body, BodyAwaited, CutOff, NoRoom, Receive
from usagesite.server.environ import Environ, Scope, environ_of
from usagesite.server.lanes import Busy, make_lanes

AT_ONCE = 0.05  # seconds in which a small body is there, or else is not waited for before it is asked for
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE")
AGAIN, CLOSE = ("Retry-After", "5"), ("Connection", "close")
SECRETS = {"authorization": "HTTP_AUTHORIZATION", "x-api-key": "HTTP_X_API_KEY"}
IDENTITIES = (b"authorization", b"x-api-key", b"cookie")

# Refusals that may be an attack, or too much work.
LOGGED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

logger = logging.getLogger(__name__)


class Application:
    """An ASGI application around a WSGI one."""

    def __init__(self, wsgi: answers.Application) -> None:
        self.wsgi = wsgi
        self.lanes = make_lanes()
        self.places: defaultdict[Allowance, Places] = defaultdict(Places)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await Exchange(self, scope, receive).run(send)


class Exchange:
    """A request and its answer."""

    def __init__(self, application: Application, scope: Scope, receive: Receive) -> None:
        self.application = application
        self.environ: Environ = environ_of(scope) | {NOTES: {}}
        self.method: str = scope["method"]
        self.body = Body(receive)
        self.allowance = allowance_for(self.environ["PATH_INFO"])
        self.lane = self.allowance.lane
        if self.lane is Lane.DOOR and self.method in WITHOUT_BODY:
            self.lane = Lane.PAGE  # the form is there while passwords are hashed
        self.sender = sender_of(scope, self.environ, self.lane)

    async def run(self, send: Send) -> None:
        try:
            answer = await self._answer()
            try:
                await answer.send(send, is_head=self.method == "HEAD")
            finally:
                answer.close()
            await self.body.discard()
        except TooSlow:
            raise asyncio.CancelledError from None  # the web server ends the connection, and does not mention it
        finally:
            self.body.close()

    async def _answer(self) -> Answer:
        try:
            return await self._tried()
        except Busy:
            return self._refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The site is busy: try again in a moment.", AGAIN)
        except NoPlace as error:
            status = HTTPStatus.TOO_MANY_REQUESTS if error.of_one else HTTPStatus.SERVICE_UNAVAILABLE
            whose = "of yours are" if error.of_one else "are"
            return self._refusal(status, f"Many large requests {whose} arriving: try again in a moment.", AGAIN)
        except TimeoutError:
            self.body.is_given_up = True
            words = f"The body did not arrive whole within {self.allowance.seconds} seconds."
            return self._refusal(HTTPStatus.REQUEST_TIMEOUT, words, CLOSE)
        except NoRoom as error:
            logger.error("%s: a body could not be kept in the temporary folder: %s", self.lane.value, error)
            return self._refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The site has no room for this just now.", AGAIN)
        except CutOff:
            return self._refusal(HTTPStatus.BAD_REQUEST, "The body did not arrive whole.", CLOSE)

    def _refusal(self, status: HTTPStatus, words: str, *headers: tuple[str, str]) -> Answer:
        """Say why the request is not done, to programs as a problem document (RFC 9457), and count and log that."""
        exchange = requests.Exchange()
        level = logging.WARNING if status in LOGGED else None
        about = {"method": self.method, "peer": client_address(self.environ)}
        exchange.end("server", str(status.value), level, lane=self.lane.value, **about)
        headers = (*headers, (requests.HEADER, exchange.id))
        if self.lane is not Lane.API:
            return refusal(status, f"{words}\n", ("Content-Type", "text/plain; charset=utf-8"), *headers)
        problem = {"title": status.phrase, "status": status.value, "detail": words}
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            problem["request_id"] = exchange.id
        return refusal(status, json.dumps(problem), ("Content-Type", "application/problem+json"), *headers)

    def _too_large(self) -> Answer:
        words = f"Expected a body of at most {self.allowance.largest:,} bytes."
        return self._refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)

    async def _tried(self) -> Answer:
        """Answer as soon as that can be done: many requests are refused whatever their body is."""
        length = self._length()
        if length == 0 or self.method in WITHOUT_BODY:
            return await self._made()
        if not self.allowance.reads_bodies and (refused := self._refused(length)):
            return refused
        if await self._is_there(length):
            return await self._made()  # also while all that may arrive do, and stop
        return await self._early() or await self._with_body()

    async def _with_body(self) -> Answer:
        most = self.allowance.largest
        places = self.application.places[self.allowance]
        with places.one(self.sender, of_one=self.allowance.bodies_of_one, of_all=self.allowance.bodies):
            await self.body.arrive(most, self.allowance.seconds)
            if self.body.size > most and not self.allowance.reads_bodies:
                return self._too_large()
            return await self._made()

    def _length(self) -> int | None:
        """Read the length of the body; None where only its end will tell."""
        if "HTTP_TRANSFER_ENCODING" in self.environ:
            return None
        return int(self.environ.get("CONTENT_LENGTH") or 0)  # the web server has checked it

    def _refused(self, length: int | None) -> Answer | None:
        """Refuse what no form sends."""
        if self.environ.get("CONTENT_TYPE", "").lower().startswith("multipart/"):
            return self._refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "No files are taken here.")
        return self._too_large() if length is not None and length > self.allowance.largest else None

    async def _is_there(self, length: int | None) -> bool:
        """Look whether all of a small body has come with its headers."""
        if length is not None and length > bodies.SMALL:
            return False
        try:
            await self.body.arrive(bodies.SMALL, AT_ONCE)
        except TimeoutError:
            return False
        return self.body.is_whole

    async def _early(self) -> Answer | None:
        """Have a thread make the answer without the body; None where that is needed."""
        environ = self.environ | {"wsgi.input": Awaited()}
        if "HTTP_TRANSFER_ENCODING" in environ:  # of that, Django knows no body, and asks for none
            environ["CONTENT_LENGTH"] = "1"
        self.environ = environ
        return await self._run(environ)

    async def _made(self) -> Answer:
        """Have a thread make the answer, with all of the body that has arrived."""
        self.environ["wsgi.input"] = self.body.file
        if self.environ.pop("HTTP_TRANSFER_ENCODING", ""):
            self.environ["CONTENT_LENGTH"] = str(self.body.size)
        elif not self.body.is_whole:
            self.environ["CONTENT_LENGTH"] = str(max(self.body.size, self._length() or 0))
        answer = await self._run(self.environ)
        assert answer is not None, "a body that is there is not awaited"  # noqa: S101
        return answer

    async def _run(self, environ: Environ) -> Answer | None:
        threads = self.application.lanes[self.lane]
        size = is_large(self.body.size, self.environ.get("HTTP_CONTENT_ENCODING", ""))
        work = partial(answer_or_none, self.application.wsgi, environ)
        return await threads.run(self.sender, work, close, is_large=size)


def answer_or_none(wsgi: answers.Application, environ: Environ) -> Answer | None:
    """Make the answer; None where a body that has not arrived is needed."""
    try:
        return make_answer(wsgi, environ)
    except BodyAwaited:
        return None
    except Exception as error:
        logger.error("A request failed.", exc_info=error)  # whose words the log leaves out
        return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The site failed.\n", ("Content-Type", "text/plain"))


def close(answer: Answer | None) -> None:
    if answer:
        answer.close()


def allowance_for(path: str) -> Allowance:
    """Find what a request to a path may take; the path is as WSGI has it."""
    try:
        view = PROBES.get(path) or resolve(path.encode("latin-1").decode("utf-8", "replace")).func
    except Resolver404:
        return DEFAULT
    return allowance_of(view)


def sender_of(scope: Scope, environ: Environ, lane: Lane) -> str:
    """Name who sends a request, by what it brings or else by its address: for fairness, it proves nothing.

    At the door nobody has proven anything yet, and any number of names can be brought: there the address counts. A
    program is named by the key that it will be admitted by, whatever else it brings.
    """
    if lane is Lane.API:
        brought = [secret_of({name: environ.get(header, "") for name, header in SECRETS.items()}).encode()]
    elif lane is Lane.DOOR:
        brought = []
    else:
        brought = [name + value for name, value in scope["headers"] if name in IDENTITIES]
    return sha256(b"\n".join(brought)).hexdigest() if any(brought) else network_of(client_address(environ))
