"""`manage.py export_table`."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from routing.bridge.models import RouterProcess
from tests.support.factories import make_application, make_institution, make_key, serve_model

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_table_is_written_as_json_without_a_secret() -> None:
    rennes = make_institution("rennes")
    server = serve_model(rennes, "model", credential="hush-hush").server
    key, text = make_key(make_application(rennes))
    RouterProcess.objects.create(incarnation="r1", versions={"names": 1}, seen_at=timezone.now())
    output = StringIO()

    call_command("export_table", stdout=output)

    table = json.loads(output.getvalue())
    assert key.digest in table["principals"]["by_digest"]
    assert str(server.pk) in table["servers"]["servers"]
    assert [model["name"] for model in table["names"]["names"]["models"].values()] == ["model"]
    assert table["in_force"] == {"r1": {"names": 1}}
    assert "hush-hush" not in output.getvalue()
    assert text not in output.getvalue()


def test_a_file_is_for_its_owner_alone_even_one_that_was_open_to_all(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text("old")
    path.chmod(0o644)

    call_command("export_table", output=path)

    assert json.loads(path.read_text())["servers"]["version"] == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        call_command("export_table", output=tmp_path / "nowhere" / "table.json")
