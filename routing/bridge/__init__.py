"""The clerk: the only part of the router's house that knows Django. Register → table, spool → accounts."""
