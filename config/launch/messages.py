"""Compiles the translations and finds those that are missing, on a machine without gettext's tools.

Collecting the texts (`make messages`) does need gettext.
"""

from pathlib import Path

import polib

from config.launch.console import LaunchError


def catalogues(locale: Path) -> list[Path]:
    return sorted(locale.glob("*/LC_MESSAGES/*.po"))


def read_catalogue(path: Path) -> polib.POFile:
    """Parse a `.po` file. Raises `LaunchError` with the line that is none of such a file, or the text that is twice.

    gettext's own tools refuse a file with a text twice: `make messages` could collect nothing into it.
    """
    try:
        return polib.pofile(str(path), encoding="utf-8", check_for_duplicates=True)
    except OSError as error:  # polib's word for a syntax error, too
        raise LaunchError(str(error)) from None
    except ValueError as error:  # polib's word for a duplicate
        raise LaunchError(f"{path}: {error}") from None


def compile_catalogue(path: Path) -> None:
    """Write the `.mo` file beside a `.po` file, without what is uncertain or half translated."""
    draft = path.with_suffix(".mo.new")
    read_catalogue(path).save_as_mofile(str(draft))
    draft.replace(path.with_suffix(".mo"))


def compile_changed(locale: Path) -> int:
    """Compile the catalogues that are newer than their compiled form; return how many."""
    changed = [path for path in catalogues(locale) if is_newer(path)]
    for path in changed:
        compile_catalogue(path)
    return len(changed)


def is_newer(path: Path) -> bool:
    compiled = path.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime_ns < path.stat().st_mtime_ns


def missing_translations(locale: Path) -> list[str]:
    """Name, as `file:line: text`, each text that has no translation or an uncertain one."""
    return [
        f"{path}:{entry.linenum}: {entry.msgid}"
        for path in catalogues(locale)
        for entry in read_catalogue(path)
        if not (entry.translated() or entry.obsolete)
    ]
