"""URLs of agents."""

from django.urls import path

from agents.views import replacement, stored
from agents.views.gateway import remove, store_key
from agents.views.machines import machine, machine_list, revoke
from agents.views.packages import onboarding_figures, package_list
from agents.views.quick_start import confirm, download, end, end_code, quick_start, roll_out, show_code
from agents.views.receipts import receipt
from agents.views.recovery_kit import download as recovery_kit_file
from agents.views.recovery_kit import recovery_kit
from agents.views.updates import pause_release, release_list, resume_release, stage_release, withdraw_release

app_name = "agents"
urlpatterns = [
    path("vaults/<uuid:vault_id>/quick-start/", quick_start, name="quick-start"),
    path("vaults/<uuid:vault_id>/quick-start/confirm/", confirm, name="confirm-redundancy"),
    path("vaults/<uuid:vault_id>/credentials/", download, name="credentials"),
    path("vaults/<uuid:vault_id>/credentials/end/", end, name="end-credentials"),
    path("vaults/<uuid:vault_id>/codes/", show_code, name="codes"),
    path("vaults/<uuid:vault_id>/codes/<uuid:code_id>/end/", end_code, name="end-code"),
    path("vaults/<uuid:vault_id>/quick-start/roll-out/", roll_out, name="roll-out"),
    path("vaults/<uuid:vault_id>/machines/", machine_list, name="machines"),
    path("machines/<uuid:machine_id>/", machine, name="machine"),
    path("machines/<uuid:machine_id>/revoke/", revoke, name="revoke"),
    path("machines/<uuid:machine_id>/receipts/<uuid:run_id>/", receipt, name="receipt"),
    path("machines/<uuid:machine_id>/recovery-kit/", recovery_kit, name="recovery-kit"),
    path("machines/<uuid:machine_id>/recovery-kit/file/", recovery_kit_file, name="recovery-kit-file"),
    path("machines/<uuid:machine_id>/let-purge/", stored.let_purge, name="let-purge"),
    path("machines/<uuid:machine_id>/bring-back/", stored.bring_back, name="bring-back"),
    path("machines/<uuid:machine_id>/replacement/", replacement.page, name="replacement"),
    path("replacements/<uuid:request_id>/credentials/", replacement.download, name="replacement-credentials"),
    path("agents/", package_list, name="packages"),
    path("agents/updates/", release_list, name="updates"),
    path("agents/updates/<uuid:release_id>/stage/", stage_release, name="stage-release"),
    path("agents/updates/<uuid:release_id>/pause/", pause_release, name="pause-release"),
    path("agents/updates/<uuid:release_id>/resume/", resume_release, name="resume-release"),
    path("agents/updates/<uuid:release_id>/withdraw/", withdraw_release, name="withdraw-release"),
    path("agents/onboarding/", onboarding_figures, name="onboarding"),
    path("gateway/remove", remove, name="gateway-remove"),
    path("gateway/key", store_key, name="gateway-key"),
]
