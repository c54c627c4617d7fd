"""Whether the site does its work: its state as one value, and what is wrong with it, in words."""

from aggregates.ops.health.gathering import gather
from aggregates.ops.health.judgement import CHECKS, Problem, is_ready, judge, problems, rolled_within
from aggregates.ops.health.state import Backlog, Due, Health, LastRun, Work

__all__ = [
    "CHECKS",
    "Backlog",
    "Due",
    "Health",
    "LastRun",
    "Problem",
    "Work",
    "gather",
    "is_ready",
    "judge",
    "problems",
    "rolled_within",
]
