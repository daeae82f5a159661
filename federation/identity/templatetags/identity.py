"""Whether the sign-in page offers institutions' own."""

from django import template

from federation.identity.models import SignInService

register = template.Library()


@register.simple_tag
def institutions_sign_in() -> bool:
    return SignInService.objects.shown().exists()
