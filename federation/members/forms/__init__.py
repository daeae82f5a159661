"""Forms of members, candidates and the committee. They parse; the operations decide and write."""

from django import forms
from django.core.exceptions import ValidationError


def tell_refusal(form: forms.Form, refusal: ValidationError) -> None:
    """Put what an operation refused beside the fields that it is about, or above the form."""
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal)
        return
    for field, errors in refusal.error_dict.items():
        form.add_error(field if field in form.fields else None, errors)


def one_line(text: str) -> str:
    return " ".join(text.split())
