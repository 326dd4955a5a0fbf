"""URLs of vaults."""

from django.urls import path

from vaults.views.configure import configure, expected_restore, retention
from vaults.views.decisions import one_request
from vaults.views.listing import vault_list
from vaults.views.new import new, new_name, new_redundancy
from vaults.views.requests import request_list
from vaults.views.search import search_page, suggestions
from vaults.views.vault import activity, dashboard, retry

app_name = "vaults"
urlpatterns = [
    path("vaults/", vault_list, name="list"),
    path("vaults/new/", new, name="new"),
    path("vaults/new/name/", new_name, name="new-name"),
    path("vaults/new/redundancy/", new_redundancy, name="new-redundancy"),
    path("vaults/<uuid:vault_id>/", dashboard, name="vault"),
    path("vaults/<uuid:vault_id>/retry/", retry, name="retry"),
    path("vaults/<uuid:vault_id>/configure/", configure, name="configure"),
    path("vaults/<uuid:vault_id>/configure/retention/", retention, name="retention"),
    path("vaults/<uuid:vault_id>/configure/expected-restore/", expected_restore, name="expected-restore"),
    path("vaults/<uuid:vault_id>/activity/", activity, name="activity"),
    path("requests/", request_list, name="requests"),
    path("requests/<uuid:request_id>/", one_request, name="request"),
    path("search/", search_page, name="search"),
    path("search/suggestions/", suggestions, name="suggestions"),
]
