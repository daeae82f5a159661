"""The technical form as one page: what is sent, the hours of the week with it, and what becomes of it."""

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

from federation.fleet.certificates import Described, Shown, described
from federation.fleet.enums import Days
from federation.fleet.forms.technical import DeclarationForm
from federation.fleet.forms.week import WeekFormSet
from federation.fleet.models import ClientCertificate, InferenceServer, TechnicalForm
from federation.fleet.operations.technical import (
    FIELDS,
    revise_form,
    save_draft,
    submit_form,
)
from federation.fleet.week import OpenHours
from federation.members.models import Institution
from federation.people.models import User
from federation.seen import show_saved
from routing.upstream.credentials import Secret


class Declaration:
    """The page's two parts as one: what is sent, and what becomes of it."""

    def __init__(
        self,
        data: QueryDict | None,
        *,
        by: User,
        institution: Institution,
        form: TechnicalForm | None = None,
    ) -> None:
        self._by, self._institution, self.row = by, institution, form
        self.hands_in = data is not None and "draft" not in data
        self.seen = _number(data)
        self.form = DeclarationForm(
            data,
            by=by,
            institution=institution,
            form=form,
            is_draft=data is not None and not self.hands_in,
        )
        self.week = WeekFormSet(data, prefix="week", initial=form.week if form else [])

    @property
    def has_server(self) -> bool:
        """Whether it is of a server that is there already: a change of its address or key is in force at once."""
        return self.row is not None and self.row.server is not None

    @property
    def has_key(self) -> bool:
        """Whether an access key is kept already."""
        if self.row is None:
            return False
        if self.row.server is not None:
            return self.row.server.credentials.current().exists()
        return bool(self.row.sealed_key)

    @property
    def kept_certificate(self) -> Described | None:
        """Return the certificate of the router's that is kept already."""
        if self.row is None:
            return None
        chain = self.row.client_chain
        if self.row.server is not None:
            current = ClientCertificate.objects.current().filter(server=self.row.server).first()
            chain = current.chain if current else ""
        return next(iter(described(chain)), None)

    def is_valid(self) -> bool:
        return all([self.form.is_valid(), self.week.is_valid()])

    def save(self) -> TechnicalForm | InferenceServer | None:
        """Return the draft, or the server that was handed in or changed; None when refused, with the reasons."""
        fields = {name: self._value(name) for name in FIELDS if name != "week"}
        fields["week"] = self._lines()
        key = Secret(self.form.cleaned_data["key"]) if self.form.cleaned_data["key"] else None
        try:
            return self._write(fields, key, self.form.cleaned_data["shown"])
        except ValidationError as refusal:
            self._show(refusal)
            if getattr(refusal, "code", None) == "changed_meanwhile":
                self._show_the_other()
            return None

    def _write(
        self, fields: dict[str, Any], key: Secret | None, shown: Shown | None
    ) -> TechnicalForm | InferenceServer | None:
        if self.row is not None and self.row.server is not None:
            form = revise_form(
                by=self._by, form=self.row, fields=fields, seen=self.seen, key=key, shown=shown
            )
            return form.server
        draft = save_draft(
            by=self._by,
            institution=self._institution,
            fields=fields,
            form=self.row,
            seen=self.seen,
            key=key,
            shown=shown,
        )
        self.row, self.seen = draft, draft.number
        return submit_form(by=self._by, form=draft) if self.hands_in else draft

    def _show_the_other(self) -> None:
        """Show what was saved meanwhile; sent again, this form replaces it."""
        assert self.row is not None  # a new one is nobody else's
        self.row.refresh_from_db()
        self.seen = self.row.number
        show_saved(self.form, {name: getattr(self.row, name) for name in FIELDS if name != "week"})
        if self.row.week != self._lines():
            self.form.add_error(
                None, _("The hours of the week that were saved meanwhile differ, too.")
            )

    def _value(self, name: str) -> Any:
        value = self.form.cleaned_data.get(name)
        empty: dict[str, Any] = {"modalities": [], "site_labels": [], "job_hosts": []}
        return empty.get(name, "") if value is None and name in TEXTS | empty.keys() else value

    def _lines(self) -> list[dict[str, Any]]:
        lines = [each.cleaned_data for each in self.week if each.cleaned_data.get("days")]
        return [
            OpenHours(Days(line["days"]), line["start"], line["end"]).as_json() for line in lines
        ]

    def _show(self, refusal: ValidationError) -> None:
        """Put each message beside its field; what belongs to none stands above."""
        if not hasattr(refusal, "error_dict"):
            self.form.add_error(None, refusal.messages)
            return
        for name, messages in refusal.message_dict.items():
            field = name if name in self.form.fields and name != NON_FIELD_ERRORS else None
            self.form.add_error(field, messages)


TEXTS = {
    *("server_name", "engine", "base_url", "ca_bundle", "proposed_model", "served_name"),
    *("quantisation", "gpu_type", "site_name", "site_city", "slurm_note"),
}


def _number(data: QueryDict | None) -> int | None:
    """Return the number of the change that the page showed."""
    text = data.get("number", "") if data is not None else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
