"""Where restic finds a repository in regions of each kind; of their keys nothing gets out."""

import pytest

from agents.recovery.addresses import address_in, hidden_address
from vaults.regions.config_file import Place

BELOW = "vault/machine"
SECRET = "do-not-tell"
S3 = {"type": "s3", "access_key_id": f"{SECRET}-id", "secret_access_key": SECRET, "session_token": SECRET}


def place(remote: str, **config: str) -> Place:
    return Place("local-a", "Local A", remote, config=config)


@pytest.mark.parametrize(
    ("remote", "config", "lines"),
    [
        ("/srv/a", {}, ["export RESTIC_REPOSITORY=/srv/a/vault/machine"]),
        ("/srv/a/", {}, ["export RESTIC_REPOSITORY=/srv/a/vault/machine"]),
        ("/", {}, ["export RESTIC_REPOSITORY=/vault/machine"]),
        ("/srv/it's $HOME", {}, ["""export RESTIC_REPOSITORY='/srv/it'"'"'s $HOME/vault/machine'"""]),
        (
            "store:bucket/root/",
            {**S3, "endpoint": "http://127.0.0.1:8333/"},
            [
                'export AWS_SHARED_CREDENTIALS_FILE="$PWD/region-key"',
                "export RESTIC_REPOSITORY=s3:http://127.0.0.1:8333/bucket/root/vault/machine",
            ],
        ),
        (
            "store:bucket",
            {**S3, "endpoint": "s3.example.com", "region": "eu-west-3"},
            [
                'export AWS_SHARED_CREDENTIALS_FILE="$PWD/region-key"',
                "export AWS_DEFAULT_REGION=eu-west-3",
                "export RESTIC_REPOSITORY=s3:https://s3.example.com/bucket/vault/machine",
            ],
        ),
        (
            "store:/bucket",
            {**S3, "provider": "AWS"},
            [
                'export AWS_SHARED_CREDENTIALS_FILE="$PWD/region-key"',
                "export RESTIC_REPOSITORY=s3:https://s3.amazonaws.com/bucket/vault/machine",
            ],
        ),
        (
            "blobs:container/root",
            {"type": "azureblob", "account": "acme", "key": SECRET},
            [
                'export RCLONE_CONFIG="$PWD/rclone.conf"',
                "export RESTIC_REPOSITORY=rclone:blobs:container/root/vault/machine",
            ],
        ),
        (
            "box:",
            {"type": "sftp", "host": "box", "pass": SECRET},
            ['export RCLONE_CONFIG="$PWD/rclone.conf"', "export RESTIC_REPOSITORY=rclone:box:vault/machine"],
        ),
        (
            "box:/srv",
            {},
            ['export RCLONE_CONFIG="$PWD/rclone.conf"', "export RESTIC_REPOSITORY=rclone:box:/srv/vault/machine"],
        ),
    ],
)
def test_what_is_typed(remote: str, config: dict[str, str], lines: list[str]) -> None:
    address = address_in(place(remote, **config), BELOW)
    assert list(address.lines) == lines
    assert SECRET not in repr(address)


@pytest.mark.parametrize(
    "endpoint", [f"https://me:{SECRET}@s3.example.com", f"https://s3.example.com?key={SECRET}", ""]
)
def test_an_s3_store_that_restic_is_better_not_told_of_is_reached_by_rclone(endpoint: str) -> None:
    address = address_in(place("store:bucket", **{**S3, "endpoint": endpoint, "provider": "Other"}), BELOW)
    assert address.repository == "rclone:store:bucket/vault/machine"
    assert SECRET not in repr(address)


def test_onlookers_learn_the_path_below_the_root_alone() -> None:
    address = hidden_address(BELOW)
    assert list(address.lines) == ["export RESTIC_REPOSITORY=ROOT-OF-THE-REGION/vault/machine"]
