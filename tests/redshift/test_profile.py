"""The redshift target of profiles.yml: what dbt-redshift makes of it for each way to log in."""

from typing import Any

import pytest
import redshift_connector
import yaml
from dbt.adapters.redshift.connections import RedshiftCredentials, get_connection_method
from dbt.config.profile import Profile
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context

from tests.conftest import PROJECT

WAYS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "password": (
        {
            "REDSHIFT_HOST": "cluster.example.org",
            "REDSHIFT_USER": "dbt",
            "REDSHIFT_PASSWORD": "only-here",  # pragma: allowlist secret
        },
        {"user": "dbt", "password": "only-here", "is_serverless": False},  # pragma: allowlist secret
    ),
    "IAM on a cluster": (
        {"REDSHIFT_METHOD": "iam", "REDSHIFT_HOST": "cluster.example.org", "REDSHIFT_CLUSTER_ID": "shop"},
        {"iam": True, "db_user": "dbt", "password": "", "cluster_identifier": "shop", "is_serverless": False},
    ),
    "IAM role on Serverless": (
        {
            "REDSHIFT_METHOD": "iam_role",
            "REDSHIFT_HOST": "shop.123456789012.eu-central-1.redshift-serverless.example.org",
            "REDSHIFT_WORKGROUP": "shop",
            "REDSHIFT_ACCOUNT_ID": "123456789012",
            "REDSHIFT_REGION": "eu-central-1",
        },
        {
            "iam": True,
            "db_user": None,
            "password": "",
            "is_serverless": True,
            "serverless_work_group": "shop",
            "serverless_acct_id": "123456789012",
            "region": "eu-central-1",
        },
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_driver_gets_what_this_login_needs_and_verifies_the_server(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, expected = WAYS[way]
    given = arguments(environment, monkeypatch)
    assert {key: given.get(key) for key in expected} == expected
    assert given["ssl"] is True and given["sslmode"] == "verify-full"
    assert given.get("timeout") is None  # it would cut off every statement, not only the login
    assert not {"access_key_id", "secret_access_key"} & given.keys()


def arguments(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What dbt-redshift would give to its driver."""
    profiles = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text(encoding="utf-8"))
    set_invocation_context(environment)
    renderer = ProfileRenderer({})
    _, target = Profile.render_profile(profiles["classicmodels"], "classicmodels", "redshift", renderer)
    assert isinstance(target, dict)
    settings = RedshiftCredentials.translate_aliases(
        {key: target[key] for key in target if key not in ("type", "threads")}
    )
    RedshiftCredentials.validate(settings)
    given: dict[str, Any] = {}

    class Connected(Exception):
        pass

    def connect(**words: Any) -> None:
        given.update(words)
        raise Connected

    monkeypatch.setattr(redshift_connector, "connect", connect)
    with pytest.raises(Connected):
        get_connection_method(RedshiftCredentials.from_dict(settings))()
    return given
