"""What the forms about keys share: days that end with themselves, and texts of one line."""

from datetime import date, datetime, time

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.days import long_day


def one_line(text: str) -> str:
    """Return `text` if it is printable. Raises `ValidationError` on line breaks and other control characters."""
    if not text.isprintable():
        raise ValidationError(_("Letters, digits, spaces and signs only."))
    return text


def between(earliest: date, latest: date) -> list[MinValueValidator | MaxValueValidator]:
    """Return what refuses a day before or after these."""
    today = _("Today, %(day)s, at the earliest.") % _shown(earliest)
    return [
        MinValueValidator(earliest, today),
        MaxValueValidator(latest, _("%(day)s at the latest.") % _shown(latest)),
    ]


def _shown(day: date) -> dict[str, str]:
    return {"day": long_day(day)}


def end_of(day: date) -> datetime:
    """Return the last moment of `day`, here."""
    return timezone.make_aware(datetime.combine(day, time.max))
