"""The table in force."""

from routing.core.table import EMPTY, PrincipalsSection, Table, section_name
from tests.support.decisions import a_model, a_server, a_table

TABLE = a_table([a_server()], [a_model("rennes-1", name="Llama-3.1-8B")])


def test_a_section_replaces_its_predecessor_and_leaves_the_others() -> None:
    section = PrincipalsSection(version=7, by_digest={})
    replaced = TABLE.replaced(section)
    assert section_name(section) == "principals"
    assert replaced.versions == {"principals": 7, "names": 1, "servers": 1}
    assert replaced.servers is TABLE.servers
    assert TABLE.versions["principals"] == 0


def test_a_table_is_complete_once_every_section_came() -> None:
    assert not EMPTY.complete
    assert not TABLE.complete
    assert TABLE.replaced(PrincipalsSection(version=1, by_digest={})).complete


def test_a_model_is_found_by_any_of_its_names_whatever_the_case() -> None:
    names = TABLE.names.names
    aliases = {"llama": "Llama-3.1-8B", "llama-3.1-8b": "Llama-3.1-8B"}
    table = Table(
        names=type(TABLE.names)(version=1, names=type(names)(models=names.models, aliases=aliases))
    )
    for name in ("llama", "LLAMA", "Llama-3.1-8b"):
        model = table.model_named(name)
        assert model is not None
        assert model.id == "Llama-3.1-8B"
    assert table.model_named("mistral") is None
    assert table.model_named("") is None
