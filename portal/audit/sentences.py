"""What each audited action is called in a sentence that begins with who did it.

`{name}` is a value of the entry's detail, `{target}` what it is about; `{name:kind}` says how the value is shown (see
`portal.audit.rendering`). What stands in `[…]` is left out when a value in it is missing.
"""

from portal.audit.actions import Action
from portal.core.actor import Via

SENTENCES: dict[str, str] = {
    # requests and vaults
    Action.VAULT_REQUEST_SUBMIT: "requested vault {target}[ in {subscription}][, {region}][, {redundancy:redundancy}]",
    Action.VAULT_REQUEST_APPROVED: "approved the request for vault {target}",
    Action.VAULT_REQUEST_REJECTED: "rejected the request for vault {target}",
    Action.VAULT_REQUEST_CANCELLED: "cancelled the request for vault {target}",
    Action.VAULT_REQUEST_EXPIRED: "let the request for vault {target} expire: nobody decided in time",
    Action.VAULT_CREATE: "created vault {target}[ in {subscription}][, {region}][, {redundancy:redundancy}]",
    Action.VAULT_CREATING: "began to set up the storage of vault {target}",
    Action.VAULT_ACTIVE: "finished setting up vault {target}: it is Active",
    Action.VAULT_FAILED: "could not set up vault {target}[: {reason}]",
    Action.VAULT_RETRY: "started the failed setup of vault {target} again",
    Action.VAULT_REMOVING: "began to remove vault {target}[: {reason}]",
    Action.VAULT_REMOVED: "removed vault {target}",
    Action.VAULT_REDUNDANCY: "changed the redundancy of vault {target} from {from:redundancy} to {to:redundancy}",
    Action.VAULT_CONFIRM_REDUNDANCY: "confirmed the redundancy of vault {target}",
    Action.VAULT_LOCK_REDUNDANCY: "was the first machine of vault {target} and so locked its redundancy"
    "[ as {redundancy:redundancy}]",
    Action.VAULT_RETENTION: "changed the retention policy of vault {target}[: {change}]",
    Action.VAULT_EXPECTED_RESTORE: "changed the expected restore time of vault {target}[ to {to}][ from {from}]",
    Action.RETENTION_CHANGE_ASK: "requested {target}[: {change}][ ({reason})]",
    Action.RETENTION_CHANGE_APPROVED: "agreed to {target}",
    Action.RETENTION_CHANGE_REJECTED: "rejected {target}[: {comment}]",
    Action.RETENTION_CHANGE_CANCELLED: "cancelled the request for {target}",
    Action.RETENTION_CHANGE_EXPIRED: "let the request for {target} expire: nobody decided in time",
    Action.OPERATION_RUNNING: "started again: {target}",
    Action.OPERATION_SUCCEEDED: "finished: {target}",
    Action.OPERATION_FAILED: "could not finish: {target}[. {reason}]",
    # credentials and machines
    Action.CREDENTIAL_ISSUE: "downloaded credentials[ of vault {vault:vault}]"
    "[ for {machines:many machine}][ to replace machine {replaces}]"
    "[; the private key was made {key:origin}]",
    Action.CREDENTIAL_END: "ended {target}",
    Action.CODE_SHOW: "had a {target} shown[ for vault {vault:vault}]",
    Action.CODE_REDEEM: "redeemed a one-time code[ of {issued_by:person}][ for credentials of vault {vault:vault}]",
    Action.CODE_END: "ended {target}[ of vault {vault:vault}]",
    Action.MACHINE_REGISTER: "registered[ in vault {vault:vault}]"
    "[ with credential {credential:serial}][, issued by {issued_by:person}]",
    Action.MACHINE_REPLACE: "replaced the previous computer[, with credential {credential:serial}]"
    "[, issued by {issued_by:person}]",
    Action.MACHINE_READY: "became Ready: backed up, and a restore was compared",
    Action.MACHINE_REGISTERED: "is Registered again",
    Action.MACHINE_SUSPEND: "was suspended[: {reason}]",
    Action.MACHINE_SUSPENDED: "was suspended[: {reason}]",
    Action.MACHINE_REVOKE: "revoked machine {target}[: {reason}]",
    Action.MACHINE_REVOKED: "revoked machine {target}[: {reason}]",
    Action.MACHINE_UNREGISTER: "unregistered itself; its backups are kept",
    Action.MACHINE_UNREGISTERED: "unregistered itself; its backups are kept",
    Action.MACHINE_RENEW: "renewed its certificate",
    Action.MACHINE_SCHEDULE: "told of another schedule[: a backup every {every_hours:many hour}]"
    "[ instead of every {before:many hour}]",
    Action.MACHINE_LATE: "was found late: machine {target} promised a backup[ every {every_hours:many hour}]",
    Action.MACHINE_UNPROVEN: "was found without a new proof: of machine {target} no restore was proven[ since {since}]",
    Action.MACHINE_SLOW: "was found slow: restoring all of machine {target} would take {takes}"
    "[ of the {expected_hours:many hour} that are expected]",
    Action.REPLACEMENT_ASK: "requested the {target}[: {reason}]",
    Action.REPLACEMENT_PENDING: "requested the {target}",
    Action.REPLACEMENT_APPROVED: "approved the {target}",
    Action.REPLACEMENT_REJECTED: "rejected the {target}[: {comment}]",
    Action.REPLACEMENT_CANCELLED: "cancelled the {target}",
    Action.REPLACEMENT_EXPIRED: "let the {target} expire: nobody decided or used it in time",
    Action.REPLACEMENT_USED: "completed the {target}",
    # what is stored
    Action.OBJECT_QUARANTINE: "set a damaged object of vault {target} in {region} aside",
    Action.OBJECT_REMOVE: "moved a stored object of vault {target} to the trash[: {more_objects:many object} more]",
    Action.OBJECT_REPAIR: "repaired an object of vault {target} in {region} with the copy from {from}",
    Action.OBJECT_DIFFERS: "found that the copies of an object of vault {target} in {region} and {other} differ",
    Action.SNAPSHOT_TRASH: "moved snapshot {snapshot} of a machine of vault {target} to the trash[: {reason}]",
    Action.SNAPSHOT_PUT_BACK: "put snapshot {snapshot} of a machine of vault {target} back from the trash[: {reason}]",
    Action.RETAIN_ANNOUNCE: "announced a retain[: {snapshots:many snapshot} go][, {kept:number} stay]",
    Action.PURGE_HOLD: "had the purge of a machine's trash in vault {target} held[: {reason}]",
    Action.PURGE_RELEASE: "let the trash of a machine of vault {target} be purged when its time comes[: {reason}]",
    Action.TRASH_PURGE: "purged[ {objects:many object}][, {bytes:size},] from the trash of a machine of vault {target}",
    Action.REPOSITORY_BRING_BACK: "asked to bring back a machine's backups in vault {target}[ as of {as_of:time}]"
    "[: {reason}]",
    Action.REPOSITORY_BROUGHT_BACK: "brought a machine's backups in vault {target} back[ as of {as_of:time}]"
    "[: {returned:many object} returned][, {set_aside:number} set aside]",
    Action.REGION_ADD: "added region {target}",
    Action.REGION_RENAME: "renamed region {from} to {to}",
    Action.REGION_ENABLE: "opened region {target} for new vaults",
    Action.REGION_DISABLE: "closed region {target} for new vaults[: {why}]",
    Action.REGION_QUOTAS: "changed the quotas of region {target}",
    Action.REGION_LOCK: "extended the object locks of region {target}[: {extended:many object}]"
    "[, {erased:number} old ones erased]",
    Action.OBJECT_HIDDEN: "found[ {objects:many object}] of vault {target} deleted or replaced in the store of {region}"
    " itself",
    # people
    Action.SESSION_SIGN_IN: "signed in",
    Action.SESSION_SIGN_OUT: "signed out",
    Action.SESSION_CONFIRM: "confirmed the password",
    Action.TOKEN_MAKE: "created API token {target}[, scope {scope}][, for {days:many day}]",
    Action.TOKEN_REVOKE: "revoked API token {target}",
    Action.USER_CREATE: "created the account {target}[ with roles {roles:list}]",
    Action.USER_DESCRIBE: "changed the name or address of {target}",
    Action.USER_SET_ROLES: "changed the roles of {target} from {from:list} to {to:list}",
    Action.USER_ACTIVATE: "enabled the account {target}",
    Action.USER_DEACTIVATE: "disabled the account {target}[ and revoked {tokens_revoked:many token}]",
    Action.USER_SET_PASSWORD: "set another password for {target}[ and revoked {tokens_revoked:many token}]",
    Action.USER_CHANGE_PASSWORD: "changed their password[ and revoked {tokens_revoked:many token}]",
    Action.SUBSCRIPTION_CREATE: "created subscription {target}",
    Action.SUBSCRIPTION_RENAME: "renamed subscription {from} to {to}",
    Action.MEMBERSHIP_ADD: "added {person:person} to subscription {target}",
    Action.MEMBERSHIP_REMOVE: "removed {person:person} from subscription {target}",
    # the portal itself
    Action.AGENT_PACKAGE_PUBLISH: "published agent package {target}",
    Action.AGENT_PACKAGE_WITHDRAW: "withdrew agent package {target}",
    Action.AGENT_RELEASE_PUBLISH: "published agent release {target}",
    Action.AGENT_RELEASE_RENEW: "renewed agent release {target}[ until {until:time}]",
    Action.AGENT_RELEASE_STAGE: "gave agent release {target} to {share} % of machines"
    "[ and to all of {subscriptions:list}]",
    Action.AGENT_RELEASE_PAUSED: "paused agent release {target}",
    Action.AGENT_RELEASE_OFFERED: "continued agent release {target}",
    Action.AGENT_RELEASE_REPLACED: "replaced agent release {target} by {by}",
    Action.AGENT_RELEASE_WITHDRAWN: "withdrew agent release {target}",
    Action.PKI_ANOTHER_ROOT: "gave the database to another root of the certificate authorities",
    Action.PKI_ROTATE: "replaced the certificate authorities[: generation {generation}]",
    Action.PKI_RETIRE: "retired generation {generation} of the certificate authorities",
    Action.PKI_RESEAL: "sealed {keys:many key} with another key",
    Action.PKI_RENEW_EDGE: "renewed the certificate of the edge[ until {until:time}]",
    Action.AUDIT_READ: "read the audit log",
}

OUTCOMES: dict[tuple[str, str], str] = {
    (Action.MACHINE_BACKUP, "succeeded"): "backed up[ {files:many file}][, {bytes:size}][; {bytes_added:size} new]"
    "[, but {code:ending}]",
    (Action.MACHINE_BACKUP, "failed"): "reported a failed backup[: {code:code}]",
    (
        Action.MACHINE_RESTORE_CHECK,
        "succeeded",
    ): "restored for a check[: {compared:number} of {total:many file} compared]"
    "[, {proven:some file} proven against the snapshot][; {mismatched:some file} differed]",
    (Action.MACHINE_RESTORE_CHECK, "failed"): "reported a failed restore check[: {code:code}]",
    (Action.MACHINE_RESTORE, "succeeded"): "restored[ {files:many file}][, {bytes:size}]",
    (Action.MACHINE_RESTORE, "failed"): "reported a failed restore[: {code:code}]",
    (Action.MACHINE_CHECK, "succeeded"): "checked its repository and found no damage",
    (Action.MACHINE_CHECK, "failed"): "reported a failed check[: {code:code}]",
    (Action.MACHINE_REPAIR, "succeeded"): "repaired its repository[: {found:many error} found]",
    (Action.MACHINE_REPAIR, "failed"): "reported a failed repair[: {code:code}]",
    (Action.MACHINE_RETAIN, "succeeded"): "thinned its snapshots[: {forgotten:number} gone][, {freed:size} freed]"
    "[, {refused:number} refused]",
    (Action.MACHINE_RETAIN, "failed"): "reported a failed retain[: {code:code}]",
}
"""The same for entries whose detail has this `outcome`."""

REFUSALS: dict[str, str] = {
    Action.VAULT_REQUEST_DECIDE: "could not decide on the request for vault {target}",
    Action.VAULT_REQUEST_CANCEL: "could not cancel the request for vault {target}",
    Action.RETENTION_CHANGE_DECIDE: "could not decide on {target}",
    Action.RETENTION_CHANGE_CANCEL: "could not cancel the request for {target}",
    Action.REPLACEMENT_DECIDE: "could not decide on the {target}",
    Action.REPLACEMENT_CANCEL: "could not cancel the {target}",
    Action.REPLACEMENT_DOWNLOAD: "could not download the credentials of the {target}",
    Action.MACHINE_REGISTER: "could not register[ with credential {credential:serial}]",
    Action.CODE_REDEEM: "could not redeem a one-time code",
    Action.AGENT_MESSAGE_REFUSE: "sent a message[ for {endpoint}] that was not accepted[: {reason}]",
    Action.SESSION_SIGN_IN: "could not sign in",
    Action.SESSION_CONFIRM: "could not confirm the password",
    Action.REFUSAL_OTHERS: "had other requests refused",
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
    "code_expired": "the one-time code has expired",
    "code_ended": "the one-time code was ended",
    "code_invalid": "there is no such one-time code",
    "code_used": "another machine has used the one-time code",
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
    "done_after_failed": "the command after it failed",
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
    "retentionchange": "vaults:request",
    "machine": "agents:machine",
}
"""Pages of what an entry is about, by its type; each takes the key."""
