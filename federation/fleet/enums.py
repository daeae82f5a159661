"""Engines, what a server may be declared to do, and the states of what the fleet holds with the ways between them."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from federation.transitions import Transitions
from routing.core.enums import ServerState


class Engine(models.TextChoices):
    """The software of an inference server; `OPENAI` is any other that speaks the OpenAI interface."""

    VLLM = "vllm", "vLLM"
    OLLAMA = "ollama", "Ollama"
    LITELLM = "litellm", "LiteLLM"
    LMDEPLOY = "lmdeploy", "LMDeploy"
    OPENAI = "openai", _("OpenAI-compatible")


class Grid(models.TextChoices):
    """The electricity grids whose factors are shipped (`billing.impact.factors`)."""

    FRANCE = "FRA", _("France")
    BELGIUM = "BEL", _("Belgium")
    GERMANY = "DEU", _("Germany")
    SWEDEN = "SWE", _("Sweden")
    UNITED_STATES = "USA", _("United States")
    WORLD = "WOR", _("Mean of the world")


class EnergyUnit(models.TextChoices):
    """What a meter counts in (`billing.impact.meters.Unit`): power, which goes up and down, or energy, which grows."""

    WATT = "W", _("power, W")
    MILLIWATT = "mW", _("power, mW")
    MICROWATT = "uW", _("power, µW")
    KILOWATT_HOUR = "kWh", _("energy, kWh")
    JOULE = "J", _("energy, J")
    MILLIJOULE = "mJ", _("energy, mJ")
    MICROJOULE = "uJ", _("energy, µJ")


class MeterScope(models.TextChoices):
    """What a meter's reading includes (`billing.impact.enums.Scope`)."""

    GPU = "gpu", _("its GPUs alone")
    SERVER = "server", _("the whole server")


SERVER_STATE_LABELS = {
    ServerState.SUBMITTED.value: _("submitted"),
    ServerState.STAGING.value: _("staging"),
    ServerState.LIVE.value: _("in service"),
    ServerState.DRAINING.value: _("draining"),
    ServerState.SUSPENDED.value: _("suspended"),
    ServerState.RETIRED.value: _("retired"),
}

SERVER_TRANSITIONS: Transitions[ServerState] = {
    ServerState.SUBMITTED: frozenset({ServerState.STAGING, ServerState.RETIRED}),
    ServerState.STAGING: frozenset({ServerState.LIVE, ServerState.RETIRED}),
    ServerState.LIVE: frozenset({ServerState.DRAINING, ServerState.SUSPENDED, ServerState.STAGING}),
    ServerState.DRAINING: frozenset({ServerState.LIVE, ServerState.SUSPENDED, ServerState.RETIRED}),
    ServerState.SUSPENDED: frozenset({ServerState.LIVE, ServerState.RETIRED}),
    ServerState.RETIRED: frozenset(),
}


class DeploymentState(models.TextChoices):
    LIVE = "live", _("in service")
    RETIRED = "retired", _("retired")


DEPLOYMENT_TRANSITIONS: Transitions[DeploymentState] = {
    DeploymentState.LIVE: frozenset({DeploymentState.RETIRED}),
    DeploymentState.RETIRED: frozenset(),
}


class Days(models.TextChoices):
    """Days of the week for which a rule holds; `days_of` says which."""

    ALL = "all", _("every day")
    WORKING = "working", _("Monday to Friday")
    WEEKEND = "weekend", _("Saturday and Sunday")
    MONDAY = "0", _("Monday")
    TUESDAY = "1", _("Tuesday")
    WEDNESDAY = "2", _("Wednesday")
    THURSDAY = "3", _("Thursday")
    FRIDAY = "4", _("Friday")
    SATURDAY = "5", _("Saturday")
    SUNDAY = "6", _("Sunday")


def days_of(days: Days) -> range:
    """Return the days, 0 is Monday."""
    match days:
        case Days.ALL:
            return range(7)
        case Days.WORKING:
            return range(5)
        case Days.WEEKEND:
            return range(5, 7)
        case _:
            return range(int(days), int(days) + 1)


class FormState(models.TextChoices):
    """Of a technical form: written, handed in, found true, put into service, refused."""

    DRAFT = "draft", _("draft")
    SUBMITTED = "submitted", _("submitted")
    CHECKED = "checked", _("checked")
    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("declined")


FORM_TRANSITIONS: Transitions[FormState] = {
    FormState.DRAFT: frozenset({FormState.SUBMITTED}),
    FormState.SUBMITTED: frozenset({FormState.CHECKED, FormState.DECLINED}),
    FormState.CHECKED: frozenset({FormState.SUBMITTED, FormState.ACCEPTED, FormState.DECLINED}),
    FormState.ACCEPTED: frozenset({FormState.SUBMITTED}),
    FormState.DECLINED: frozenset(),
}


class Modality(models.TextChoices):
    """What requests may bring to a server, and take from it."""

    CHAT = "chat", _("conversation")
    IMAGES = "images", _("images")
    EMBEDDINGS = "embeddings", _("embeddings")
    AUDIO = "audio", _("speech to text")


class Availability(models.TextChoices):
    ALWAYS = "always", _("always")
    WEEKLY = "weekly", _("at hours of the week")
    SLURM = "slurm", _("while a Slurm job runs")


class SiteLabel(models.TextChoices):
    """What a data centre may be certified for."""

    HDS = "HDS", _("HDS (health data)")
    SECNUMCLOUD = "SecNumCloud", "SecNumCloud"
    ISO_27001 = "ISO-27001", "ISO 27001"
    ISO_50001 = "ISO-50001", "ISO 50001"
    EU_COC = "EU-CoC", _("European Code of Conduct for Data Centres")


class SiteGrantState(models.TextChoices):
    """Of leave to reach a private network of a site."""

    ASKED = "asked", _("asked for")
    GRANTED = "granted", _("in force")
    DECLINED = "declined", _("declined")
    WITHDRAWN = "withdrawn", _("withdrawn")


SITE_GRANT_TRANSITIONS: Transitions[SiteGrantState] = {
    SiteGrantState.ASKED: frozenset(
        {SiteGrantState.GRANTED, SiteGrantState.DECLINED, SiteGrantState.WITHDRAWN}
    ),
    SiteGrantState.GRANTED: frozenset({SiteGrantState.WITHDRAWN}),
    SiteGrantState.DECLINED: frozenset(),
    SiteGrantState.WITHDRAWN: frozenset(),
}
OPEN_SITE_GRANTS = frozenset(state for state, ways in SITE_GRANT_TRANSITIONS.items() if ways)


class RunTrigger(models.TextChoices):
    """Why a run is made."""

    SUBMISSION = "submission", _("submission")
    PERSON = "person", _("by hand")
    NIGHT = "night", _("nightly")


class RunState(models.TextChoices):
    """`BROKEN`: it could not be made to its end, and says nothing of the server."""

    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    PASSED = "passed", _("passed")
    FAILED = "failed", _("failed")
    BROKEN = "broken", _("not made")


RUN_TRANSITIONS: Transitions[RunState] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.BROKEN}),
    RunState.RUNNING: frozenset({RunState.PASSED, RunState.FAILED, RunState.BROKEN}),
    RunState.PASSED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.BROKEN: frozenset(),
}
OPEN_RUNS = frozenset(state for state, ways in RUN_TRANSITIONS.items() if ways)


class MaintenanceState(models.TextChoices):
    PLANNED = "planned", _("planned")
    UNDERWAY = "underway", _("under way")
    OVER = "over", _("over")
    CANCELLED = "cancelled", pgettext_lazy("time away", "cancelled")


MAINTENANCE_TRANSITIONS: Transitions[MaintenanceState] = {
    MaintenanceState.PLANNED: frozenset({MaintenanceState.UNDERWAY, MaintenanceState.CANCELLED}),
    MaintenanceState.UNDERWAY: frozenset({MaintenanceState.OVER}),
    MaintenanceState.OVER: frozenset(),
    MaintenanceState.CANCELLED: frozenset(),
}


class LeaseState(models.TextChoices):
    """Of what a job holds: it takes requests, it only finishes, it has left, nothing was heard of it any more."""

    OPEN = "open", _("taking requests")
    DRAINING = "draining", _("finishing")
    ENDED = "ended", pgettext_lazy("lease", "over")
    EXPIRED = "expired", _("not heard of any more")


LEASE_TRANSITIONS: Transitions[LeaseState] = {
    LeaseState.OPEN: frozenset({LeaseState.DRAINING, LeaseState.ENDED, LeaseState.EXPIRED}),
    LeaseState.DRAINING: frozenset({LeaseState.ENDED, LeaseState.EXPIRED}),
    LeaseState.ENDED: frozenset(),
    LeaseState.EXPIRED: frozenset(),
}
HELD_LEASES = frozenset(state for state, ways in LEASE_TRANSITIONS.items() if ways)
