"""The security of the AWS template.

cfn-lint reads types, properties and references. This module looks for anything public, open, unencrypted or written
down, and for roles with more rights than their task needs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).resolve().parent.parent / "infra" / "template.yml"
_WITHOUT_RESOURCE = {f"redshift-serverless:{verb}UsageLimit" for verb in ("Create", "Delete", "Update")}
_BINLOG = {"binlog_format": "ROW", "binlog_row_image": "FULL", "require_secure_transport": "1"}
_KEPT = ("AWS::S3::Bucket", "AWS::RDS::DBInstance", "AWS::RedshiftServerless::Namespace")
_THIS_ACCOUNT = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
_EVERYWHERE = ("0.0.0.0/0", "::/0")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short forms: ``!Ref x`` is ``{"Ref": "x"}``."""


def _short_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        return {key: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    return {key: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def faults(template: str) -> list[str]:
    """Each thing that is public, open, unencrypted, written down or allowed too much, with the name of its resource."""
    content = yaml.load(template, _Loader)  # noqa: S506 (a SafeLoader)
    resources = content["Resources"]
    found = [f"{name}: a secret is no parameter" for name in content["Parameters"] if "password" in name.lower()]
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        for fault in (
            *_of_type(resource["Type"], name, properties, resources),
            *_of_statements(resource["Type"], properties),
        ):
            found.append(f"{name}: {fault}")
        if resource["Type"] in _KEPT and resource.get("DeletionPolicy") not in ("Retain", "Snapshot"):
            found.append(f"{name}: its data would go with the stack")
    return found


def _of_type(type_: str, name: str, properties: dict[str, Any], resources: dict[str, Any]) -> Iterator[str]:
    match type_:
        case "AWS::S3::Bucket":
            blocked = properties.get("PublicAccessBlockConfiguration", {})
            if len(blocked) < 4 or not all(value is True for value in blocked.values()):
                yield "public access is not blocked"
            if not properties.get("BucketEncryption"):
                yield "it is not encrypted"
            rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
            if not any(rule["Status"] == "Enabled" and rule.get("ExpirationInDays") for rule in rules):
                yield "its files stay for ever"
            if not any(_denies_plain_text(policy, name) for policy in resources.values()):
                yield "it may be read without TLS"
        case "AWS::EC2::InternetGateway" | "AWS::EC2::NatGateway" | "AWS::EC2::EIP":
            yield "a way to the internet"
        case "AWS::EC2::Subnet" if properties.get("MapPublicIpOnLaunch"):
            yield "a public subnet"
        case "AWS::EC2::SecurityGroup":
            if not properties.get("SecurityGroupEgress"):
                yield "everything may go out: say what"
            for rule in (*properties.get("SecurityGroupIngress", []), *properties.get("SecurityGroupEgress", [])):
                if (
                    rule.get("CidrIp") in _EVERYWHERE
                    or rule.get("CidrIpv6") in _EVERYWHERE
                    or rule["IpProtocol"] in ("-1", -1)
                ):
                    yield "open to everybody, or for every protocol"
        case "AWS::RDS::DBInstance":
            if properties.get("PubliclyAccessible") is not False:
                yield "it is public"
            if properties.get("StorageEncrypted") is not True:
                yield "it is not encrypted"
            if "MasterUserPassword" in properties or not properties.get("ManageMasterUserPassword"):
                yield "its password is not Secrets Manager's"
            if not properties.get("BackupRetentionPeriod"):
                yield "without backups there is no binlog"
        case "AWS::RDS::DBParameterGroup":
            yield from (
                f"{key} is not {value}" for key, value in _BINLOG.items() if properties["Parameters"].get(key) != value
            )
        case "AWS::RedshiftServerless::Namespace":
            if "AdminUserPassword" in properties or not properties.get("ManageAdminPassword"):
                yield "its password is not Secrets Manager's"
        case "AWS::RedshiftServerless::Workgroup":
            if properties.get("PubliclyAccessible") is not False:
                yield "it is public"
            if properties.get("EnhancedVpcRouting") is not True:
                yield "COPY would leave the network"
            if {"ParameterKey": "require_ssl", "ParameterValue": "true"} not in properties.get("ConfigParameters", []):
                yield "it may be read without TLS"
            limits = [item["Properties"] for item in resources.values() if item["Type"].endswith("UsageLimit")]
            arn = {"Fn::GetAtt": f"{name}.Workgroup.WorkgroupArn"}
            if not any(limit["Workgroup"] == arn and limit["BreachAction"] == "deactivate" for limit in limits):
                yield "nothing limits its cost"
        case "AWS::SecretsManager::Secret" if "SecretString" in properties or "GenerateSecretString" not in properties:
            yield "a secret is generated, not written"
        case "AWS::CloudWatch::Alarm" if not properties.get("AlarmActions"):
            yield "an alarm that nobody hears"
        case _:
            pass


def _denies_plain_text(policy: dict[str, Any], bucket: str) -> bool:
    properties = policy.get("Properties", {})
    return policy["Type"] == "AWS::S3::BucketPolicy" and properties["Bucket"] == {"Ref": bucket} and any(
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") in (False, "false")
        for statement in properties["PolicyDocument"]["Statement"]
    )  # fmt: skip


def _of_statements(type_: str, properties: dict[str, Any]) -> Iterator[str]:
    trust = properties.get("AssumeRolePolicyDocument")
    documents = [
        trust,
        properties.get("PolicyDocument"),
        *(policy["PolicyDocument"] for policy in properties.get("Policies", [])),
    ]
    if properties.get("ManagedPolicyArns"):
        yield "managed policies allow more than is needed"
    for statement in (statement for document in documents if document for statement in document["Statement"]):
        if statement["Effect"] != "Allow":
            continue
        actions, targets = _list(statement.get("Action")), _list(statement.get("Resource"))
        if not actions or any(action.endswith("*") for action in actions) or "NotResource" in statement:
            yield f"a role may do anything: {statement.get('Action', 'no action named')}"
        if "*" in targets and not set(actions) <= _WITHOUT_RESOURCE:
            yield f"{', '.join(actions)} on everything there is"
        if type_ == "AWS::EC2::VPCEndpoint" and properties["VpcEndpointType"] == "Gateway":
            if statement.get("Principal") != "*" or statement.get("Condition") != _THIS_ACCOUNT:
                yield "a gateway lets roles of this account in by aws:PrincipalAccount alone"
        elif statement.get("Principal") in ("*", {"AWS": "*"}) or "NotPrincipal" in statement:
            yield "anybody is allowed"
    if trust and "redshift.amazonaws.com" in str(trust):
        for statement in (
            statement for policy in properties["Policies"] for statement in policy["PolicyDocument"]["Statement"]
        ):
            if not all(action.startswith(("s3:Get", "s3:List")) for action in _list(statement["Action"])):
                yield "Redshift only reads what is staged"
            if "s3:GetObject" in _list(statement["Action"]) and not str(statement["Resource"]).endswith("/landing/*'}"):
                yield "Redshift reads the staged files, not the whole bucket"


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def command() -> int:
    """``python -m checks template``: print the faults; returns the exit code."""
    try:
        found = faults(TEMPLATE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        print(f"error: {TEMPLATE} is not there.", file=sys.stderr)
        return 2
    for fault in found:
        print(f"{TEMPLATE.name}: {fault}", file=sys.stderr)
    return 1 if found else 0
