"""The broker of the integration tests, for faults that need no whole stack."""

from tests.integration.conftest import broker_address, kafka, stack_settings, stage

__all__ = ["broker_address", "kafka", "stack_settings", "stage"]
