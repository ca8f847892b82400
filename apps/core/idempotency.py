"""`Idempotency-Key`: a POST that is sent twice, because its answer got lost, starts one thing.

    class RunList(APIView):
        @idempotent()
        def post(self, request: Request) -> Response: ...

The key is reserved first, in a transaction of its own, so that a second request sees it. The work and its answer are
then committed together: after a crash either both are there or neither is, and a retry is right in both cases.
Only answers that say "done" are kept; a refused request may be sent again with the same key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import Conflict, Invalid
from apps.core.models import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
KEY_CHARS = 200
KEPT_HOURS = 24
ABANDONED_SECONDS = 60
"""A request without an answer after this long has died, and another may take its key over."""

Post = TypeVar("Post", bound=Callable[..., Response])


def idempotent(*, hide: tuple[str, ...] = ()) -> Callable[[Post], Post]:
    """Decorates `post(self, request, …)`. `hide`: fields that are shown once, and null in a repeated answer."""

    def decorate(post: Post) -> Post:
        @wraps(post)
        def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
            if HEADER not in request.headers:
                return post(view, request, *args, **kwargs)
            reserved = _reserve(request)
            if reserved.status:
                return _replay(reserved)
            return _work(reserved, lambda: post(view, request, *args, **kwargs), hide)

        return takes_key(cast(Post, wrapper))

    return decorate


def takes_key(post: Post) -> Post:
    """Marks a `post` that leaves what must be done once to an idempotent method, for the API's description."""
    post.is_idempotent = True  # type: ignore[attr-defined]
    return post


def _reserve(request: Request) -> IdempotencyKey:
    """The row of this key: a new one (status 0), or the one with the answer. Raises Conflict for anything else."""
    scope, key, digest = _scope(request), _key(request), _digest(request.data)
    now = timezone.now()
    IdempotencyKey.objects.filter(created_at__lt=now - timedelta(hours=KEPT_HOURS)).delete()
    abandoned = now - timedelta(seconds=ABANDONED_SECONDS)
    IdempotencyKey.objects.filter(scope=scope, key=key, status=0, created_at__lt=abandoned).delete()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(scope=scope, key=key, request_sha256=digest)
    except IntegrityError:
        return _known(scope, key, digest)


def _known(scope: str, key: str, digest: str) -> IdempotencyKey:
    row = IdempotencyKey.objects.filter(scope=scope, key=key).first()
    if row is not None and row.request_sha256 != digest:
        raise Conflict(_("This Idempotency-Key was used for another request."), code="idempotency_key_reused")
    if row is None or row.status == 0:
        raise _in_progress()
    return row


def _work(reserved: IdempotencyKey, post: Callable[[], Response], hide: tuple[str, ...]) -> Response:
    try:
        with transaction.atomic():
            response = post()
            _keep(reserved, response, hide)
    except BaseException:
        IdempotencyKey.objects.filter(pk=reserved.pk, status=0).delete()
        raise
    return response


def _keep(reserved: IdempotencyKey, response: Response, hide: tuple[str, ...]) -> None:
    """Store the answer. Raises Conflict, which undoes the work, when another request took the key over meanwhile."""
    body = json.loads(JSONRenderer().render(response.data))
    shown = {**body, **{name: None for name in hide if name in body}} if isinstance(body, dict) else body
    kept = IdempotencyKey.objects.filter(pk=reserved.pk, status=0).update(
        status=response.status_code, body=shown, location=response.headers.get("Location", "")
    )
    if not kept:
        raise _in_progress()


def _replay(row: IdempotencyKey) -> Response:
    headers = {REPLAYED_HEADER: "true"} | ({"Location": row.location} if row.location else {})
    return Response(row.body, status=row.status, headers=headers)


def _key(request: Request) -> str:
    key = request.headers[HEADER].strip()
    if not 0 < len(key) <= KEY_CHARS or not key.isascii() or not key.isprintable():
        sentence = _("An Idempotency-Key has 1 to %(chars)d printable ASCII characters.") % {"chars": KEY_CHARS}
        raise Invalid(sentence, code="idempotency_key_invalid")
    return key


def _scope(request: Request) -> str:
    """Who asks for what. Ids, because names can be given to another later."""
    who = f"token:{request.auth.pk}" if request.auth is not None else f"user:{request.user.pk}"
    return f"{who} {request.path}"[: IdempotencyKey._meta.get_field("scope").max_length]


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=_file_digest).encode()).hexdigest()


def _file_digest(value: Any) -> list[str]:
    """What tells one uploaded file from another. Raises TypeError for what is no file."""
    if not isinstance(value, UploadedFile):
        raise TypeError(f"{type(value).__name__} in the body of a request")
    digest = hashlib.sha256()
    for piece in value.chunks():
        digest.update(piece)
    return [str(value.name), digest.hexdigest()]


def _in_progress() -> Conflict:
    sentence = _("A request with this Idempotency-Key is still being worked on.")
    return Conflict(sentence, code="idempotency_in_progress")
