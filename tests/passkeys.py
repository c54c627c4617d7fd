"""A passkey that keeps accounts in it and asks for a finger print, and a browser that speaks for it."""

from hashlib import sha256
from os import urandom
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

HOST = "testserver"
FLAG = AuthenticatorData.FLAG


class Passkey:
    def __init__(self) -> None:
        self.number, self.owner = urandom(16), ""
        self.key = ec.generate_private_key(ec.SECP256R1())

    def register(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer to the options of a page that adds passkeys."""
        self.owner = options["publicKey"]["user"]["id"]
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = AttestedCredentialData.create(bytes(16), self.number, public)
        data = self._data(FLAG.UP | FLAG.UV | FLAG.AT, credential)
        answer = {"clientDataJSON": self._client("webauthn.create", options).b64}
        answer["attestationObject"] = websafe_encode(AttestationObject.create("none", data, {}))
        return self._answer(answer) | {"clientExtensionResults": {"credProps": {"rk": True}}}

    def prove(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer to the options of a log-in."""
        client, data = self._client("webauthn.get", options), self._data(FLAG.UP | FLAG.UV)
        signature = self.key.sign(data + client.hash, ec.ECDSA(SHA256()))
        answer = {"clientDataJSON": client.b64, "authenticatorData": websafe_encode(data)}
        return self._answer({**answer, "signature": websafe_encode(signature), "userHandle": self.owner})

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        number = websafe_encode(self.number)
        return {"type": "public-key", "id": number, "rawId": number, "response": response}

    @staticmethod
    def _data(flags: AuthenticatorData.FLAG, credential: bytes = b"") -> AuthenticatorData:
        return AuthenticatorData.create(sha256(HOST.encode()).digest(), flags, 0, credential)

    @staticmethod
    def _client(kind: str, options: dict[str, Any]) -> CollectedClientData:
        return CollectedClientData.create(kind, options["publicKey"]["challenge"], f"https://{HOST}")
