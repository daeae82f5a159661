"""Pages to read: home, servers, models, usage, environmental impact."""

from django.urls import path

from dashboards.views.about import accessibility, favicon
from dashboards.views.affected import affected
from dashboards.views.doctor import doctor
from dashboards.views.energy import calibrations_csv, energy, energy_csv, reading
from dashboards.views.health import portal
from dashboards.views.home import home
from dashboards.views.impact import (
    accelerators_csv,
    calculation_csv,
    factors_csv,
    impact,
    measurements_csv,
)
from dashboards.views.journal import chain, journal, journal_csv
from dashboards.views.limits import quotas
from dashboards.views.models import compare, model, models
from dashboards.views.personal import export, forgotten_csv, my_data, register
from dashboards.views.requests import find, request_page
from dashboards.views.servers import servers
from dashboards.views.stops import stops
from dashboards.views.style import style
from dashboards.views.usage import (
    days_csv,
    first_call,
    impact_csv,
    keys_csv,
    usage,
    usage_csv,
    usage_jsonl,
    usage_xlsx,
)

urlpatterns = [
    path("", home, name="home"),
    path("style/", style, name="style"),
    path("health/portal", portal, name="health_portal"),
    path("favicon.ico", favicon, name="favicon"),
    path("accessibility/", accessibility, name="accessibility"),
    path("servers/", servers, name="servers"),
    path("servers/<uuid:server_id>/affected/", affected, name="affected"),
    path("servers/<uuid:server_id>/energy/", energy, name="server_energy"),
    path("servers/<uuid:server_id>/energy/csv/", energy_csv, name="server_energy_csv"),
    path(
        "servers/<uuid:server_id>/energy/calibrations/csv/",
        calibrations_csv,
        name="server_calibrations_csv",
    ),
    path("servers/<uuid:server_id>/energy/now/", reading, name="server_reading"),
    path("stops/", stops, name="stops"),
    path("doctor/", doctor, name="doctor"),
    path("catalogue/", models, name="models"),
    path("catalogue/<path:name>/", model, name="model"),
    path("compare/<path:name>/", compare, name="compare"),
    path("impact/", impact, name="impact"),
    path("impact/csv/", calculation_csv, name="impact_calculation_csv"),
    path("impact/factors/csv/", factors_csv, name="impact_factors_csv"),
    path("impact/accelerators/csv/", accelerators_csv, name="impact_accelerators_csv"),
    path("impact/measurements/csv/", measurements_csv, name="impact_measurements_csv"),
    path("journal/", journal, name="journal"),
    path("journal/csv/", journal_csv, name="journal_csv"),
    path("journal/chain/", chain, name="journal_chain"),
    path("account/data/", my_data, name="my_data"),
    path("account/data/export/", export, name="export_my_data"),
    path("personal-data/", register, name="personal_data"),
    path("personal-data/forgotten/csv/", forgotten_csv, name="forgotten_csv"),
    path("usage/", usage, name="usage"),
    path("usage/requests/", find, name="find_request"),
    path("usage/requests/<uuid:request_id>/", request_page, name="request"),
    path("usage/csv/", usage_csv, name="usage_csv"),
    path("usage/days/csv/", days_csv, name="usage_days_csv"),
    path("usage/keys/csv/", keys_csv, name="usage_keys_csv"),
    path("usage/impact/csv/", impact_csv, name="usage_impact_csv"),
    path("usage/jsonl/", usage_jsonl, name="usage_jsonl"),
    path("usage/xlsx/", usage_xlsx, name="usage_xlsx"),
    path("usage/limits/<uuid:key_id>/", quotas, name="key_quotas"),
    path("usage/first-call/<uuid:key_id>/", first_call, name="first_call"),
]
