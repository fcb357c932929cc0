"""Who may look and who may command.

On a loopback address everybody on this computer is the operator; a name in the Host header that is none of this
computer's, or a page of another site as the Origin, is refused (DNS rebinding, cross-site WebSockets). On any other
address every request needs one of two tokens, in the header `Authorization: Bearer TOKEN`, in the query `?token=TOKEN`
or in the cookie that such a query sets: the operator's commands, the viewer's looks.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

OPERATOR, VIEWER = "operator", "viewer"
COOKIE = "rovercam"
FILE = "web.json"
BODY_LIMIT = 1 << 20
"""Bytes of a request's body."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this computer and nothing else."""
    if host.strip("[]").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """local: everybody who reaches us is on this computer. tokens: role → token."""

    local: bool
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def for_host(cls, host: str, home: Path) -> Access:
        """Tokens are made once and kept in <home>/web.json, readable by the owner only."""
        if is_loopback(host):
            return cls(local=True)
        file = home / FILE
        try:
            tokens = {role: str(json.loads(file.read_text())[role]) for role in (OPERATOR, VIEWER)}
        except (OSError, ValueError, KeyError, TypeError):
            tokens = {role: secrets.token_urlsafe(18) for role in (OPERATOR, VIEWER)}
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as out:
                json.dump(tokens, out)
        return cls(local=False, tokens=tokens)

    def role_of(self, scope: Scope) -> str | None:
        """The role of a request, None when it is to be refused."""
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope.get("headers", [])}
        if self.local:
            return OPERATOR if _same_site(headers) else None
        for given in self._given(scope, headers):
            for role in (OPERATOR, VIEWER):
                if hmac.compare_digest(given.encode("latin-1", "replace"), self.tokens[role].encode()):
                    return role
        return None

    @staticmethod
    def _given(scope: Scope, headers: dict[str, str]) -> list[str]:
        found = []
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            found.append(value.strip())
        found += parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        # A browser sends the cookie along for other sites' WebSockets too.
        if cookie is not None and _own_origin(headers):
            found.append(cookie.value)
        return found


def _host_name(authority: str) -> str:
    try:
        return urlsplit("//" + authority).hostname or ""
    except ValueError:
        return ""


def _own_origin(headers: dict[str, str]) -> bool:
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == headers.get("host", "")
    except ValueError:
        return False


def _same_site(headers: dict[str, str]) -> bool:
    return is_loopback(_host_name(headers.get("host", "localhost"))) and _own_origin(headers)


class Guard:
    """ASGI middleware around everything: role, size of bodies, cookie. The role is in scope["state"]["role"]."""

    def __init__(self, app: App, access: Access):
        self.app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        role = self._access.role_of(scope)
        if role is None:
            why = (
                "this address is for this computer only: open it as http://127.0.0.1 or http://localhost"
                if self._access.local
                else "a token is needed: ?token=TOKEN or the header Authorization: Bearer TOKEN"
            )
            await _refuse(scope, receive, send, 403 if self._access.local else 401, why)
            return
        scope["state"] = dict(scope.get("state") or {}) | {"role": role}
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        length = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if length.isdigit() and int(length) > BODY_LIMIT:
            await _refuse(scope, receive, send, 413, f"a body of {int(length)} bytes; at most {BODY_LIMIT} are taken")
            return
        await self.app(scope, _Bounded(receive), self._with_cookie(scope, send))

    def _with_cookie(self, scope: Scope, send: Send) -> Send:
        """A token that came in the query goes into a cookie, so that pictures and scripts of the page are let through."""
        tokens = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        if self._access.local or not tokens or scope["path"].startswith("/api"):
            return send
        cookie = f"{COOKIE}={tokens[-1]}; Path=/; HttpOnly; SameSite=Strict"
        if any(c in tokens[-1] for c in ';,\r\n "\\') or not tokens[-1].isascii():
            return send

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"set-cookie", cookie.encode())]
            await send(message)

        return sending


class _Bounded:
    """Counts a body that comes without its length."""

    def __init__(self, receive: Receive):
        self._receive = receive
        self._taken = 0

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > BODY_LIMIT:
            return {"type": "http.disconnect"}
        return message


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + status, "reason": why[:120]})
        return
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
