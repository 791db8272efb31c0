"""The entry points: one Lambda handler per route, and the operator's command line.

Every import makes a cold start slower, so the package first makes imports cheaper (ADR 0027).
"""

import gc

from entrypoints.libraries import import_libraries
from entrypoints.precompiled import use_precompiled

# By default the garbage collector runs after 700 new objects: hundreds of times during the imports, with
# nothing to collect.
gc.set_threshold(50_000)
use_precompiled()
import_libraries()
