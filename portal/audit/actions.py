"""What each audited action is called in a sentence that begins with who did it.

`{name}` is a value of the entry's detail, `{target}` what it is about; `{name:kind}` says how the value is shown (see
`portal.audit.sentences`). What stands in `[…]` is left out when a value in it is missing. `action/outcome` goes before
`action` where the detail has an `outcome`. A test holds every action that the code records against these tables.
"""

from portal.core.actor import Via

SENTENCES = {
    # requests and vaults
    "vault-request:submit": "requested vault {target}[ in {subscription}][, {region}][, {redundancy:redundancy}]",
    "vault-request:approved": "approved the request for vault {target}",
    "vault-request:rejected": "rejected the request for vault {target}",
    "vault-request:cancelled": "cancelled the request for vault {target}",
    "vault-request:expired": "let the request for vault {target} expire: nobody decided in time",
    "vault:create": "created vault {target}[ in {subscription}][, {region}][, {redundancy:redundancy}]",
    "vault:creating": "began to set up the storage of vault {target}",
    "vault:active": "finished setting up vault {target}: it is Active",
    "vault:failed": "could not set up vault {target}[: {reason}]",
    "vault:retry": "started the failed setup of vault {target} again",
    "vault:removing": "began to remove vault {target}[: {reason}]",
    "vault:removed": "removed vault {target}",
    "vault:redundancy": "changed the redundancy of vault {target} from {from:redundancy} to {to:redundancy}",
    "vault:confirm-redundancy": "confirmed the redundancy of vault {target}",
    "vault:lock-redundancy": "was the first machine of vault {target} and so locked its redundancy"
    "[ as {redundancy:redundancy}]",
    "operation:running": "started again: {target}",
    "operation:succeeded": "finished: {target}",
    "operation:failed": "could not finish: {target}[. {reason}]",
    # credentials and machines
    "credential:issue": "downloaded credentials[ of vault {vault:vault}]"
    "[ for {machines:many machine}][ to replace machine {replaces}]"
    "[; the private key was made {key:origin}]",
    "credential:end": "ended {target}",
    "machine:register": "registered[ in vault {vault:vault}]"
    "[ with credential {credential:serial}][, issued by {issued_by:person}]",
    "machine:replace": "replaced the previous computer[, with credential {credential:serial}]"
    "[, issued by {issued_by:person}]",
    "machine:ready": "became Ready: backed up, and a restore was compared",
    "machine:registered": "is Registered again",
    "machine:suspend": "was suspended[: {reason}]",
    "machine:suspended": "was suspended[: {reason}]",
    "machine:revoke": "revoked machine {target}[: {reason}]",
    "machine:revoked": "revoked machine {target}[: {reason}]",
    "machine:unregister": "unregistered itself; its backups are kept",
    "machine:unregistered": "unregistered itself; its backups are kept",
    "machine:renew": "renewed its certificate",
    "machine:backup/succeeded": "backed up[ {files:many file}][, {bytes:size}][; {bytes_added:size} new]"
    "[, but {code:ending}]",
    "machine:backup/failed": "reported a failed backup[: {code:code}]",
    "machine:restore-check/succeeded": "restored for a check[: {compared:number} of {total:many file} compared]"
    "[, {proven:some file} proven against the snapshot][; {mismatched:some file} differed]",
    "machine:restore-check/failed": "reported a failed restore check[: {code:code}]",
    "machine:restore/succeeded": "restored[ {files:many file}][, {bytes:size}]",
    "machine:restore/failed": "reported a failed restore[: {code:code}]",
    "machine:check/succeeded": "checked its repository and found no damage",
    "machine:check/failed": "reported a failed check[: {code:code}]",
    "machine:repair/succeeded": "repaired its repository[: {found:many error} found]",
    "machine:repair/failed": "reported a failed repair[: {code:code}]",
    "replacement:ask": "requested the {target}[: {reason}]",
    "replacement:pending": "requested the {target}",
    "replacement:approved": "approved the {target}",
    "replacement:rejected": "rejected the {target}[: {comment}]",
    "replacement:cancelled": "cancelled the {target}",
    "replacement:expired": "let the {target} expire: nobody decided or used it in time",
    "replacement:used": "completed the {target}",
    # what is stored
    "object:quarantine": "set a damaged object of vault {target} in {region} aside",
    "object:remove": "moved an index object of vault {target} to the trash[: {more_objects:many object} more]",
    "object:repair": "repaired an object of vault {target} in {region} with the copy from {from}",
    "object:differs": "found that the copies of an object of vault {target} in {region} and {other} differ",
    "snapshot:trash": "moved snapshot {snapshot} of a machine of vault {target} to the trash[: {reason}]",
    "snapshot:put-back": "put snapshot {snapshot} of a machine of vault {target} back from the trash[: {reason}]",
    "region:add": "added region {target}",
    "region:rename": "renamed region {from} to {to}",
    "region:enable": "opened region {target} for new vaults",
    "region:disable": "closed region {target} for new vaults[: {why}]",
    "region:quotas": "changed the quotas of region {target}",
    # people
    "session:sign-in": "signed in",
    "session:sign-out": "signed out",
    "session:confirm": "confirmed the password",
    "token:make": "created API token {target}[, scope {scope}][, for {days:many day}]",
    "token:revoke": "revoked API token {target}",
    "user:create": "created the account {target}[ with roles {roles:list}]",
    "user:describe": "changed the name or address of {target}",
    "user:set-roles": "changed the roles of {target} from {from:list} to {to:list}",
    "user:activate": "enabled the account {target}",
    "user:deactivate": "disabled the account {target}[ and revoked {tokens_revoked:many token}]",
    "user:set-password": "set another password for {target}[ and revoked {tokens_revoked:many token}]",
    "user:change-password": "changed their password[ and revoked {tokens_revoked:many token}]",
    "subscription:create": "created subscription {target}",
    "subscription:rename": "renamed subscription {from} to {to}",
    "membership:add": "added {person:person} to subscription {target}",
    "membership:remove": "removed {person:person} from subscription {target}",
    # the portal itself
    "agent-package:publish": "published agent package {target}",
    "agent-package:withdraw": "withdrew agent package {target}",
    "pki:another-root": "gave the database to another root of the certificate authorities",
    "pki:rotate": "replaced the certificate authorities[: generation {generation}]",
    "pki:retire": "retired generation {generation} of the certificate authorities",
    "pki:reseal": "sealed {keys:many key} with another key",
    "pki:renew_edge": "renewed the certificate of the edge[ until {until:time}]",
    "audit:read": "read the audit log",
}

REFUSALS = {
    "vault-request:decide": "could not decide on the request for vault {target}",
    "vault-request:cancel": "could not cancel the request for vault {target}",
    "replacement:decide": "could not decide on the {target}",
    "replacement:cancel": "could not cancel the {target}",
    "replacement:download": "could not download the credentials of the {target}",
    "machine:register": "could not register[ with credential {credential:serial}]",
    "agent-message:refuse": "sent a message[ for {endpoint}] that was not accepted[: {reason}]",
    "session:sign-in": "could not sign in",
    "session:confirm": "could not confirm the password",
    "refusal:others": "had other requests refused",
}
"""The same for entries of what was refused; the reason and how often follow by themselves."""

REASONS = {
    "wrong": "wrong password",
    "throttled": "too many attempts",
    "stale_state": "somebody else was first",
    "content_changed": "the content had changed",
    "own_request": "it is their own request",
    "not_allowed": "not allowed",
    "clock_skew": "the clock is off",
    "machine_exists": "a machine of that name exists",
    "vault_not_active": "the vault is not Active",
    "credential_expired": "the credential has expired",
    "credential_superseded": "the credential was replaced or ended",
    "credential_used_up": "the credential is used up",
    "credential_invalid": "the credential is not valid",
    # how a run of an agent failed
    "cache_unusable": "the cache folder cannot be used",
    "disk_full": "a disk of the machine is full",
    "engine_failed": "restic failed",
    "engine_missing": "there is no restic",
    "engine_too_old": "restic is too old",
    "internal": "a fault of the agent's",
    "file_unusable": "a file or folder of the machine cannot be used",
    "interrupted": "it was interrupted",
    "network": "no connection",
    "no_room": "too little room for what is restored",
    "passphrase_missing": "the passphrase is missing",
    "passphrase_wrong": "wrong passphrase",
    "protect_missing": "what is protected is not there",
    "quota_full": "the quota is used up",
    "repair_incomplete": "something is lost for good",
    "repository_damaged": "stored backups are damaged",
    "repository_locked": "another run was at work",
    "repository_missing": "there is no repository",
    "restore_check_failed": "what was restored differs",
    "restore_incomplete": "not everything was restored",
    "snapshot_unknown": "there is no such snapshot",
    "state_damaged": "a file of the agent's own is missing or damaged",
    "target_in_the_way": "something is in the way in the target",
    "target_not_empty": "the target is not empty",
    "unavailable": "the storage did not answer",
    "usage": "wrong command line",
}
"""Codes in words; those that are not here are shown with spaces."""

ENDINGS = {
    "done_with_unreadable": "some files could not be read",
    "done_with_losses": "protected folders have lost files",
    "done_on_damaged": "stored data is damaged or missing",
}
"""What is to be said of a run that did what it is for, by its code; of others nothing."""

WAYS: dict[str, str] = {
    Via.PAGE: "portal",
    Via.API: "API",
    Via.TOKEN: "API token",
    Via.AGENT: "agent",
    Via.ADMIN: "administration",
    Via.COMMAND: "command line",
    Via.WORKER: "background work",
}
"""By which way an actor came."""

PAGES = {
    "vault": "vaults:vault",
    "vaultrequest": "vaults:request",
    "machine": "agents:machine",
}
"""Pages of what an entry is about, by its type; each takes the key."""
