"""What the committee and the signatories type: uploads, ballots, votes, decisions, texts."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.members.enums import Choice, MembershipState, SubjectKind
from federation.members.files import Upload, check_pdf
from federation.members.models.documents import LONGEST_TEXT, MOST_BYTES
from federation.members.policies import LONGEST_BALLOT
from federation.widgets import DayInput

USUAL_BALLOT = timedelta(days=7)


class UploadForm(forms.Form):
    """A PDF file. Read whole, as its size is bounded."""

    file = forms.FileField(
        max_length=255,
        label=gettext_lazy("Signed PDF file"),
        help_text=gettext_lazy("A scan or an electronically signed copy, 10 MB at most."),
        widget=forms.FileInput(attrs={"accept": "application/pdf"}),
    )

    def clean_file(self) -> Upload:
        given: UploadedFile[bytes] = self.cleaned_data["file"]
        upload = Upload(str(given.name), given.read(MOST_BYTES + 1))
        check_pdf(upload)
        return upload


class SignatureForm(UploadForm):
    signatory = forms.CharField(max_length=150, label=gettext_lazy("Signed by"))
    signatory_function = forms.CharField(
        max_length=100,
        label=gettext_lazy("As"),
        help_text=gettext_lazy("Such as “Vice-president for digital affairs” or “DSI”."),
    )
    field_order = ("signatory", "signatory_function", "file")


class BallotForm(forms.Form):
    closes_on = forms.DateField(
        label=gettext_lazy("Last day to vote"),
        widget=DayInput,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        field = self.fields["closes_on"]
        field.initial = today + USUAL_BALLOT
        self._last = today + LONGEST_BALLOT - timedelta(days=1)
        field.widget.attrs |= {"min": today.isoformat(), "max": self._last.isoformat()}

    def clean_closes_on(self) -> datetime:
        day = self.cleaned_data["closes_on"]
        if not timezone.localdate() <= day <= self._last:
            raise ValidationError(_("Choose a day between today and sixty days from now."))
        return timezone.make_aware(datetime.combine(day, time(23, 59)))


class VoteForm(forms.Form):
    choice = forms.ChoiceField(
        choices=Choice.choices, widget=forms.RadioSelect, label=gettext_lazy("Answer")
    )
    comment = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Comment"),
    )
    READERS = {
        SubjectKind.MEMBERSHIP: gettext_lazy(
            "The committee and the auditors read it; the applicant does not."
        ),
        SubjectKind.MODEL: gettext_lazy(
            "The committee and the auditors read it; whoever proposed the model does not."
        ),
    }

    def __init__(self, *args: Any, kind: SubjectKind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["comment"].help_text = self.READERS[kind]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("It is kept with the decision and sent to whoever applied."),
    )


class DecisionForm(ReasonForm):
    """A step of a membership; `states` are those that can be chosen at this moment."""

    state = forms.ChoiceField(widget=forms.RadioSelect, label=gettext_lazy("Decision"))
    field_order = ("state", "reason")
    LABELS = {
        MembershipState.APPROVED: gettext_lazy("Lift the suspension"),
        MembershipState.SUSPENDED: gettext_lazy(
            "Suspend: its keys are refused, its servers get no request"
        ),
        MembershipState.LEFT: gettext_lazy("End it for good"),
    }

    OF_A_CANDIDATE = {MembershipState.LEFT: gettext_lazy("Decline it: the candidacy is over")}

    def __init__(
        self, *args: Any, states: list[MembershipState], is_candidate: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        labels = self.OF_A_CANDIDATE if is_candidate else self.LABELS
        field = self.fields["state"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(state.value, labels[state]) for state in states]
        if len(states) == 1:
            field.initial = states[0].value


class TextForm(forms.Form):
    """A new version of a published text, in both languages."""

    text_fr = forms.CharField(
        max_length=LONGEST_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "lang": "fr"}),
        label=gettext_lazy("French text"),
    )
    text_en = forms.CharField(
        max_length=LONGEST_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "lang": "en"}),
        label=gettext_lazy("English text"),
    )
    seen = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
