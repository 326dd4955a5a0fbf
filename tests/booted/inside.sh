#!/bin/sh
# What the booted root does by itself: set up, be started by its own timer, be looked at, and leave nothing behind.
set -u
agent=/usr/local/bin/strongroom-agent
say() { printf '\n=== %s\n' "$1"; }
wait_for() { n=0; until eval "$1"; do n=$((n + 1)); [ $n -lt 240 ] || { echo "TIMED OUT: $1"; return 1; }; sleep 1; done; }
say "setup"
/root/agent setup --unattended --credentials /root/trial.VaultCredentials --install-dir /opt/strongroom-agent \
    --cache-dir /var/cache/strongroom-agent --protect /srv/data --generate-passphrase \
    --save-passphrase-to /root/passphrase --name booted --json
say "where it is, and its units"
ls -l $agent
systemctl cat strongroom-agent.timer strongroom-agent.service
systemd-analyze verify /etc/systemd/system/strongroom-agent.timer /etc/systemd/system/strongroom-agent.service
say "the timer fires"
mkdir -p /etc/systemd/system/strongroom-agent.timer.d
printf '[Timer]\nRandomizedDelaySec=0\n' >/etc/systemd/system/strongroom-agent.timer.d/trial.conf
$agent schedule daily "$(date -d '+70 seconds' +%H:%M)" --exclude '*.tmp' --before 'echo before >>/root/trace' \
    --after 'echo "after $STRONGROOM_OUTCOME" >>/root/trace'
systemctl list-timers --all --no-pager strongroom-agent.timer
date
wait_for 'grep -q "\"code\": \"done\"" /root/.config/strongroom-agent/scheduled-runs.jsonl 2>/dev/null'
date
cat /root/.config/strongroom-agent/scheduled-runs.jsonl /root/trace
wait_for '[ "$(systemctl is-active strongroom-agent.service)" = inactive ]'
systemctl show strongroom-agent.service -p Result -p ExecMainStatus -p Nice -p IOSchedulingClass
journalctl --no-pager -u strongroom-agent.service | tail -12
say "doctor"
$agent doctor
say "a second home"
STRONGROOM_AGENT_HOME=/srv/other $agent schedule
say "off"
$agent schedule off
ls /etc/systemd/system/strongroom-agent.timer /etc/systemd/system/strongroom-agent.service
systemctl is-active strongroom-agent.timer
say "end"
