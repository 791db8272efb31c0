"""Where the world comes in: one Lambda handler per route, and the operator's command line.

A cold start pays for every import, so the package begins with what makes imports cheaper (ADR 0027).
"""

import gc

from entrypoints.libraries import import_libraries
from entrypoints.precompiled import use_precompiled

# By default the garbage collector runs after 700 new objects: hundreds of times while modules are imported,
# and finds nothing.
gc.set_threshold(50_000)
use_precompiled()
import_libraries()
