"""Reads about members that several callers share."""

from django.core.exceptions import ValidationError

from federation.members.models import Institution


def institution_with_slug(slug: str) -> Institution:
    """Return the institution that an operator named. Raises `ValidationError` with the known ones."""
    institution = Institution.objects.filter(slug=slug).first()
    if institution is None:
        known = ", ".join(Institution.objects.values_list("slug", flat=True)) or "none yet"
        raise ValidationError(
            f"There is no institution “{slug}” (known: {known}). "
            f"Add it with: manage.py add_institution {slug} --name NAME",
            code="unknown_institution",
        )
    return institution
