"""Is the new artifact slower than the old one? Answered by one job, in whose noise both of them stood.

`timings` runs both, and a copy of the old one as a control, in the same fresh processes; `sequential` decides when the
evidence is enough and what may be said then.
"""

from .sequential import Judged, Plan, Verdict, judge
from .timed import ComparedPoint, Timings, timings

__all__ = ["ComparedPoint", "Judged", "Plan", "Timings", "Verdict", "judge", "timings"]
