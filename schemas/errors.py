"""The exception tree: what went wrong, and what the caller may do about it.

NearlineError
├── SchemaError            a byte string or document that cannot become a record
│   ├── DecodeError        damaged bytes, unknown fingerprint or schema id
│   ├── IncompatibleSchema a changed contract that older readers or data cannot follow
│   ├── EventError         a posting event that breaks the documented format
│   └── TraceError         a line of a trace of requests that breaks the documented format
├── RegistryUnavailable    an outage of the schema registry
├── BrokersUnavailable     no Kafka broker can be reached now, or none has acknowledged what was sent
├── InstanceTaken          another process runs under the name of this one
├── StoreError             a store refused or failed
│   ├── StoreUnavailable   an outage: retry later, nothing is lost
│   ├── StoreDamaged       its file is cut off or damaged: restore it, or begin a new one
│   ├── StoreFull          the disk is full: make room; the map is full: restart with a larger `map_size`
│   └── ValueTooLarge      this key or value can never be stored as it is
├── ModelError             a model server refused or failed
│   ├── ModelUnavailable   an outage or a missed deadline: retry after `retry_after_s`
│   │   └── ModelDeferred  no outage: other work goes first, come again after `retry_after_s`
│   └── ModelRejected      this input fails while its neighbours succeed (poison)
├── TrainingDiverged       losses, weights or scores that are not finite: what was saved before is intact
└── ConfigError            a setting, named in the message, that cannot work
"""


class NearlineError(Exception):
    """Root of every error that this project raises on purpose."""


class SchemaError(NearlineError):
    """Bytes or a document that cannot become a record."""


class DecodeError(SchemaError):
    """Damaged bytes, or a schema that this reader does not know."""


class IncompatibleSchema(SchemaError):
    """A changed contract that older readers or stored data cannot follow."""


class EventError(SchemaError):
    """A posting event that breaks the documented format; the message names the field."""


class TraceError(SchemaError):
    """A line of a trace of requests that breaks the documented format, or comes too early; the message names it."""


class RegistryUnavailable(NearlineError):
    """The schema registry cannot be reached now, which says nothing about the bytes that named a schema id."""


class BrokersUnavailable(NearlineError):
    """No Kafka broker answers now: none accepts a connection, or none has acknowledged what was sent."""


class InstanceTaken(NearlineError):
    """Another process runs under the name of this instance, which has to end; the message says which name."""


class StoreError(NearlineError):
    """A store refused or failed."""


class StoreUnavailable(StoreError):
    """The store cannot be reached now; nothing was written that was not acknowledged."""


class StoreDamaged(StoreError):
    """The store's file is cut off or damaged; the message names it. Waiting does not help."""


class StoreFull(StoreError):
    """No room on the disk: writes succeed again once there is; or in LMDB's map: restart with a larger `?map_size=`."""


class ValueTooLarge(StoreError):
    """A key or value over the back end's limit: it can never be stored as it is."""


class ModelError(NearlineError):
    """A model server refused or failed."""


class ModelUnavailable(ModelError):
    """The model server is down, overloaded or past the deadline; `retry_after_s` says when to come back."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelDeferred(ModelUnavailable):
    """Other work goes first now; nothing is broken. `retry_after_s` says when to come again."""


class ModelRejected(ModelError):
    """This input is refused or fails repeatedly while others succeed: a dead letter, not an outage."""


class TrainingDiverged(NearlineError):
    """Losses, weights or scores of a model in training that are not finite; nothing is written after that."""


class ConfigError(NearlineError):
    """A setting that cannot work; the message names it and says what to do."""


def exit_status(error: Exception) -> int:
    """The status with which a program ends by this error: 2 for a setting that cannot work, else 1."""
    return 2 if isinstance(error, ConfigError | FileNotFoundError) else 1
