"""Bulk replays and discards in the admin: counted, confirmed, paused, resumed, cancelled."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.deadletters.models import DeadLetter, DeadLetterJob
from tests.admin_site import (
    JOBS,
    LETTERS,
    Response,
    new_job,
    new_letter,
    page,
    said,
    show,
    shown,
)
from tests.letter_pages import url, with_permission

pytestmark = pytest.mark.django_db


def bulk(client: Client, **fields: Any) -> Response:
    return client.post(url("bulk"), {"action": "replay", "per_second": 50, **fields})


def test_a_bulk_replay_is_counted_confirmed_and_then_a_job(operator: Client) -> None:
    DeadLetter.objects.bulk_create([new_letter(n, player_id="bo") for n in range(3)])
    counted = bulk(operator, player_id="bo", count="1")
    assert counted.context["count"] == 3
    assert not DeadLetterJob.objects.exists()
    proof = counted.context["counted"]
    confirmed = bulk(operator, player_id="bo", confirm="1", counted=proof)
    job = DeadLetterJob.objects.get()
    assert confirmed["Location"] == reverse(f"admin:{JOBS}_change", args=(job.pk,))
    assert (job.total, job.per_second, job.created_by) == (3, 50, "operator")
    assert b"0 of 3 released" in operator.get(confirmed["Location"]).content


def test_the_list_leads_to_the_bulk_action_of_what_it_shows(operator: Client) -> None:
    listed = show(operator, LETTERS, q='player:"a & b"', consumer_service="stats")
    assert listed.context["bulk_query"] == "consumer_service=stats&player_id=a+%26+b"
    form = operator.get(f"{url('bulk')}?{listed.context['bulk_query']}").context["form"]
    assert (form["player_id"].value(), form["consumer_service"].value()) == ("a & b", "stats")
    assert show(operator, LETTERS, q="job:1").context["bulk_query"] == ""


def test_a_filter_that_changed_since_the_count_is_counted_again(operator: Client) -> None:
    DeadLetter.objects.bulk_create([new_letter(n, player_id="bo") for n in range(3)])
    proof = bulk(operator, player_id="bo", count="1").context["counted"]
    again = bulk(operator, confirm="1", counted=proof)
    assert again.context["everything"]
    assert not DeadLetterJob.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"per_second": 501}, {"per_second": 0}, {"action": "delete"}, {"action": "discard"}],
    ids=["fast", "still", "action", "reason"],
)
def test_a_bulk_action_out_of_its_bounds_is_refused(
    operator: Client, wrong: dict[str, Any]
) -> None:
    DeadLetter.objects.bulk_create([new_letter(1)])
    response = bulk(operator, **wrong, count="1")
    assert response.context["form"].errors
    assert "counted" not in response.context


def test_a_job_is_paused_resumed_and_cancelled(operator: Client) -> None:
    job = new_job()
    job.save()
    seen = []
    for deed in ("pause", "resume", "cancel", "resume"):
        address = reverse(f"admin:{JOBS}_{deed}", args=(job.pk,))
        assert operator.get(address).status_code == 405
        response = operator.post(address)
        job.refresh_from_db()
        seen.append(job.state)
    assert seen == ["paused", "running", "cancelled", "cancelled"]
    assert "is cancelled" in said(response)


def test_who_may_not_replay_does_not_stop_a_replay(client: Client) -> None:
    job = new_job()
    job.save()
    viewer = with_permission(client, "view_deadletterjob", "discard_deadletter")
    address = reverse(f"admin:{JOBS}_cancel", args=(job.pk,))
    assert viewer.post(address).status_code == 403
    assert address not in page(viewer, JOBS, job.pk)


def test_the_letters_of_a_job_are_found(operator: Client) -> None:
    job = new_job()
    job.save()
    DeadLetter.objects.bulk_create([new_letter(1, job=job), new_letter(2)])
    assert [row.offset for row in shown(show(operator, LETTERS, q=f"job:{job.pk}"))] == [1]
