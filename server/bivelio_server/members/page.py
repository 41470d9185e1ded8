"""The page that an invitation's link leads to: it takes a name and a password, and sends them with the link's token.

The token stands behind the `#`, so that it reaches no server's log on the way.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

PATH: Final = "/invitation"
_SCRIPT: Final = "/invitation/accept.js"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE: Final = """<!doctype html>
<html lang="es"><head><meta charset="utf-8"><title>BiVelio: invitación</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem}
label,input,button{display:block;width:100%;box-sizing:border-box;font:inherit}label{margin-top:1rem}
input,button{padding:.5rem}button{margin-top:1.5rem}</style></head>
<body><h1>Invitación <span lang="en">/ Invitation</span></h1>
<p>Elige un nombre y una contraseña de al menos diez caracteres. Si ya tienes cuenta, escribe su contraseña.
<span lang="en">Choose a name and a password of at least ten characters; with an account, type its password.</span></p>
<form id="accept"><label for="name">Nombre <span lang="en">/ Name</span></label>
<input id="name" autocomplete="name" maxlength="200">
<label for="password">Contraseña <span lang="en">/ Password</span></label>
<input id="password" type="password" autocomplete="new-password" required maxlength="1024">
<button>Aceptar <span lang="en">/ Accept</span></button></form>
<p id="told" role="status"></p><script src="/invitation/accept.js"></script></body></html>
"""
_ACCEPT: Final = """"use strict";
const field = (id) => document.getElementById(id);
field("accept").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
  const body = {token, password: field("password").value};
  if (field("name").value.trim()) body.name = field("name").value.trim();
  const reply = await fetch("/v1/auth/invitations/accept", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
  });
  const answer = await reply.json();
  if (reply.ok) field("accept").remove();
  field("told").textContent = reply.ok ? "Hecho: ya puedes entrar. / Done: you can sign in." : answer.error.message;
});
"""


def invitation_routes() -> list[BaseRoute]:
    return [Route(PATH, _page), Route(_SCRIPT, _script)]


async def _page(_request: Request) -> Response:
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)


async def _script(_request: Request) -> Response:
    return Response(_ACCEPT, media_type="text/javascript", headers=_HEADERS)
