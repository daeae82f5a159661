"""Whom an operator's command means: an institution, one of its applications, or a key, by their names."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from federation.access.models import Application, LimitOwner
from federation.members.queries import institution_with_slug


def owner_named(options: Mapping[str, Any]) -> LimitOwner:
    """Return the institution, or its application or key where `options` name one.

    Raises `ValidationError` when there is none, or more than one.
    """
    institution = institution_with_slug(options["institution"])
    if not options["application"]:
        if options["key"]:
            raise ValidationError("Name the key's application, too: --application NAME")
        return institution
    application = Application.objects.filter(
        institution=institution, name=options["application"]
    ).first()
    if application is None:
        raise ValidationError(f"{institution} has no application “{options['application']}”")
    if not options["key"]:
        return application
    keys = list(application.keys.usable().filter(name=options["key"])[:2])
    if len(keys) != 1:
        found = "several usable keys" if keys else "no usable key"
        raise ValidationError(f"{application} has {found} “{options['key']}”")
    return keys[0]
