"""The technical form as it is typed: whole when it is handed in, with anything missing as a draft."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.catalogue.models import AIModel
from federation.fleet.enums import Availability, Engine, Modality, SiteLabel
from federation.fleet.forms.pem import (
    authorities_field,
    chain_field,
    clean_authorities,
    clean_identity,
    key_field,
)
from federation.fleet.hosts import read_hosts
from federation.fleet.models import Site, TechnicalForm
from federation.fleet.models.servers import MOST_GPUS
from federation.fleet.models.technical import MOST_PARALLEL, MOST_RESERVED, MOST_TOKENS
from federation.fleet.operations.technical import (
    FIELDS,
)
from federation.members.models import Institution
from federation.people.models import User
from routing.upstream.egress import parse_base_url
from routing.upstream.errors import EgressRefused

PLAIN = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}


class DeclarationForm(forms.Form):
    """All but the hours of the week. `is_draft`: nothing is needed but the server's name."""

    server_name = forms.CharField(
        max_length=100,
        label=gettext_lazy("Name of the server"),
        help_text=gettext_lazy("For people, as in “GPU-1”. Everybody in the federation sees it."),
    )
    engine = forms.ChoiceField(
        choices=Engine.choices,
        initial=Engine.VLLM,
        label=gettext_lazy("Engine"),
        help_text=gettext_lazy(
            "The software that answers. llama.cpp, SGLang, TGI and others: “OpenAI-compatible”."
        ),
    )
    base_url = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={**PLAIN, "inputmode": "url"}),
        label=gettext_lazy("Address"),
        help_text=gettext_lazy(
            "As the router is to reach it, such as https://ia.univ-exemple.fr:8443/llm, with https and a "
            "public address. What comes before /v1; a private address needs the federation’s leave."
        ),
    )
    key = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={**PLAIN, "autocomplete": "new-password"}),
        label=gettext_lazy("Access key"),
        help_text=gettext_lazy(
            "What the router shows to the server (vLLM: --api-key). It is kept sealed and never shown again."
        ),
    )
    ca_bundle = authorities_field()
    client_chain = chain_field()
    client_key = key_field()
    model = forms.ModelChoiceField(
        AIModel.objects.none(),
        required=False,
        empty_label=gettext_lazy("another model, proposed below"),
        label=gettext_lazy("Model"),
        help_text=gettext_lazy("One of the catalogue: its users then use your server too."),
    )
    proposed_model = forms.CharField(
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Public name of a new model"),
        help_text=gettext_lazy(
            "Letters, digits, dots, colons, dashes, as in mistral-small-3.2-24b. The federation decides "
            "whether it offers the model."
        ),
    )
    served_name = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Name on the server"),
        help_text=gettext_lazy(
            "As /v1/models of your server lists it (vLLM: --served-model-name)."
        ),
    )
    quantisation = forms.CharField(
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Quantisation"),
        help_text=gettext_lazy("Such as FP8, AWQ or Q4_K_M. Empty when there is none."),
    )
    context_length = forms.IntegerField(
        min_value=256,
        max_value=MOST_TOKENS,
        label=gettext_lazy("Context window, in tokens"),
        help_text=gettext_lazy(
            "What the server really reads (vLLM: --max-model-len), not what the model could. A prompt "
            "nearly as long is tried."
        ),
    )
    modalities = forms.MultipleChoiceField(
        choices=Modality.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[Modality.CHAT.value],
        label=gettext_lazy("Modalities"),
        help_text=gettext_lazy("What requests may ask for. Each is tried."),
    )
    tools = forms.BooleanField(
        required=False,
        label=gettext_lazy("Tool calls"),
        help_text=gettext_lazy(
            "Agents need it. vLLM: --enable-auto-tool-choice and the --tool-call-parser of the model."
        ),
    )
    json_schema = forms.BooleanField(
        required=False,
        label=gettext_lazy("Structured output, after a JSON schema"),
        help_text=gettext_lazy("“response_format” with a schema is followed to the letter."),
    )
    gpu_type = forms.CharField(
        required=False,
        max_length=80,
        label=gettext_lazy("Type of GPU"),
        help_text=gettext_lazy("Such as H100 80 GB or L40S. Used to estimate energy."),
    )
    gpu_count = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_GPUS,
        label=gettext_lazy("Number of GPUs"),
        help_text=gettext_lazy("Those that this server has for itself."),
    )
    site = forms.ModelChoiceField(
        Site.objects.none(),
        required=False,
        empty_label=gettext_lazy("a new site, described below"),
        label=gettext_lazy("Site"),
        help_text=gettext_lazy("The data centre where the machine stands."),
    )
    site_name = forms.CharField(
        required=False, max_length=100, label=gettext_lazy("Name of the new site")
    )
    site_city = forms.CharField(required=False, max_length=100, label=gettext_lazy("City"))
    site_pue = forms.DecimalField(
        required=False,
        min_value=1,
        max_value=5,
        max_digits=4,
        decimal_places=2,
        label="PUE",
        help_text=gettext_lazy(
            "Power of the whole site over that of its machines, over a year: 1.00 at best, often 1.3."
        ),
    )
    site_labels = forms.MultipleChoiceField(
        required=False,
        choices=SiteLabel.choices,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Labels"),
        help_text=gettext_lazy("Only what a certificate proves; the federation asks to see it."),
    )
    max_parallel = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_PARALLEL,
        label=gettext_lazy("Most requests at once"),
        help_text=gettext_lazy(
            "A ceiling for the router. Empty: it learns by itself what the server bears."
        ),
    )
    reserved_share = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_RESERVED,
        label=gettext_lazy("Reserved for your institution, in per cent"),
        help_text=gettext_lazy(
            "Of “Most requests at once”, what other institutions never take. Your own requests go first in "
            "any case."
        ),
    )
    availability = forms.ChoiceField(
        choices=Availability.choices,
        initial=Availability.ALWAYS,
        label=gettext_lazy("Availability"),
        help_text=gettext_lazy(
            "Outside its hours a server takes nothing new and finishes what runs."
        ),
    )
    slurm_note = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        label=gettext_lazy("Slurm slots"),
        help_text=gettext_lazy(
            "For people: which partition, how often, for how long. The jobs themselves come and go by a "
            "token, which is made on the server’s page."
        ),
    )
    job_hosts = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={**PLAIN, "rows": 2}),
        label=gettext_lazy("Where its jobs run"),
        help_text=gettext_lazy(
            "Names, all names below one (*.hpc.univ.fr), networks (10.2.0.0/24): nowhere else do requests follow "
            "a job. Empty: only at the address above."
        ),
    )

    def __init__(
        self,
        data: QueryDict | None,
        *,
        by: User,
        institution: Institution,
        form: TechnicalForm | None,
        is_draft: bool,
    ) -> None:
        super().__init__(data, initial=_initial(form))
        models = cast("forms.ModelChoiceField[AIModel]", self.fields["model"])
        models.queryset = AIModel.objects.for_user(by).served()
        if form is not None and form.model_id is not None:
            models.queryset |= AIModel.objects.filter(pk=form.model_id)
        cast("forms.ModelChoiceField[Site]", self.fields["site"]).queryset = Site.objects.filter(
            institution=institution
        ).order_by("name")
        if is_draft:
            for name, field in self.fields.items():
                field.required = name == "server_name"

    def clean_base_url(self) -> str:
        text: str = self.cleaned_data["base_url"].strip()
        if not text:
            return ""
        try:
            return parse_base_url(text).url
        except EgressRefused:
            raise ValidationError(
                _(
                    "The address reads https://host[:port][/path], without a user, a question mark or "
                    "spaces; an IP address in its usual spelling."
                )
            ) from None

    def clean_job_hosts(self) -> list[str]:
        return read_hosts(self.cleaned_data["job_hosts"])

    def clean_ca_bundle(self) -> str:
        return clean_authorities(self.cleaned_data["ca_bundle"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            cleaned["shown"] = clean_identity(
                cleaned.get("client_chain") or "", cleaned.get("client_key") or ""
            )
        except ValidationError as refusal:
            self.add_error(None, refusal)
        if cleaned.get("model"):
            cleaned["proposed_model"] = ""
        self._check_site_is_new(cleaned)
        if cleaned.get("site"):
            cleaned |= {"site_name": "", "site_city": "", "site_pue": None, "site_labels": []}
        if cleaned.get("modalities") and Modality.CHAT not in cleaned["modalities"]:
            cleaned |= {"tools": False, "json_schema": False}
        cleaned["reserved_share"] = cleaned.get("reserved_share") or 0
        cleaned["availability"] = cleaned.get("availability") or Availability.ALWAYS.value
        return cleaned

    def _check_site_is_new(self, cleaned: dict[str, Any]) -> None:
        """A site that is there is chosen, not made again: choose it for who has typed its name."""
        sites = cast("forms.ModelChoiceField[Site]", self.fields["site"]).queryset
        name = " ".join((cleaned.get("site_name") or "").split())
        known = sites.filter(name__iexact=name).first() if sites is not None and name else None
        if cleaned.get("site") or known is None:
            return
        told = _(
            "“%(name)s” is one of your sites already: it is chosen here now. Send the form again."
        )
        self.add_error("site", told % {"name": known})
        sent = cast(QueryDict, self.data).copy()
        sent["site"] = str(known.pk)
        self.data = sent


def _initial(form: TechnicalForm | None) -> dict[str, Any]:
    if form is None:
        return {}
    found = {name: getattr(form, name) for name in FIELDS if name != "week"}
    return found | {"job_hosts": "\n".join(form.job_hosts)}
