"""Long operations as jobs: requested, run, watched, cancelled, resumed; the same for every way in."""

from medssl.jobs.effort import Effort, pretraining_settings_for, settings_for
from medssl.jobs.files import read_events
from medssl.jobs.requests import (
    REQUEST,
    BenchmarkRequest,
    EvaluateRequest,
    ImportRequest,
    PredictRequest,
    PretrainRequest,
    ProposeRequest,
    Request,
    TrainRequest,
)
from medssl.jobs.results import (
    BenchmarkResult,
    BenchmarkRow,
    EvaluateResult,
    ImportResult,
    JobResult,
    PredictResult,
    PretrainResult,
    Proposal,
    ProposeResult,
    Result,
    SegmentScore,
    TrainResult,
)
from medssl.jobs.run import read_result, resume_job, run_job
from medssl.jobs.states import SeenState, cancel_job, job_state

__all__ = [
    "REQUEST",
    "BenchmarkRequest",
    "BenchmarkResult",
    "BenchmarkRow",
    "Effort",
    "EvaluateRequest",
    "EvaluateResult",
    "ImportRequest",
    "ImportResult",
    "JobResult",
    "PredictRequest",
    "PredictResult",
    "PretrainRequest",
    "PretrainResult",
    "Proposal",
    "ProposeRequest",
    "ProposeResult",
    "Request",
    "Result",
    "SeenState",
    "SegmentScore",
    "TrainRequest",
    "TrainResult",
    "cancel_job",
    "job_state",
    "pretraining_settings_for",
    "read_events",
    "read_result",
    "resume_job",
    "run_job",
    "settings_for",
]
