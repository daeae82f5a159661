"""What only the demonstration has."""

from django.urls import path

from config.demo.views import mail

urlpatterns = [path("mail/", mail, name="demo_mail")]
