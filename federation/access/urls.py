"""Keys: list, make and show once, use, limit, replace, revoke; applications' people; an institution's keys; leaks."""

from django.urls import path

from federation.access.views import applications, institution, keys, leaks, trials

urlpatterns = [
    path("", keys.keys, name="keys"),
    path("new/", keys.new_key, name="new_key"),
    path("institutions/", institution.institutions, name="overseen_keys"),
    path("institutions/<slug:slug>/", institution.institution_keys, name="institution_keys"),
    path("applications/<uuid:application_id>/", applications.people, name="application"),
    path("teams/<uuid:team_id>/", applications.of_team, name="team_applications"),
    path("report-leak/", leaks.leak_page, name="report_leak"),
    path("leaks/", leaks.leak_endpoint, name="leak_endpoint"),
    path("trials/<uuid:model_id>/", trials.trials, name="trials"),
    path("trials/<uuid:model_id>/<uuid:trial_id>/end/", trials.end, name="end_trial"),
    path("<uuid:key_id>/", keys.key_page, name="key"),
    path("<uuid:key_id>/files/<slug:client>/", keys.client_file, name="client_file"),
    path("<uuid:key_id>/limits/", keys.limits, name="key_limits"),
    path("<uuid:key_id>/change/", keys.change, name="change_key"),
    path("<uuid:key_id>/replace/", keys.replace, name="replace_key"),
    path("<uuid:key_id>/revoke/", keys.revoke, name="revoke_key"),
]
