"""What only the demonstration has."""

from django.urls import path

from config.demo.views import codes, mail

urlpatterns = [
    path("mail/", mail, name="demo_mail"),
    path("codes/", codes, name="demo_codes"),
]
