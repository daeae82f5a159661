"""What an institution says of its servers: the rules for guests."""

from django.urls import path

from federation.fleet import views

urlpatterns = [path("<uuid:server_id>/guests/", views.guest_rules, name="guest_rules")]
