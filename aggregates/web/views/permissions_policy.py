"""What a page may ask of the browser's devices: nothing but passkeys, whatever may get into it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

HEADER = "Permissions-Policy"
REFUSED = (
    *("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media"),
    *("geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection", "magnetometer", "microphone"),
    *("midi", "payment", "picture-in-picture", "screen-wake-lock", "serial", "usb"),
    "xr-spatial-tracking",
)
OWN = ("clipboard-write", "fullscreen", "publickey-credentials-create", "publickey-credentials-get")  # passkeys
POLICY = ", ".join([*(f"{feature}=()" for feature in REFUSED), *(f"{feature}=(self)" for feature in OWN)])


class PermissionsPolicy:
    """Middleware that adds the header to each answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault(HEADER, POLICY)
        return response
