"""MongoDB, alone: versions of resources, their history, commits that are whole or not at all.

Its package README says how it is built; the documents' shapes are in `collections`.
"""

from fhir_server.store.background import end_tasks
from fhir_server.store.batches import Batches
from fhir_server.store.changes import Change, Claim, Create, Delete, Key, StoredVersion, Update, WriteConflict
from fhir_server.store.closures import ClosureTable, Link
from fhir_server.store.codec import json_of, json_to_keep
from fhir_server.store.collections import BODY
from fhir_server.store.embedded import EmbeddedMongod
from fhir_server.store.gathering import Branch, Gathered
from fhir_server.store.history import HistoryPage
from fhir_server.store.index_state import IndexState, IndexStates
from fhir_server.store.job_runner import JobHandler, JobRun, JobRunner
from fhir_server.store.jobs import Job, Jobs, LeaseLost, new_job_id
from fhir_server.store.postings import PAGE, Postings, PostingsState
from fhir_server.store.postings_build import MARGIN_S, PostingsBuild
from fhir_server.store.postings_chunks import rules_stamp
from fhir_server.store.postings_counting import Counting
from fhir_server.store.postings_order import FIRST, Heads, Rank, place_before, rank_of
from fhir_server.store.postings_terms import Found, Range, Terms
from fhir_server.store.postings_waiting import PostingsWaiting
from fhir_server.store.resource_store import ResourceStore, open_store
from fhir_server.store.snapshot import SnapshotLost

__all__ = [
    "BODY",
    "FIRST",
    "MARGIN_S",
    "PAGE",
    "Batches",
    "Branch",
    "Change",
    "Claim",
    "ClosureTable",
    "Counting",
    "Create",
    "Delete",
    "EmbeddedMongod",
    "Found",
    "Gathered",
    "Heads",
    "HistoryPage",
    "IndexState",
    "IndexStates",
    "Job",
    "JobHandler",
    "JobRun",
    "JobRunner",
    "Jobs",
    "Key",
    "LeaseLost",
    "Link",
    "Postings",
    "PostingsBuild",
    "PostingsState",
    "PostingsWaiting",
    "Range",
    "Rank",
    "ResourceStore",
    "SnapshotLost",
    "StoredVersion",
    "Terms",
    "Update",
    "WriteConflict",
    "end_tasks",
    "json_of",
    "json_to_keep",
    "new_job_id",
    "open_store",
    "place_before",
    "rank_of",
    "rules_stamp",
]
