"""Models at every point of their life in the demonstration: one under vote, one on trial, one that ends.

Each is begun once: what somebody has done with it since stays.
"""

from datetime import timedelta

from django.utils import timezone

from config.demo.building import BY, Register
from config.demo.members import ACCOUNTS
from federation.access.trials import name_for_trial
from federation.catalogue.enums import Capability, Category
from federation.catalogue.models import AIModel
from federation.catalogue.operations.life import deprecate_model
from federation.catalogue.operations.proposals import ProposalFacts, propose_model
from federation.catalogue.operations.registering import ModelFacts, add_version, register_model
from federation.fleet.enums import Engine
from federation.fleet.models import InferenceServer
from federation.fleet.operations.publication import Offer, publish_server
from federation.members.enums import SubjectKind
from federation.members.models import Institution
from federation.members.operations.ballots import open_ballot
from federation.people.models import User
from routing.core.enums import LifecycleStage

PROPOSED, TRIED = "apertus-70b", "smollm3-3b"
ENDING, SUCCESSOR = "qwen-2.5-3b", "llama-3.1-8b"
TRIED_AT, SERVED_NAME = "reims-openai-1", "smollm3-3b-q4_k_m"
NAMED = ("Atelier de rédaction", "RAGaRenn")
VOTE, NOTICE = timedelta(days=14), timedelta(days=90)

PROPOSAL = ProposalFacts(
    publisher="Swiss AI Initiative",
    licence="Apache-2.0",
    category=Category.GENERALIST,
    weights_url="https://huggingface.co/swiss-ai/Apertus-70B-Instruct-2509",
    reason=(
        "Poids, données et recette d’entraînement sont publics : nos séminaires pourraient étudier "
        "le modèle en entier, ce qu’aucun autre du catalogue ne permet. Plus de mille langues."
    ),
    hosts="Rennes ou Strasbourg",
)
TRIED_FACTS = ModelFacts(
    display_name="SmolLM3 3B",
    publisher="Hugging Face",
    licence="Apache-2.0",
    category=Category.GENERALIST,
    capabilities=(Capability.CHAT, Capability.STRUCTURED_OUTPUT),
    languages=("en", "fr", "es", "de", "it", "pt"),
    description_fr=(
        "Petit modèle de 3 milliards de paramètres en six langues, dont le français, avec un mode "
        "réfléchi et un mode direct. Poids et recette d’entraînement sont publics."
    ),
    description_en=(
        "Small model of 3 billion parameters in six languages, with a thinking and a direct mode. "
        "Weights and training recipe are public."
    ),
)
NOTE_FR = (
    "Sa licence est réservée à la recherche, et ses usages ont trouvé mieux. Le successeur rend les "
    "mêmes services, un peu plus lentement."
)
NOTE_EN = (
    "Its licence is for research only, and its uses have found better. The successor does the same, "
    "a little more slowly."
)


def begin_lives(register: Register) -> None:
    """After usage is there: who is told of an end is known by it."""
    if not AIModel.objects.filter(slug=PROPOSED).exists():
        _propose()
    if not AIModel.objects.filter(slug=TRIED).exists():
        _try_out(register)
    ending = AIModel.objects.get(slug=ENDING)
    if not ending.announcements.exists() and ending.stage == LifecycleStage.PRODUCTION:
        deprecate_model(
            by=BY,
            model=ending,
            retires_on=timezone.localdate() + NOTICE,
            successor=AIModel.objects.get(slug=SUCCESSOR),
            note_fr=NOTE_FR.replace(" :", "\u00a0:"),
            note_en=NOTE_EN,
        )


def _propose() -> None:
    plan = next(plan for plan in ACCOUNTS if plan.reference == "orleans_user")
    proposer = User.objects.get(email=plan.email)
    institution = Institution.objects.get(slug=plan.institution)
    proposal = propose_model(by=proposer, slug=PROPOSED, facts=PROPOSAL, institution=institution)
    open_ballot(
        by=BY,
        kind=SubjectKind.MODEL,
        subject_id=proposal.model_id,
        closes_at=timezone.now() + VOTE,
    )


def _try_out(register: Register) -> None:
    """One more model on a server that is there, for two keys."""
    model = register_model(by=BY, slug=TRIED, stage=LifecycleStage.STAGING, facts=TRIED_FACTS)
    add_version(
        by=BY,
        model=model,
        revision="HuggingFaceTB/SmolLM3-3B",
        quantisation="Q4_K_M",
        context_length=32_768,
    )
    server = InferenceServer.objects.select_related("site__institution").get(slug=TRIED_AT)
    publish_server(
        by=BY,
        offer=Offer(
            institution=server.institution,
            url=server.base_url,
            engine=Engine(server.engine),
            model_name=TRIED,
            served_name=SERVED_NAME,
        ),
    )
    for plan, key in register.applications:
        if plan.name in NAMED:
            name_for_trial(by=BY, model=model, key=key)
