"""Who owes whom: accounts, transfers between them, and months.

A transfer moves an amount from one account to another, so that the sum over all accounts is nothing at any moment. A
trigger refuses to change or remove one; what was wrong is reversed. What pages read are sums by account and month.
"""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q, Sum
from django.utils.translation import gettext_lazy as _

from billing.enums import NEVER_REVERSED, OWN_ACCOUNTS, AccountKind, PeriodState, TransferReason
from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
from federation.base import Row
from federation.members.models import Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for

CORRECTIONS = (TransferReason.CORRECTION, TransferReason.REVERSAL)
"""Of what a statement has lines of its own for."""
LONGEST_CODE = 64
LONGEST_KEY = 200
LONGEST_REASON = 500


class AccountQuerySet(models.QuerySet["Account"]):
    def for_user(self, user: User | AnonymousUser) -> "AccountQuerySet":
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))


class Account(models.Model):
    """One side of transfers. `code` is the kind, and the institution's id behind a colon where there is one."""

    code = models.CharField(_("code"), max_length=LONGEST_CODE, primary_key=True)
    kind = models.CharField(_("kind"), max_length=16, choices=AccountKind.choices)
    institution = models.ForeignKey(
        Institution,
        models.PROTECT,
        null=True,
        related_name="accounts",
        verbose_name=_("institution"),
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("kind", "institution"),
                nulls_distinct=False,
                name="an_institution_has_one_account_of_a_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=OWN_ACCOUNTS, institution__isnull=False)
                | (~Q(kind__in=OWN_ACCOUNTS) & Q(institution__isnull=True)),
                name="an_account_is_an_institutions_or_the_federations",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class TransferQuerySet(models.QuerySet["Transfer"]):
    def for_user(self, user: User | AnonymousUser) -> "TransferQuerySet":
        """Those of which one side is an account that `user` reads.

        Accounts are looked up at once: they are few, and the planner then knows it.
        """
        if reads_all_accounts(user):
            return self
        own = list(Account.objects.for_user(user).values_list("pk", flat=True))
        return self.filter(Q(debit__in=own) | Q(credit__in=own))


class Transfer(Row):
    """`amount_nano` goes from `debit` to `credit`, counted in the month `booked_month`. `key` is given once.

    `posting_id` is that of the records it pays for: all of one batch between the same two (`billing.ledger.posting`).
    """

    key = models.CharField(_("key"), max_length=LONGEST_KEY, unique=True)
    debit = models.ForeignKey(
        Account, models.PROTECT, related_name="debits", verbose_name=_("from")
    )
    credit = models.ForeignKey(
        Account, models.PROTECT, related_name="credits", verbose_name=_("to")
    )
    amount_nano = models.BigIntegerField(_("amount in nano-euros"))
    booked_month = models.DateField(_("month"))
    reason = models.CharField(_("reason"), max_length=16, choices=TransferReason.choices)
    note = models.CharField(_("note"), max_length=LONGEST_REASON, blank=True)
    posting_id = models.UUIDField(_("posting"), null=True)
    reverses = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="reversal", verbose_name=_("reverses")
    )
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )

    objects = TransferQuerySet.as_manager()

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ("pk",)
        indexes: ClassVar = [
            models.Index(fields=["debit", "booked_month"], name="transfers_from"),
            models.Index(fields=["credit", "booked_month"], name="transfers_to"),
            models.Index(fields=["posting_id"], name="transfers_of_a_posting"),
            models.Index(fields=["created_at", "id"], name="transfers_as_made"),
            models.Index(
                fields=["booked_month", "created_at", "id"], name="transfers_of_a_month_as_made"
            ),
            models.Index(
                fields=["booked_month"],
                condition=Q(reason__in=CORRECTIONS),
                name="corrections_of_a_month",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount_nano__gt=0), name="a_transfer_moves_something"
            ),
            models.CheckConstraint(
                condition=~Q(debit=F("credit")), name="a_transfer_has_two_sides"
            ),
            models.CheckConstraint(
                condition=Q(booked_month__day=1), name="a_transfer_lies_in_a_month"
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def stays(self) -> bool:
        """Whether it is of a kind that is never reversed."""
        return self.reason in NEVER_REVERSED


class AccountMonthQuerySet(models.QuerySet["AccountMonth"]):
    def for_user(self, user: User | AnonymousUser) -> "AccountMonthQuerySet":
        """Those of the accounts that `user` reads."""
        return self.filter(account__in=Account.objects.for_user(user))

    def balances(self) -> dict[str, int]:
        """Return by account, of the months asked for, what it received less what it gave, in nano-euros."""
        sums = self.order_by().values_list("account_id")
        return dict(sums.annotate(total=Sum(F("received_nano") - F("given_nano"))))


class AccountMonth(models.Model):
    """What an account received and gave in a month: the sum of its transfers, exact at any moment.

    `own_nano`: what an institution's servers answered to its own people, which is not transferred. There is a row, of
    nothing, for requests that cost nothing, too. Who books a transfer adds to it (`billing.ledger.sums`).
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="months", verbose_name=_("account")
    )
    month = models.DateField(_("month"))
    received_nano = models.BigIntegerField(_("received, in nano-euros"))
    given_nano = models.BigIntegerField(_("given, in nano-euros"))
    own_nano = models.BigIntegerField(_("answered to oneself, in nano-euros"))

    objects = AccountMonthQuerySet.as_manager()

    class Meta:
        verbose_name = _("account’s month")
        verbose_name_plural = _("accounts’ months")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("account", "month"), name="an_accounts_month_is_one_sum"
            ),
            models.CheckConstraint(
                condition=Q(received_nano__gte=0, given_nano__gte=0, own_nano__gte=0),
                name="an_accounts_month_adds_up_what_moved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.month:%Y-%m}"


class AccountingPeriodQuerySet(models.QuerySet["AccountingPeriod"]):
    def for_user(self, user: User | AnonymousUser) -> "AccountingPeriodQuerySet":
        """Months and their states are every account holder's."""
        return self if isinstance(user, User) and user.is_active else self.none()


class AccountingPeriod(models.Model):
    """A month of the accounts, in Paris. One without a row is open; what comes after the end of a closed one is
    booked in the first that is not.
    """

    month = models.DateField(_("month"), primary_key=True)
    state = models.CharField(
        _("state"), max_length=8, choices=PeriodState.choices, default=PeriodState.OPEN
    )
    drafted_at = models.DateTimeField(_("in draft since"), null=True)
    closed_at = models.DateTimeField(_("closed"), null=True)
    closed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("closed by")
    )
    statements_hash = models.CharField("SHA-256", max_length=64, blank=True)

    objects = AccountingPeriodQuerySet.as_manager()

    class Meta:
        verbose_name = _("month of the accounts")
        verbose_name_plural = _("months of the accounts")
        ordering = ("month",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(month__day=1), name="a_period_is_a_month"),
            models.CheckConstraint(
                condition=Q(state__in=PeriodState.values), name="a_period_has_a_state"
            ),
            models.CheckConstraint(
                condition=Q(state=PeriodState.CLOSED, closed_at__isnull=False)
                & ~Q(statements_hash="")
                | ~Q(state=PeriodState.CLOSED) & Q(closed_at=None, statements_hash=""),
                name="a_closed_period_is_hashed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class UsageChargeQuerySet(models.QuerySet["UsageCharge"]):
    def for_user(self, user: User | AnonymousUser) -> "UsageChargeQuerySet":
        """What the institutions whose accounts one reads have asked or served."""
        if reads_all_accounts(user):
            return self
        own = institution_ids_for(user, *ACCOUNTANTS)
        return self.filter(Q(asking_institution_id__in=own) | Q(serving_institution_id__in=own))


class UsageCharge(models.Model):
    """The requests of one month that count, alike in who asked, who served, the model and its price.

    Where who asked served, nothing is transferred. `origin_month` is that of the requests, `booked_month` that of
    the accounts. `billing.ledger.posting` adds to it; nothing else writes.
    """

    id = models.BigAutoField(primary_key=True)
    booked_month = models.DateField(_("month of the accounts"))
    origin_month = models.DateField(_("month of the requests"))
    asking_institution_id = models.UUIDField(_("asking institution"))
    serving_institution_id = models.UUIDField(_("serving institution"), null=True)
    model_id = models.UUIDField(_("model"))
    price_id = models.UUIDField(_("price"), null=True)
    requests = models.BigIntegerField(_("requests"))
    prompt_tokens = models.BigIntegerField(_("prompt tokens, none of a cache"))
    cached_tokens = models.BigIntegerField(_("prompt tokens of a cache"))
    completion_tokens = models.BigIntegerField(_("completion tokens"))
    embedding_tokens = models.BigIntegerField(_("tokens of embeddings"))
    cost_nano = models.BigIntegerField(_("cost in nano-euros"))
    fee_nano = models.BigIntegerField(_("of which the fee"))
    audio_ms = models.BigIntegerField(_("milliseconds of audio"), default=0, db_default=0)
    images = models.BigIntegerField(_("images"), default=0, db_default=0)

    objects = UsageChargeQuerySet.as_manager()

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=(
                    "booked_month",
                    "origin_month",
                    "asking_institution_id",
                    "serving_institution_id",
                    "model_id",
                    "price_id",
                ),
                nulls_distinct=False,
                name="a_charge_is_one_sum",
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
