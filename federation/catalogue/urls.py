"""How requests for each model are shared out."""

from django.urls import path

from federation.catalogue.views.routing import routing

urlpatterns = [path("<path:name>/", routing, name="routing")]
