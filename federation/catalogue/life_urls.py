"""The life of models: proposals, steps, aliases, and the calendar of what ends."""

from django.urls import path

from federation.catalogue.views import aliases, calendar, life, proposals

urlpatterns = [
    path("", calendar.calendar, name="model_calendar"),
    path("proposals/", proposals.proposals, name="proposals"),
    path("proposals/new/", proposals.propose, name="propose_model"),
    path("proposals/<uuid:pk>/", proposals.proposal, name="proposal"),
    path("proposals/<uuid:pk>/withdraw/", proposals.withdraw, name="withdraw_proposal"),
    path("models/<uuid:pk>/", life.life, name="model_life"),
    path("models/<uuid:pk>/vote/", life.put_to_the_vote, name="put_model_to_the_vote"),
    path("models/<uuid:pk>/adopt/", life.adopt, name="adopt_model"),
    path("models/<uuid:pk>/production/", life.produce, name="put_into_production"),
    path("models/<uuid:pk>/deprecation/", life.deprecate, name="deprecate_model"),
    path("models/<uuid:pk>/keep/", life.restore, name="restore_model"),
    path("models/<uuid:pk>/retirement/", life.retire, name="retire_model"),
    path("models/<uuid:pk>/aliases/", aliases.aliases, name="aliases"),
    path("aliases/<uuid:pk>/", aliases.end, name="end_alias"),
    path("aliases/<uuid:pk>/remove/", aliases.remove, name="remove_alias"),
]
