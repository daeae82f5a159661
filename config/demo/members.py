"""Who takes part in the demonstration: institutions, accounts, applications and their keys.

Accounts bear functions rather than people's names, and addresses of a domain that exists nowhere.
"""

from typing import NamedTuple

from federation.members.enums import ContactRole, Contribution
from federation.members.operations.candidacies import ContactFacts, InstitutionFacts, PartFacts
from federation.people.enums import Role
from routing.core.enums import PriorityClass


class DemoInstitution(NamedTuple):
    """A member; `city` is where its data centre is, None for one that brings no server."""

    slug: str
    name: str
    short_name: str
    city: str | None
    labels: tuple[str, ...] = ()
    """Of its data centre: in the demonstration alone."""
    pue: str | None = None


class DemoAccount(NamedTuple):
    """Somebody who may sign in, under this name in `demo.json`."""

    reference: str
    email: str
    name: str
    role: Role
    institution: str | None
    has_totp: bool = False


class DemoApplication(NamedTuple):
    """A consuming software with one key, and how it is used.

    `share` is its part of all requests; `models` how these spread; `streams` the part that is streamed.
    `reference` is the key's name in `demo.json`, None for a key whose text nobody keeps.
    """

    institution: str
    name: str
    priority: PriorityClass
    share: float
    models: dict[str, float]
    streams: float
    prompt_tokens: int
    completion_tokens: int
    works_at_night: bool = False
    reference: str | None = None
    owner: str | None = None
    recording_seconds: int = 0
    """Of one that sends recordings instead of prompts: half of them are shorter."""


def _contact(name: str, function: str, mailbox: str) -> ContactFacts:
    email = f"{mailbox}@angers.example"
    return ContactFacts(name=name, function=function, email=email, phone="")


class DemoCandidate(NamedTuple):
    """An institution that has applied and signed; the committee has not decided yet."""

    email: str
    applicant: str
    facts: InstitutionFacts
    part: PartFacts
    contacts: dict[ContactRole, ContactFacts]


INSTITUTIONS = (
    DemoInstitution(
        "rennes", "Université de Rennes", "Rennes", "Rennes", ("HDS", "SecNumCloud"), "1.25"
    ),
    DemoInstitution("reims", "Université de Reims Champagne-Ardenne", "Reims", "Reims", (), "1.32"),
    DemoInstitution(
        "paris1", "Université Paris 1 Panthéon-Sorbonne", "Paris 1", "Paris", (), "1.40"
    ),
    DemoInstitution("cotedazur", "Université Côte d’Azur", "Côte d’Azur", "Nice"),
    DemoInstitution(
        "strasbourg", "Université de Strasbourg", "Strasbourg", "Strasbourg", ("HDS",), "1.30"
    ),
    DemoInstitution("orleans", "Université d’Orléans", "Orléans", None),
)

ACCOUNTS = (
    DemoAccount(
        "admin",
        "admin@ilaas.example",
        "Administration ILaaS",
        Role.FEDERATION_ADMIN,
        None,
        has_totp=True,
    ),
    DemoAccount(
        "rennes_dsi",
        "dsi@rennes.example",
        "DSI de Rennes",
        Role.MEMBER_DSI,
        "rennes",
        has_totp=True,
    ),
    DemoAccount(
        "orleans_user",
        "enseignante@orleans.example",
        "Enseignante à Orléans",
        Role.USER,
        "orleans",
    ),
)

CANDIDATE = DemoCandidate(
    "dsi@angers.example",
    "DSI d’Angers",
    InstitutionFacts(
        name="Université d’Angers",
        short_name="Angers",
        slug="angers",
        uai="0490970N",
        siret="19490970100303",
    ),
    PartFacts(
        is_contributor=True,
        is_consumer=True,
        contributions=[Contribution.NODE, Contribution.STUDIES],
        motivation="Deux serveurs de quatre GPU arrivent en janvier ; nous voulons les prêter la nuit et le week-end.",
    ),
    {
        ContactRole.GOVERNANCE: _contact(
            "Vice-présidence numérique", "vice-présidence numérique", "vp-numerique"
        ),
        ContactRole.TECHNICAL: _contact("Pôle infrastructures", "", "infrastructures"),
        ContactRole.FINANCE: _contact("Agence comptable", "", "agence-comptable"),
        ContactRole.DPO: _contact("Protection des données", "", "dpo"),
    },
)

APPLICATIONS = (
    DemoApplication(
        "orleans",
        "Assistant d’accueil",
        PriorityClass.P5,
        share=0.06,
        models={"mistral-small-3.2-24b": 0.8, "gpt-oss-120b": 0.2},
        streams=0.97,
        prompt_tokens=900,
        completion_tokens=220,
        reference="p5",
        owner="orleans_user",
    ),
    DemoApplication(
        "orleans",
        "Atelier de rédaction",
        PriorityClass.P3,
        share=0.09,
        models={"mistral-small-3.2-24b": 0.4, "llama-3.3-70b": 0.35, "gpt-oss-120b": 0.25},
        streams=0.9,
        prompt_tokens=1_100,
        completion_tokens=380,
        reference="p3",
        owner="orleans_user",
    ),
    DemoApplication(
        "orleans",
        "Annotation de corpus",
        PriorityClass.P1,
        share=0.07,
        models={"llama-3.1-8b": 0.6, "qwen-2.5-3b": 0.4},
        streams=0.0,
        prompt_tokens=650,
        completion_tokens=60,
        works_at_night=True,
        reference="p1",
        owner="orleans_user",
    ),
    DemoApplication(
        "rennes",
        "RAGaRenn",
        PriorityClass.P4,
        share=0.28,
        models={
            "mistral-small-3.2-24b": 0.46,
            "gpt-oss-120b": 0.27,
            "llama-3.3-70b": 0.14,
            "qwen-3-30b": 0.08,
            "llama-3.1-8b": 0.05,
        },
        streams=0.96,
        prompt_tokens=1_700,
        completion_tokens=340,
        reference="rennes",
    ),
    DemoApplication(
        "rennes",
        "Indexation documentaire",
        PriorityClass.P1,
        share=0.08,
        models={"llama-3.1-8b": 0.7, "qwen-2.5-3b": 0.3},
        streams=0.0,
        prompt_tokens=1_400,
        completion_tokens=90,
        works_at_night=True,
    ),
    DemoApplication(
        "reims",
        "Tuteur numérique",
        PriorityClass.P4,
        share=0.11,
        models={"llama-3.3-70b": 0.55, "mistral-small-3.2-24b": 0.35, "llama-3.1-8b": 0.1},
        streams=0.93,
        prompt_tokens=800,
        completion_tokens=300,
        reference="reims",
    ),
    DemoApplication(
        "reims",
        "Génération de quiz",
        PriorityClass.P2,
        share=0.04,
        models={"llama-3.1-8b": 0.6, "qwen-2.5-3b": 0.4},
        streams=0.1,
        prompt_tokens=2_200,
        completion_tokens=420,
    ),
    DemoApplication(
        "paris1",
        "Recherche juridique",
        PriorityClass.P3,
        share=0.08,
        models={"qwen-3-30b": 0.6, "gpt-oss-120b": 0.4},
        streams=0.7,
        prompt_tokens=3_200,
        completion_tokens=450,
    ),
    DemoApplication(
        "cotedazur",
        "Atelier IA",
        PriorityClass.P3,
        share=0.06,
        models={"llama-3.1-8b": 0.5, "qwen-3-30b": 0.3, "mistral-small-3.2-24b": 0.2},
        streams=0.85,
        prompt_tokens=600,
        completion_tokens=250,
    ),
    DemoApplication(
        "strasbourg",
        "Chatbot de la bibliothèque",
        PriorityClass.P4,
        share=0.07,
        models={"mistral-small-3.2-24b": 0.9, "llama-3.1-8b": 0.1},
        streams=0.98,
        prompt_tokens=1_000,
        completion_tokens=180,
    ),
    DemoApplication(
        "strasbourg",
        "Agents de laboratoire",
        PriorityClass.P2,
        share=0.03,
        models={"qwen-3-30b": 0.5, "gpt-oss-120b": 0.5},
        streams=0.4,
        prompt_tokens=2_600,
        completion_tokens=500,
    ),
    DemoApplication(
        "reims",
        "Transcription de cours",
        PriorityClass.P2,
        share=0.03,
        models={"whisper-large-v3": 1.0},
        streams=0.0,
        prompt_tokens=0,
        completion_tokens=0,
        recording_seconds=600,
    ),
)
