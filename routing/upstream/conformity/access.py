"""Who may ask, and for which model: the token, the list of models, the name in an answer."""

from routing.core.conformity import Finding
from routing.upstream.conformity.asking import (
    Answer,
    Outcome,
    complaint,
    failed,
    ok,
    warning,
)
from routing.upstream.conformity.chatting import CHAT_PATH, ask, conversation
from routing.upstream.conformity.subject import Subject
from routing.upstream.probe import MODELS_PATH, ServedModel, read_models

ONE_TOKEN = 1
NAMING_TOKENS = 4
PROMPT = "Réponds par un seul mot : bonjour."


async def authentication(subject: Subject) -> Outcome:
    """Our token is taken, and who has none is turned away."""
    own = await subject.asker.get(MODELS_PATH)
    if own.trouble is not None or own.status in (401, 403):
        return complaint(own)
    stranger = subject.asker.without_token()
    if (await stranger.get(MODELS_PATH)).ok and await _answers_strangers(subject):
        return warning(Finding.OPEN_TO_ALL)
    if subject.asker.destination.token is None:
        lacks_list = own.status == 404 and subject.engine.may_lack_list
        return ok(Finding.FINE) if own.ok or lacks_list else complaint(own)
    return ok(Finding.ASKS_WHO)


async def _answers_strangers(subject: Subject) -> bool:
    """A list that everybody may read harms nobody: what counts is who gets answers."""
    if not subject.declared.chat:
        return True
    body = conversation(subject.declared.served_name, PROMPT, max_tokens=ONE_TOKEN)
    return (await subject.asker.without_token().post(CHAT_PATH, body)).ok


async def model(subject: Subject) -> Outcome:
    """The model is listed under its name, and answers in it."""
    listed = _listed(subject, await subject.asker.get(MODELS_PATH))
    if isinstance(listed, Outcome):
        return listed
    name = subject.declared.served_name
    is_listed = any(_is_same(each.id, name) for each in listed)
    if not is_listed and (listed or not subject.engine.may_lack_list):
        return failed(Finding.NOT_LISTED, models=len(listed))
    wrong = await _answers_wrongly(subject) if subject.declared.chat else None
    if wrong is not None:
        return wrong
    if not listed:
        return warning(Finding.LISTS_NOTHING)
    return ok(Finding.SERVES_MODEL, models=len(listed))


async def _answers_wrongly(subject: Subject) -> Outcome | None:
    """Return what is wrong with an answer under the name, None when nothing is."""
    name = subject.declared.served_name
    said = await ask(subject.asker, conversation(name, PROMPT, max_tokens=NAMING_TOKENS))
    if isinstance(said, Outcome):
        return said
    if not said.model or _is_same(said.model, name):
        return None
    is_known = said.model.lower() in subject.job.other_models
    return failed(Finding.OTHER_NAME) if is_known or subject.engine.names_as_asked else None


def _listed(subject: Subject, answer: Answer) -> tuple[ServedModel, ...] | Outcome:
    if answer.status == 404 and subject.engine.may_lack_list:
        return ()
    if not answer.ok:
        return complaint(answer)
    models = read_models(answer.body, subject.engine)
    return models if models is not None else failed(Finding.NOT_AS_DOCUMENTED, status=200)


def _is_same(answered: str, asked: str) -> bool:
    """Say whether both name one model: Ollama writes `:latest` or leaves it out."""
    return answered.removesuffix(":latest").lower() == asked.removesuffix(":latest").lower()
