"""How Celery works here, and what its clock sends when."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from portal.core import slots

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # so that beat sends at once when it starts

CONFIGURATION: dict[str, Any] = {
    "broker_url": settings.BROKER_URL,
    "broker_connection_retry_on_startup": True,
    "broker_connection_timeout": 0.4,
    "broker_transport_options": {
        "visibility_timeout": settings.VISIBILITY_TIMEOUT,
        "socket_connect_timeout": 0.4,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1},
    },
    "visibility_timeout": settings.VISIBILITY_TIMEOUT,
    "result_backend_transport_options": {"visibility_timeout": settings.VISIBILITY_TIMEOUT},
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_publish_retry": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_pool": "threads",
    "worker_concurrency": slots.THREADS,
    "worker_soft_shutdown_timeout": 5,
    "worker_enable_soft_shutdown_on_idle": True,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_hijack_root_logger": False,
    "beat_schedule": {
        "sweep": {"task": "vaults.sweep", "schedule": 30.0, "last_run_at": LONG_AGO, "options": {"expires": 30}},
        "canary": {"task": "portal.canary", "schedule": 10.0, "last_run_at": LONG_AGO, "options": {"expires": 10}},
        "refusal-counts": {"task": "portal.refusal-counts", "schedule": 60.0, "options": {"expires": 60}},
        "space": {"task": "vaults.space", "schedule": 60.0, "last_run_at": LONG_AGO, "options": {"expires": 60}},
        "probe": {"task": "vaults.probe", "schedule": 60.0, "last_run_at": LONG_AGO, "options": {"expires": 60}},
        "scrub": {"task": "vaults.scrub", "schedule": 30.0, "options": {"expires": 30}},
        "locks": {"task": "vaults.locks", "schedule": 60.0, "last_run_at": LONG_AGO, "options": {"expires": 60}},
        "purge": {"task": "vaults.purge", "schedule": 600.0, "options": {"expires": 600}},
        "usage": {"task": "agents.usage", "schedule": 60.0, "options": {"expires": 60}},
        "late": {"task": "agents.late", "schedule": 300.0, "options": {"expires": 300}},
        "edge-files": {"task": "portal.edge-files", "schedule": 3600.0, "options": {"expires": 3600}},
        "spent": {"task": "agents.forget_spent", "schedule": 600.0, "options": {"expires": 600}},
        "replacements": {"task": "agents.expire_replacements", "schedule": 600.0, "options": {"expires": 600}},
        "retention": {
            "task": "portal.core.retention",
            "schedule": 86400.0,
            "last_run_at": LONG_AGO,  # a beat that is restarted each day never comes to a day's end
            "options": {"expires": 3600},
        },
    },
    "timezone": "UTC",
}
