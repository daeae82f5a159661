"""Where the test's own database is, for connections and processes beside it."""

from django.db import connection
from psycopg.conninfo import make_conninfo


def database_url() -> str:
    known = connection.settings_dict
    names = {
        "dbname": "NAME",
        "host": "HOST",
        "port": "PORT",
        "user": "USER",
        "password": "PASSWORD",
    }
    parts = {key: known[name] for key, name in names.items() if known[name]}
    return make_conninfo(**known["OPTIONS"], **parts)
