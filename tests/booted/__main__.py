"""`python -m tests.booted ROOT AGENT`: boots ROOT and lets its own timer make a backup to the portal of `make run`.

ROOT is a debootstrap root with systemd, python3 and restic, AGENT the single file. Prints what it saw. PORT and
STRONGROOM_DATA say which portal.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.api_person import ApiPerson

UNIT = """\
[Unit]
Description=The trial
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/root/inside.sh >/root/trial.log 2>&1; systemctl poweroff'
[Install]
WantedBy=multi-user.target
"""
LIMIT = 420


def main(root: Path, agent: Path) -> int:
    """The exit status: 0 when a backup that the timer started is known to the portal."""
    data = Path(os.environ["STRONGROOM_DATA"])
    accounts = json.loads((data / "demo-accounts.json").read_text())
    address = f"http://localhost:{os.environ['PORT']}"
    staff = ApiPerson(address, "staff", accounts["staff"])
    vault = _vault(staff, ApiPerson(address, "approver", accounts["approver"]))
    credential = staff.post(f"vaults/{vault}/credentials", status=201)
    (root / "root/trial.VaultCredentials").write_text(json.dumps(credential))
    shutil.copy(agent, root / "root/agent")
    shutil.copy(Path(__file__).parent / "inside.sh", root / "root/inside.sh")
    for name in ("agent", "inside.sh"):
        (root / "root" / name).chmod(0o755)
    (root / "etc/systemd/system/trial.service").write_text(UNIT)
    subprocess.run(["systemctl", "--root", str(root), "enable", "trial.service"], check=True, capture_output=True)
    boot = ["systemd-nspawn", "-b", "--register=no", "--keep-unit", "--console=pipe", "-D", str(root)]
    subprocess.run(boot, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False)
    sys.stdout.write((root / "root/trial.log").read_text())
    (machine,) = staff.get(f"vaults/{vault}/machines")["items"]
    sys.stdout.write(json.dumps(machine, indent=1) + "\n")
    return 0 if "done" in (root / "root/.config/strongroom-agent/scheduled-runs.jsonl").read_text() else 1


def _vault(staff: ApiPerson, approver: ApiPerson) -> str:
    """A vault that is Active."""
    asked = staff.request_vault(f"Booted-{int(time.time())}", "local")
    decided = approver.post(f"vault-requests/{asked['id']}/approve", {"digest": asked["digest"], "comment": "A trial"})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if staff.get(f"vaults/{decided['vault_id']}")["state"] == "Active":
            return str(decided["vault_id"])
        time.sleep(0.5)
    raise AssertionError("the vault does not become Active")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
