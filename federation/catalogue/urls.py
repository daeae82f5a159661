"""How requests for each model are shared out."""

from django.urls import path

from federation.catalogue import views

urlpatterns = [path("<path:name>/", views.routing, name="routing")]
