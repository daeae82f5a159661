"""Files that people hand in: what is refused, and how one is kept."""

import hashlib
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.journal.actors import Actor
from federation.members.models import Agreement, StoredFile
from federation.members.models.documents import MOST_BYTES
from federation.people.models import User

BEGINNING, END = b"%PDF-", b"%%EOF"
END_WITHIN = 2048
"""Writers may put some bytes after the mark of the end; readers look for it in the last ones."""
LONGEST_NAME = 100


class Upload(NamedTuple):
    name: str
    content: bytes


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check_pdf(upload: Upload) -> None:
    """Raise `ValidationError` for what is no PDF file, is cut off, or is too large."""
    if len(upload.content) > MOST_BYTES:
        raise ValidationError(
            _("This file has more than %(most)s MB. Scan it in grey, or at 150 dpi."),
            code="too_large",
            params={"most": MOST_BYTES // 1024 // 1024},
        )
    if not upload.content.startswith(BEGINNING):
        raise ValidationError(
            _("This is not a PDF file, whatever its name. Export or scan the document as PDF."),
            code="no_pdf",
        )
    if END not in upload.content[-END_WITHIN:]:
        raise ValidationError(
            _("This PDF file is cut off: its end is missing. Save it and send it again."),
            code="cut_off",
        )


def check_is_signed_copy(upload: Upload, drawn_up: StoredFile) -> None:
    if digest_of(upload.content) == drawn_up.sha256:
        raise ValidationError(
            _(
                "This is the document as it was drawn up, without a signature. Send the signed "
                "copy."
            ),
            code="unsigned",
        )


def check_is_countersigned_copy(upload: Upload, agreement: Agreement) -> None:
    """Raise unless it is another file than both that the institution has handed in and that it was given."""
    check_is_signed_copy(upload, agreement.drawn_up)
    if agreement.signed is not None and digest_of(upload.content) == agreement.signed.sha256:
        raise ValidationError(
            _(
                "This is the institution’s own copy: the federation’s signature is missing. Sign it, "
                "then send the copy with both signatures."
            ),
            code="not_countersigned",
        )


def keep_file(*, by: Actor, upload: Upload) -> StoredFile:
    """Store a file for good. The operation that calls has asked its policy and tells the journal."""
    check_pdf(upload)
    file = StoredFile(
        name=upload.name[-LONGEST_NAME:],
        size=len(upload.content),
        sha256=digest_of(upload.content),
        content=upload.content,
        stored_by=by if isinstance(by, User) else None,
    )
    file.full_clean()
    file.save(force_insert=True)
    return file
