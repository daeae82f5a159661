"""How a public name is given when somebody else may be giving it at the same moment."""

from django.db import IntegrityError, models, transaction

from federation.catalogue.policies import name_is_taken


def save_under_its_name(row: models.Model, name: str) -> None:
    """Save a new model or alias. Raises `ValidationError` when somebody has been faster with the name."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise name_is_taken(name) from None
