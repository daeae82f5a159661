"""Lending a server: the technical form, the server's page with its reports, what its owner and the federation do."""

import re

from django.urls import path, re_path

from federation.fleet.views import (
    approval,
    certificates,
    guests,
    jobs,
    machine,
    networks,
    reports,
    technical,
    upkeep,
)

UUID = r"(?P<server_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
GRANT = UUID.replace("server_id", "grant_id")

urlpatterns = [
    path("new/", technical.new_server, name="new_server"),
    path("forms/<uuid:form_id>/", technical.technical_form, name="technical_form"),
    path("forms/<uuid:form_id>/discard/", technical.discard, name="discard_draft"),
    path("approvals/", approval.approvals, name="approvals"),
    path("networks/", networks.networks, name="networks"),
    path("networks/new/", networks.new_network, name="new_network"),
    path("networks/<uuid:grant_id>/", networks.site_network, name="site_network"),
    re_path(
        rf"^networks/{GRANT}/(?P<step>allow|decline|withdraw)/$",
        networks.decide_network,
        name="decide_network",
    ),
    path("runs/<uuid:run_id>/", reports.run_page, name="run"),
    path("runs/<uuid:run_id>/lines/", reports.run_lines, name="run_lines"),
    path("calendar/<uuid:maintenance_id>/cancel/", upkeep.cancel, name="cancel_maintenance"),
    re_path(
        rf"^jobs/(?P<name>{'|'.join(map(re.escape, jobs.FILES))})$", jobs.job_file, name="job_file"
    ),
    path("jobs/<uuid:token_id>/revoke/", jobs.revoke_token, name="revoke_server_token"),
    path("<uuid:server_id>/", reports.server_report, name="server_report"),
    path("<uuid:server_id>/pulse/", reports.pulse, name="server_pulse"),
    path("<uuid:server_id>/guests/", guests.guest_rules, name="guest_rules"),
    path("<uuid:server_id>/machine/", machine.machine, name="server_machine"),
    path("<uuid:server_id>/check/", reports.run_again, name="run_again"),
    path("<uuid:server_id>/key/", upkeep.rotate_key, name="rotate_key"),
    path("<uuid:server_id>/certificates/", certificates.certificates, name="server_certificates"),
    path("<uuid:server_id>/jobs/", jobs.jobs, name="server_jobs"),
    path("<uuid:server_id>/jobs/token/", jobs.new_token, name="new_server_token"),
    path("<uuid:server_id>/calendar/", upkeep.calendar, name="server_calendar"),
    path("<uuid:server_id>/accept/", approval.accept, name="accept_server"),
    path("<uuid:server_id>/decline/", approval.decline, name="decline_server"),
    path("<uuid:server_id>/grant/", approval.grant, name="grant_egress"),
    re_path(rf"^{UUID}/(?P<step>drain|resume|retire)/$", upkeep.move, name="move_server"),
]
