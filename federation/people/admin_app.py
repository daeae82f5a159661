"""The app that stands in INSTALLED_APPS in the place of `django.contrib.admin`."""

from django.contrib.admin.apps import AdminConfig


class RegisterAdminConfig(AdminConfig):
    default_site = "federation.people.admin_site.RegisterAdminSite"
