"""Whether the site does its work: its state as one value, and what is wrong with it, in words."""

from aggregates.health.gathering import gather
from aggregates.health.judgement import CHECKS, Problem, is_ready, judge, problems, rolled_within
from aggregates.health.state import Backlog, Due, Health, LastRun, Work

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
