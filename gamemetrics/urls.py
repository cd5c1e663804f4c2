"""Every address of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from apps.ingest import health
from apps.ingest.views import post_events
from apps.live.page import show_board
from apps.monitoring.views import metrics
from gamemetrics.api import api

admin.site.site_header = "gamemetrics"
admin.site.site_title = "gamemetrics"
admin.site.index_title = "Operations"

urlpatterns = [
    # Before the API's own routes: the hot path takes the bytes as they are. It is described in
    # the OpenAPI document by `gamemetrics.api`.
    path("api/v1/events", csrf_exempt(post_events), name="post-events"),
    path("api/", api.urls),
    path("health/live", require_safe(health.live), name="live"),
    path("health/ready", require_safe(health.ready), name="ready"),
    path("metrics", require_safe(metrics), name="metrics"),
    path(
        "boards/<str:game_id>/<str:board>",
        RedirectView.as_view(pattern_name="board", query_string=True),
    ),
    path("boards/<str:game_id>/<str:board>/", require_safe(show_board), name="board"),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
]
handler400 = "apps.web.answers.bad_request"
handler404 = "apps.web.answers.not_found"
handler500 = "apps.web.answers.server_error"
