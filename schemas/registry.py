"""Schema registries for Confluent framing: the client of a running one, and one in memory for tests and notebooks."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import stamina

from schemas import avro
from schemas.compatible import differences
from schemas.errors import DecodeError, IncompatibleSchema, RegistryUnavailable

#: Confluent's error codes for an unknown subject, version or schema. A 404 without one of them comes from another
#: server at that URL, and says nothing about an id.
UNKNOWN = frozenset((40401, 40402, 40403))
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
ATTEMPTS = 3
TIMEOUT_S = 5.0


class SchemaRegistry:
    """A client of Confluent's REST interface (also Redpanda's, Apicurio's and Karapace's); ids never change: cached.

    `auth`: `user:password`; it may stand in the URL as well. Each call takes at most three attempts of `timeout_s`.
    """

    def __init__(self, url: str, *, auth: str = "", timeout_s: float = TIMEOUT_S) -> None:
        user, _, password = auth.partition(":")
        self._http = httpx.Client(
            base_url=url,
            auth=(user, password) if auth else None,
            timeout=timeout_s,
            headers={"Content-Type": CONTENT_TYPE},
        )
        self._texts: dict[int, str] = {}
        self._ids: dict[tuple[str, str], int] = {}

    def schema_text(self, schema_id: int) -> str:
        """The schema with this id; raises DecodeError for an unknown id or another format than Avro."""
        if schema_id not in self._texts:
            answer = self._call("GET", f"/schemas/ids/{schema_id}")
            if _is_unknown(answer):
                raise DecodeError(f"the schema registry knows no schema id {schema_id}")
            found = self._json(answer)
            if found.get("schemaType", "AVRO") != "AVRO" or not isinstance(found.get("schema"), str):
                raise DecodeError(f"schema id {schema_id} is not an Avro schema")
            self._texts[schema_id] = found["schema"]
        return self._texts[schema_id]

    def register(self, subject: str, text: str) -> int:
        """The schema's id under a subject, registered if it is new; raises IncompatibleSchema if refused.

        It looks the schema up first: one that is already registered needs no permission to write.
        """
        if (subject, text) not in self._ids:
            path = f"/subjects/{quote(subject, safe='')}"
            answer = self._call("POST", path, json={"schema": text})
            if answer.status_code == HTTPStatus.NOT_FOUND:
                answer = self._call("POST", f"{path}/versions", json={"schema": text})
            if answer.status_code in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
                raise IncompatibleSchema(f"the schema registry refuses {subject}: {answer.text[:500]}")
            schema_id = self._json(answer).get("id")
            if not isinstance(schema_id, int):
                raise RegistryUnavailable(f"the schema registry gave {subject} no id: {answer.text[:200]}")
            self._ids[subject, text] = schema_id
        return self._ids[subject, text]

    def close(self) -> None:
        """Release the connections."""
        self._http.close()

    @stamina.retry(on=RegistryUnavailable, attempts=ATTEMPTS)
    def _call(self, method: str, path: str, **body: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **body)
        except httpx.TransportError as error:
            raise RegistryUnavailable(f"schema registry {self._http.base_url.host}: {error!r}") from error
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RegistryUnavailable(f"schema registry: {answer.status_code} {answer.text[:200]}")
        return answer

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        """The JSON object of an answer; any other answer is not a registry's: an outage, not damaged bytes."""
        try:
            found = answer.json()
        except ValueError as error:
            raise RegistryUnavailable(f"schema registry: not JSON: {answer.text[:200]}") from error
        if answer.is_error or not isinstance(found, dict):
            raise RegistryUnavailable(f"schema registry: {answer.status_code} {answer.text[:200]}")
        return found


def _is_unknown(answer: httpx.Response) -> bool:
    """Whether the registry itself says that it does not have what was asked for."""
    if answer.status_code != HTTPStatus.NOT_FOUND:
        return False
    try:
        found = answer.json()
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("error_code") in UNKNOWN


class MemoryRegistry:
    """A registry in this process: ids count from 1, a subject's newest schema must read all its older ones."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._subjects: dict[str, list[int]] = {}

    def schema_text(self, schema_id: int) -> str:
        """The schema with this id; raises DecodeError for an unknown one."""
        if not 1 <= schema_id <= len(self._texts):
            raise DecodeError(f"the schema registry knows no schema id {schema_id}")
        return self._texts[schema_id - 1]

    def subjects(self) -> list[str]:
        """Every subject that has a schema."""
        return sorted(subject for subject, held in self._subjects.items() if held)

    def lookup(self, subject: str, text: str) -> int | None:
        """The id that a schema already has under a subject."""
        known = self._id_of(text)
        return known if known in self._subjects.get(subject, []) else None

    def register(self, subject: str, text: str) -> int:
        """The schema's id under a subject, registered if new; IncompatibleSchema if it cannot read an older one."""
        if (known := self.lookup(subject, text)) is not None:
            return known
        held = self._subjects.setdefault(subject, [])
        schema = avro.load(subject, text).parsed
        for schema_id in held:
            older = avro.load(subject, self.schema_text(schema_id)).parsed
            if found := differences(schema, older, subject):
                raise IncompatibleSchema("; ".join(found))
        if self._id_of(text) is None:
            self._texts.append(text)
        held.append(self._id_of(text) or 0)
        return held[-1]

    def _id_of(self, text: str) -> int | None:
        """The id of a schema with equal JSON, whatever its white space, as in Confluent's registry."""
        wanted = json.loads(text)
        return next((n for n, held in enumerate(self._texts, 1) if json.loads(held) == wanted), None)

    def close(self) -> None:
        """Nothing to release."""
