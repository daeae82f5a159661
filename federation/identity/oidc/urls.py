from django.urls import path

from federation.identity.oidc import views

urlpatterns = [
    path("oidc/<provider_id>/login/", views.login, name="openid_connect_login"),
    path("oidc/<provider_id>/login/callback/", views.callback, name="openid_connect_callback"),
]
