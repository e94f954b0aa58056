"""Which keys a collection holds: by the server's range scan, or by a view where there is none.

Both read what a node has on its disk or in its index, so a scan may miss what was written within the last moments
unless the write was made with a durability that persists.
"""

import warnings
from collections.abc import Iterable
from datetime import timedelta

from couchbase import exceptions as sdk
from couchbase.kv_range_scan import PrefixScan, RangeScan
from couchbase.management.views import DesignDocument, DesignDocumentNamespace, View
from couchbase.options import ScanOptions, ViewOptions
from couchbase.views import ViewScanConsistency

from storage.couchbase.client import Client

SCAN_TIMEOUT = timedelta(seconds=300)
DESIGN, VIEW = "nearline", "keys"
_MAP = "function (doc, meta) { emit(meta.id, null); }"


def scan_keys(client: Client, prefix: bytes) -> list[bytes]:
    """Every key that starts with `prefix`, in the order of its bytes. Raises StoreUnavailable and ConfigError."""
    find = _by_view if client.link.settings.scan == "views" else _by_range
    try:
        found = [key.encode() for key in find(client, prefix.decode())]
    except sdk.CouchbaseException as error:
        raise client.link.outage(error) from error
    return sorted(key for key in found if key.startswith(prefix))


def _by_range(client: Client, prefix: str) -> Iterable[str]:
    scan = PrefixScan(prefix) if prefix else RangeScan()
    options = ScanOptions(ids_only=True, timeout=SCAN_TIMEOUT)
    return [row.id for row in client.link.collection().scan(scan, options)]


def _by_view(client: Client, prefix: str) -> Iterable[str]:
    """All keys: views compare text by other rules than ours. The design document is made when it is missing."""
    client.read([prefix or DESIGN])  # a view of a server that is gone never answers, a key does
    try:
        return _view_rows(client)
    except (sdk.DesignDocumentNotFoundException, sdk.InternalServerFailureException):
        _make_view(client)
        return _view_rows(client)


def _view_rows(client: Client) -> list[str]:
    options = ViewOptions(scan_consistency=ViewScanConsistency.REQUEST_PLUS, timeout=SCAN_TIMEOUT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return [row.key for row in client.link.bucket().view_query(DESIGN, VIEW, options)]


def _make_view(client: Client) -> None:
    design = DesignDocument(name=DESIGN, views={VIEW: View(map=_MAP)})
    client.link.bucket().view_indexes().upsert_design_document(design, DesignDocumentNamespace.PRODUCTION)
