"""Schema registries for Confluent framing: the client of a running one, and one in memory for tests and notebooks."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import stamina

from schemas import avro
from schemas.compatible import differences
from schemas.errors import DecodeError, IncompatibleSchema, RegistryUnavailable

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
ATTEMPTS = 3
TIMEOUT_S = 5.0


class SchemaRegistry:
    """A client of Confluent's REST interface (also Redpanda's, Apicurio's and Karapace's); ids never change: cached.

    Credentials may stand in the URL (`https://user:secret@host`). Each call takes at most three attempts of `timeout_s`.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout_s, headers={"Content-Type": CONTENT_TYPE})
        self._texts: dict[int, str] = {}
        self._ids: dict[tuple[str, str], int] = {}

    def schema_text(self, schema_id: int) -> str:
        """The schema with this id; raises DecodeError for an unknown id or another format than Avro."""
        if schema_id not in self._texts:
            answer = self._call("GET", f"/schemas/ids/{schema_id}")
            if answer.status_code == HTTPStatus.NOT_FOUND:
                raise DecodeError(f"the schema registry knows no schema id {schema_id}")
            found = self._json(answer)
            if found.get("schemaType", "AVRO") != "AVRO" or not isinstance(found.get("schema"), str):
                raise DecodeError(f"schema id {schema_id} is not an Avro schema")
            self._texts[schema_id] = found["schema"]
        return self._texts[schema_id]

    def register(self, subject: str, text: str) -> int:
        """The schema's id under a subject, new or old; raises IncompatibleSchema where the registry refuses it."""
        if (subject, text) not in self._ids:
            path = f"/subjects/{quote(subject, safe='')}/versions"
            answer = self._call("POST", path, json={"schema": text})
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
        """An answer's object; anything else is no registry's answer, hence an outage rather than damaged bytes."""
        try:
            found = answer.json()
        except ValueError as error:
            raise RegistryUnavailable(f"schema registry: not JSON: {answer.text[:200]}") from error
        if answer.is_error or not isinstance(found, dict):
            raise RegistryUnavailable(f"schema registry: {answer.status_code} {answer.text[:200]}")
        return found


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

    def register(self, subject: str, text: str) -> int:
        """The schema's id under a subject, new or old; raises IncompatibleSchema if it cannot read an older one."""
        held = self._subjects.setdefault(subject, [])
        if text in self._texts and self._texts.index(text) + 1 in held:
            return self._texts.index(text) + 1
        schema = avro.load(subject, text).parsed
        for schema_id in held:
            older = avro.load(subject, self.schema_text(schema_id)).parsed
            if found := differences(schema, older, subject):
                raise IncompatibleSchema("; ".join(found))
        if text not in self._texts:
            self._texts.append(text)
        held.append(self._texts.index(text) + 1)
        return held[-1]
