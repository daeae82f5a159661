"""The seven models of the demonstration, as their publishers' public cards describe them.

Context lengths are those at which the demonstration's servers run them, within what the cards allow.
"""

from decimal import Decimal
from typing import NamedTuple

from federation.catalogue.enums import Capability, Category
from federation.catalogue.operations.registering import ModelFacts
from routing.core.enums import RoutingSetting

_LLAMA_LANGUAGES = ("en", "de", "fr", "it", "pt", "hi", "es", "th")
_CHAT = (Capability.CHAT, Capability.TOOLS, Capability.STRUCTURED_OUTPUT)
_CHAT_EVERYWHERE = (Capability.CHAT, Capability.STRUCTURED_OUTPUT)
"""What every engine does that serves the small models: llama.cpp's server writes no tool calls."""


class DemoModel(NamedTuple):
    """A model, and the one version of it that every server runs. `revision` names the public weights."""

    slug: str
    revision: str
    quantisation: str
    context_length: int
    facts: ModelFacts
    aliases: tuple[str, ...] = ()
    setting: RoutingSetting = RoutingSetting.AFFINITY


class DemoMinimum(NamedTuple):
    """The public name of a critical model, what it must have, and the one that answers when nobody can."""

    slug: str
    servers: int
    sites: int
    fallback: str


CRITICAL = DemoMinimum("mistral-small-3.2-24b", servers=2, sites=2, fallback="llama-3.1-8b")
"""Two institutions serve it: when one of its servers stops, the demonstration shows what follows."""

MODELS = (
    DemoModel(
        slug="gpt-oss-120b",
        revision="openai/gpt-oss-120b",
        quantisation="MXFP4",
        context_length=131_072,
        facts=ModelFacts(
            display_name="gpt-oss 120B",
            parameters=Decimal("116.8"),
            active_parameters=Decimal("5.1"),
            publisher="OpenAI",
            licence="Apache-2.0",
            category=Category.REASONING,
            capabilities=(*_CHAT, Capability.REASONING),
            languages=("en", "fr", "de", "es", "it", "pt"),
            description_fr=(
                "Modèle de raisonnement à poids ouverts\u00a0: mélange d’experts de 117 milliards de "
                "paramètres, dont 5,1 milliards actifs par jeton. L’effort de raisonnement se règle "
                "sur trois niveaux\u00a0: faible, moyen, élevé. Pour les questions difficiles, le code et "
                "les agents."
            ),
            description_en=(
                "Open-weight reasoning model: a mixture of experts with 117 billion parameters, 5.1 "
                "billion of them active per token. Reasoning effort has three levels: low, medium, "
                "high. For hard questions, code and agents."
            ),
        ),
    ),
    DemoModel(
        slug="mistral-small-3.2-24b",
        revision="mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        quantisation="BF16",
        context_length=65_536,
        aliases=("mistral-small",),
        facts=ModelFacts(
            display_name="Mistral Small 3.2 24B",
            parameters=Decimal("24"),
            publisher="Mistral AI",
            licence="Apache-2.0",
            category=Category.MULTIMODAL,
            capabilities=(*_CHAT, Capability.VISION),
            languages=("en", "fr", "de", "es", "it", "pt", "pl", "ro", "sv", "ar", "zh", "ja"),
            description_fr=(
                "Modèle multimodal de 24 milliards de paramètres\u00a0: il lit le texte et les images, "
                "suit précisément les consignes et appelle des outils. Contexte de 128\u202f000 jetons au "
                "plus. Un bon premier choix pour les assistants en français."
            ),
            description_en=(
                "Multimodal model of 24 billion parameters: it reads text and images, follows "
                "instructions closely and calls tools. Context of up to 128,000 tokens. A good first "
                "choice for assistants in French."
            ),
        ),
    ),
    DemoModel(
        slug="llama-3.1-8b",
        setting=RoutingSetting.ROUND_ROBIN_REQUEUE,
        revision="meta-llama/Llama-3.1-8B-Instruct",
        quantisation="Q4_K_M",
        context_length=32_768,
        facts=ModelFacts(
            display_name="Llama 3.1 8B",
            parameters=Decimal("8.03"),
            publisher="Meta",
            licence="Llama 3.1 Community License",
            category=Category.GENERALIST,
            capabilities=_CHAT_EVERYWHERE,
            languages=_LLAMA_LANGUAGES,
            description_fr=(
                "Petit modèle généraliste de 8 milliards de paramètres, entraîné pour le dialogue en "
                "huit langues. Rapide et sobre\u00a0: résumés, reformulations, classement de textes."
            ),
            description_en=(
                "Small general-purpose model of 8 billion parameters, trained for dialogue in eight "
                "languages. Fast and frugal: summaries, rewording, sorting of texts."
            ),
        ),
    ),
    DemoModel(
        slug="llama-3.3-70b",
        revision="meta-llama/Llama-3.3-70B-Instruct",
        quantisation="FP8",
        context_length=65_536,
        facts=ModelFacts(
            display_name="Llama 3.3 70B",
            parameters=Decimal("70.6"),
            publisher="Meta",
            licence="Llama 3.3 Community License",
            category=Category.GENERALIST,
            capabilities=_CHAT,
            languages=_LLAMA_LANGUAGES,
            description_fr=(
                "Grand modèle généraliste de 70 milliards de paramètres, pour le texte seul, entraîné "
                "pour le dialogue en huit langues. Pour la rédaction longue et l’analyse de documents."
            ),
            description_en=(
                "Large general-purpose model of 70 billion parameters, text only, trained for "
                "dialogue in eight languages. For long writing and the analysis of documents."
            ),
        ),
    ),
    DemoModel(
        slug="qwen-2.5-3b",
        setting=RoutingSetting.ROUND_ROBIN_REQUEUE,
        revision="Qwen/Qwen2.5-3B-Instruct",
        quantisation="Q4_K_M",
        context_length=32_768,
        facts=ModelFacts(
            display_name="Qwen 2.5 3B",
            parameters=Decimal("3.09"),
            publisher="Qwen",
            licence="Qwen Research License",
            category=Category.GENERALIST,
            capabilities=_CHAT_EVERYWHERE,
            languages=(
                "zh",
                "en",
                "fr",
                "es",
                "pt",
                "de",
                "it",
                "ru",
                "ja",
                "ko",
                "vi",
                "th",
                "ar",
            ),
            description_fr=(
                "Très petit modèle de 3,1 milliards de paramètres, pour plus de 29 langues, à l’aise "
                "avec les sorties structurées. Sa licence est réservée à la recherche."
            ),
            description_en=(
                "Very small model of 3.1 billion parameters, for more than 29 languages, at ease with "
                "structured output. Its licence is for research only."
            ),
        ),
    ),
    DemoModel(
        slug="qwen-3-30b",
        revision="Qwen/Qwen3-30B-A3B",
        quantisation="BF16",
        context_length=32_768,
        facts=ModelFacts(
            display_name="Qwen 3 30B",
            parameters=Decimal("30.5"),
            active_parameters=Decimal("3.3"),
            publisher="Qwen",
            licence="Apache-2.0",
            category=Category.AGENTIC,
            capabilities=(*_CHAT, Capability.REASONING),
            languages=(
                "zh",
                "en",
                "fr",
                "es",
                "pt",
                "de",
                "it",
                "ru",
                "ja",
                "ko",
                "vi",
                "th",
                "ar",
            ),
            description_fr=(
                "Mélange d’experts de 30,5 milliards de paramètres, dont 3,3 milliards actifs par "
                "jeton. Il passe à volonté d’un mode réfléchi à un mode direct, et appelle des outils. "
                "Pour les agents."
            ),
            description_en=(
                "Mixture of experts with 30.5 billion parameters, 3.3 billion of them active per "
                "token. It switches between a thinking and a direct mode, and calls tools. For agents."
            ),
        ),
    ),
    DemoModel(
        slug="whisper-large-v3",
        revision="openai/whisper-large-v3",
        quantisation="FP16",
        context_length=448,
        facts=ModelFacts(
            display_name="Whisper large v3",
            parameters=Decimal("1.55"),
            publisher="OpenAI",
            licence="Apache-2.0",
            category=Category.SPEECH,
            capabilities=(Capability.TRANSCRIPTION,),
            languages=("fr", "en", "de", "es", "it", "pt", "nl", "ar", "zh", "ja"),
            description_fr=(
                "Modèle de reconnaissance de la parole de 1,55 milliard de paramètres, pour une centaine de "
                "langues. Pour transcrire cours, entretiens et réunions."
            ),
            description_en=(
                "Speech recognition model of 1.55 billion parameters, for about a hundred languages. To "
                "transcribe lectures, interviews and meetings."
            ),
        ),
    ),
)
