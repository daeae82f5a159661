"""The few template tags of the common design."""

from datetime import date, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from django import forms, template
from django.forms.boundfield import BoundField, BoundWidget
from django.templatetags.static import static
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from federation.days import long_day, long_moment, short_day, short_moment
from federation.people.factors import passkeys_work_at

register = template.Library()
MILLISECONDS = 1000
MEGABYTE = 1_000_000


@register.filter(name="long_day", expects_localtime=True)
def _long_day(day: date) -> str:
    return long_day(day)


@register.filter(name="short_day", expects_localtime=True)
def _short_day(moment: date) -> str:
    return short_day(moment)


@register.filter(name="long_moment")
def _long_moment(moment: datetime) -> str:
    return long_moment(moment)


@register.filter(name="short_moment")
def _short_moment(moment: datetime) -> str:
    return short_moment(moment)


@register.filter
def duration(milliseconds: float) -> str:
    """Say a time as people read it: milliseconds below a second, seconds from there on."""
    if milliseconds < MILLISECONDS:
        return _("%(shown)s ms") % {"shown": number_format(round(milliseconds))}
    shown = number_format(milliseconds / MILLISECONDS, 1, force_grouping=True)
    return _("%(shown)s s") % {"shown": shown}


@register.filter
def file_size(count: int) -> str:
    """Say a number of bytes in kB, from a megabyte on in MB."""
    if count < MEGABYTE:
        return _("%(shown)s kB") % {"shown": number_format(max(round(count / 1000), 1))}
    return _("%(shown)s MB") % {"shown": number_format(count / MEGABYTE, 1)}


@register.simple_block_tag
def capture(content: SafeString) -> SafeString:
    """`{% capture as title %}…{% endcapture %}`: says a thing once that the page shows twice."""
    return mark_safe(content.strip())  # noqa: S308  # rendered, hence escaped, already


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon of the sprite. It is ornament: the words beside it say what is meant."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css,
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def widget(field: BoundField) -> SafeString:
    """Draw a field's input in the design; labels, help and errors are `_field.html`'s."""
    css = f"{_css_of(field.field.widget)} {'is-invalid' if field.errors else ''}"
    return field.as_widget(attrs={"class": css.strip()})


@register.simple_tag
def choice(option: BoundWidget) -> SafeString:
    """Draw one of a field's radio buttons or tick boxes in the design."""
    option.data["attrs"]["class"] = "form-check-input"
    return option.tag(wrap_label=False)


class Passkeys(NamedTuple):
    """Whether browsers make them at this address; if not, where on this machine they do."""

    work: bool
    elsewhere: str


@register.simple_tag(takes_context=True)
def passkeys(context: template.Context) -> Passkeys:
    here = context["request"].build_absolute_uri("/")
    local = urlsplit(here)._replace(netloc=f"localhost:{urlsplit(here).port or 80}").geturl()
    is_local = urlsplit(here).hostname in {"127.0.0.1", "::1"}
    return Passkeys(passkeys_work_at(here), local if is_local else "")


def _css_of(widget: forms.Widget) -> str:
    match widget:
        case forms.CheckboxInput():
            return "form-check-input"
        case forms.Select():
            return "form-select"
        case _:
            return "form-control"
