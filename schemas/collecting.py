"""How often Python's garbage collector runs in a process that makes many objects in each batch."""

import gc

#: Objects made and not yet freed until the collector runs. A batch of 4,000 updates makes some 120,000; half a million
#: in reference cycles would hold some 50 MB.
YOUNG_OBJECTS = 500_000


def collect_seldom() -> None:
    """Keep the objects made so far out of all later collections, and let the collector run less often.

    Call it when everything that lives as long as the process is loaded. The collector only finds reference cycles; by
    default it runs at each 700 new objects, many times a batch, and looks through a batch whose objects will all be
    freed without it. In the feature job that took 23% of the Python workers' processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
