"""Rows of a table as PostgreSQL's and MySQL's tools dump them, and as spreadsheets do."""

from pathlib import Path

import pytest

from routing.bridge.transfer.dump import rows
from routing.bridge.transfer.reading import Refused

COPY = """\
--
-- PostgreSQL database dump
--
SET standard_conforming_strings = on;
COPY public.other (id, token) FROM stdin;
1\tnot this
\\.
COPY public.users (id, token, name, organization) FROM stdin;
1\ta\\\\b\\tc\tMoodle\t\\N
2\t\tl'été\tRennes
\\.
"""
INSERTS = """\
SET standard_conforming_strings = on;
INSERT INTO public.users (id, token, name, organization) VALUES (1, 'a\\b', 'it''s; (x)', NULL);
INSERT INTO public.users (id, token, name, organization)
VALUES (2, E'tab\\tx', 'two
lines;
', 'Rennes'), (3, 'c', 'd', 'e'::character varying);
"""
MYSQL = """\
-- MySQL dump 10.13
CREATE TABLE `users` (
  `id` int NOT NULL AUTO_INCREMENT,
  `token` varchar(255) NOT NULL,
  `name` varchar(255) NOT NULL,
  `key` double DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `token` (`token`)
) ENGINE=InnoDB;
/*!40000 ALTER TABLE `users` DISABLE KEYS */;
INSERT INTO `users` VALUES (1,'a\\\\b','l\\'été),(',NULL),(2,'b','c',-1.5e-3);
"""


def read(tmp_path: Path, text: str) -> list[dict[str, str | None]]:
    path = tmp_path / "dump"
    path.write_text(text)
    return [dict(row.values) for row in rows(path, "users")]


def test_copy_of_postgresql(tmp_path: Path) -> None:
    assert read(tmp_path, COPY) == [
        {"id": "1", "token": "a\\b\tc", "name": "Moodle", "organization": None},
        {"id": "2", "token": "", "name": "l'été", "organization": "Rennes"},
    ]


def test_inserts_of_postgresql(tmp_path: Path) -> None:
    assert read(tmp_path, INSERTS) == [
        {"id": "1", "token": "a\\b", "name": "it's; (x)", "organization": None},
        {"id": "2", "token": "tab\tx", "name": "two\nlines;\n", "organization": "Rennes"},
        {"id": "3", "token": "c", "name": "d", "organization": "e"},
    ]


def test_inserts_of_mysql(tmp_path: Path) -> None:
    assert read(tmp_path, MYSQL) == [
        {"id": "1", "token": "a\\b", "name": "l'été),(", "key": None},
        {"id": "2", "token": "b", "name": "c", "key": "-1.5e-3"},
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_from_a_spreadsheet(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeffid,token,name\r\n1,,a\r\n\r\n2,x,NULL\r\n".replace(",", delimiter)

    assert read(tmp_path, text) == [
        {"id": "1", "token": None, "name": "a"},
        {"id": "2", "token": "x", "name": None},
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (COPY.replace("\\.\n", "")[:-1], "dump: ends within the table users"),
        (COPY.replace("\tMoodle\t", "\t"), "dump line 9: has 3 values for 4 columns"),
        ("-- nothing\n", "dump: holds no table users"),
        (INSERTS.replace("'d', ", "now(), "), "dump line 3: its values have no end"),
        (INSERTS.replace("'e'::character varying);", "'e"), "dump line 3: its values have no end"),
        ("INSERT INTO users VALUES (1);\n", "dump line 1: this INSERT names no columns"),
        ('id,token\n1,"a\n', "dump line 2: is no CSV"),
        ("id,token\n1\n", "dump line 2: has 1 values for 2 columns"),
        ("\n", "dump: is empty"),
    ],
)
def test_a_dump_that_is_cut_or_strange_is_refused_with_its_line(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(Refused) as refusal:
        read(tmp_path, text)

    assert told in str(refusal.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes("id,token\n1,clé\n".encode("latin-1"))

    with pytest.raises(Refused, match="dump: is no text in UTF-8"):
        list(rows(path, "users"))
