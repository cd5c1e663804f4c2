"""The breakers, as an operator sees them and lets a consumer through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import models
from django.http import HttpRequest

from apps.contract.queues import Consumer
from apps.ledger import breakers
from apps.ledger.breakers import Permit, PermitInvalid
from apps.ledger.models import ConsumerBreaker
from apps.operations.columns import block_column, json_column, moment_column, text_column
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin


class PermitForm(ActionForm):
    """For how long."""

    minutes = forms.IntegerField(required=False, min_value=1, max_value=1440, label="Minutes")


@admin.display(description="consumer is")
def state(breaker: ConsumerBreaker) -> str:
    return "stopped" if breaker.tripped else "going on"


@admin.register(ConsumerBreaker)
class ConsumerBreakerAdmin(ReadOnlyAdmin):
    """One row a consumer that was ever stopped or let through."""

    list_order = Keyset(fields=("consumer",))
    action_form = PermitForm
    actions = ("let_through",)
    payloads = ("sample",)
    list_display = (
        "consumer",
        state,
        text_column("cause"),
        moment_column("tripped_at"),
        moment_column("reset_at"),
        moment_column("allowed_until"),
        text_column("allowed_by"),
    )
    sections = (
        (
            None,
            (
                "consumer",
                state,
                block_column("cause"),
                moment_column("tripped_at"),
                moment_column("reset_at"),
                json_column("sample"),
            ),
        ),
        ("Let through", (moment_column("allowed_until"), text_column("allowed_by"))),
    )

    def has_let_through_permission(self, request: HttpRequest) -> bool:
        """Looking is one permission, deciding another: the model's own `change`."""
        return request.user.has_perm("ledger.change_consumerbreaker")

    @admin.action(
        description="Let through: dead-letter whatever cannot be applied, for these minutes",
        permissions=["let_through"],
    )
    def let_through(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        minutes = request.POST.get("minutes", "")
        by = request.user.get_username()
        try:
            permit = Permit.of(
                minutes=int(minutes) if minutes.isdecimal() else 0, by=by, now=datetime.now(UTC)
            )
        except PermitInvalid as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        for breaker in queryset:
            breakers.allow(Consumer(breaker.consumer), permit)
        LogEntry.objects.log_actions(
            user_id=str(request.user.pk),
            queryset=list(queryset),
            action_flag=CHANGE,
            change_message=f"let through for {minutes} minutes",
        )
