"""The view `metrics`: usage under the names of aristote-dispatcher's table, for panels that read that.

Times are UTC without a zone, as its containers wrote them. It holds what was sent to a server, as that table
did, and no demonstration data. A later migration that changes the type of a column named here drops the view
first and makes it again; `docs/aristote-dispatcher.md` tells what each column holds.
"""

from django.db import migrations

FORWARD = """
CREATE VIEW metrics AS
SELECT
    record.id,
    key.name AS user_name,
    asking.short_name AS user_organization,
    record.received_at AT TIME ZONE 'UTC' AS request_date,
    coalesce(past.sent_at, tried.started_at) AT TIME ZONE 'UTC' AS sent_to_llm_date,
    record.finished_at AT TIME ZONE 'UTC' AS response_date,
    coalesce(model.slug, record.model_asked) AS model,
    coalesce(nullif(past.server, ''), server.base_url) AS server,
    coalesce(nullif(past.server_organization, ''), serving.short_name) AS server_organization,
    CASE WHEN record.usage_source <> 'none' THEN record.prompt_tokens END AS prompt_tokens,
    CASE WHEN record.usage_source <> 'none' THEN record.completion_tokens END AS completion_tokens,
    coalesce(nullif(past.strategy, ''), tried.explanation ->> 'strategy') AS strategy,
    CASE WHEN past.request_id IS NULL THEN record.attempts - 1 ELSE past.requeue_count END
        AS requeue_count,
    CASE WHEN past.request_id IS NULL THEN server.max_parallel ELSE past.max_parallel_requests END
        AS max_parallel_requests,
    coalesce(past.current_parallel_requests, (tried.explanation ->> 'in_flight')::integer)
        AS current_parallel_requests,
    record.priority::integer AS priority,
    past.performance_score,
    coalesce(nullif(past.routing_mode, ''), tried.explanation ->> 'mode') AS routing_mode
FROM billing_usagerecord record
LEFT JOIN billing_importedrequest past ON past.request_id = record.id
LEFT JOIN billing_attempt tried ON tried.request_id = record.id AND tried.n = record.attempts
LEFT JOIN access_apikey key ON key.id = record.key_id
LEFT JOIN members_institution asking ON asking.id = record.asking_institution_id
LEFT JOIN members_institution serving ON serving.id = record.serving_institution_id
LEFT JOIN catalogue_aimodel model ON model.id = record.model_id
LEFT JOIN fleet_inferenceserver server ON server.id = record.server_id
WHERE NOT record.is_demo AND (record.server_id IS NOT NULL OR past.request_id IS NOT NULL);
"""
BACKWARD = "DROP VIEW metrics;"


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_imported_requests"),
        ("access", "0001_initial"),
        ("catalogue", "0001_initial"),
        ("fleet", "0001_initial"),
        ("members", "0001_initial"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
