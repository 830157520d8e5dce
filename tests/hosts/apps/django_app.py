"""Django: sync and async views, as a WSGI and as an ASGI application."""

import asking
import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

from direct_anyio import model_request, model_request_stream


def whole(request):
    return HttpResponse(asking.whole())


async def whole_async(request):
    return HttpResponse((await model_request(asking.MODEL, asking.messages())).text)


def stream(request, prompt):
    return StreamingHttpResponse(asking.pieces(prompt), content_type="text/plain")


async def stream_async(request, prompt):
    async def pieces():
        async with model_request_stream(asking.MODEL, asking.messages(prompt)) as stream:
            async for text in stream.text_deltas():
                yield text

    return StreamingHttpResponse(pieces(), content_type="text/plain")


urlpatterns = [
    path("whole", whole),
    path("async", whole_async),
    path("stream/<prompt>", stream),
    path("stream-async/<prompt>", stream_async),
]

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="none")
django.setup()
wsgi, asgi = get_wsgi_application(), get_asgi_application()
