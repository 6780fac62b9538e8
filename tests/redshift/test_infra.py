"""The template is clean, and each fault put into it is found: by cfn-lint, or by what cfn-lint cannot know."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from checks.template import TEMPLATE, faults
from tests.conftest import PROJECT

TEXT = TEMPLATE.read_text(encoding="utf-8")
CFN_LINT = PROJECT / ".venv-infra" / "bin" / "cfn-lint"

# What is put into the template, and the code cfn-lint gives it.
MISTAKES = {
    "a misspelt property": (
        "PubliclyAccessible: false\n      EnhancedVpc",
        "PubliclyAccesible: false\n      EnhancedVpc",
        "E3002",
    ),
    "a dangling Ref": (
        "SubnetIds: [!Ref SubnetA, !Ref SubnetB, !Ref SubnetC]\n  MySQL:",
        "SubnetIds: [!Ref SubnetD]\n  MySQL:",
        "E1020",
    ),
    "an attribute that is not there": ("MySQL.Endpoint.Address", "MySQL.Endpoint.Adress", "E6101"),
    "a type that is not there": ("AWS::RedshiftServerless::Workgroup", "AWS::RedshiftServerless::WorkGroup", "E3006"),
    "a condition that is not there": ("Condition: TellSomebody", "Condition: TellEverybody", "E3015"),
    "a value that is not allowed": ("ObjectOwnership: BucketOwnerEnforced", "ObjectOwnership: Mine", "E3030"),
    "a missing property": ("      CidrBlock: !Ref VpcCidr\n", "", "E3"),
}

# What is put into the template, and what our own check says of it.
RISKS = {
    "a bucket without encryption": (r"      BucketEncryption:\n.*\n.*\n", "", "StagingBucket: it is not encrypted"),
    "a public bucket": ("BlockPublicPolicy: true", "BlockPublicPolicy: false", "StagingBucket: public access is not blocked"),
    "a bucket nobody empties": ("ExpirationInDays: 7", "NoncurrentVersionExpirationInDays: 7", "StagingBucket: its files stay for ever"),
    "a bucket without TLS": ("aws:SecureTransport: false", "aws:SecureTransport: true", "StagingBucket: it may be read without TLS"),
    "a bucket that goes with the stack": (
        r"    DeletionPolicy: Retain\n(?=    UpdateReplacePolicy: Retain\n    Properties:\n      BucketEnc)",
        "",
        "StagingBucket: its data would go with the stack",
    ),
    "a wildcard in an action": ("Action: s3:GetObject\n", "Action: s3:*\n", "CopyRole: a role may do anything: s3:*"),
    "every action": (r"Action: secretsmanager:GetSecretValue", 'Action: "*"', "ExecutionRole: a role may do anything: *"),
    "a role that writes what it should read": (
        "Action: s3:GetObject\n",
        "Action: [s3:GetObject, s3:PutObject]\n",
        "CopyRole: Redshift only reads what is staged",
    ),
    "a role that reads the whole bucket": (
        r'(Action: s3:GetObject\n\s+Resource: !Sub "\$\{StagingBucket.Arn\}/)landing/\*',
        r"\1*",
        "CopyRole: Redshift reads the staged files, not the whole bucket",
    ),
    "every secret": (r"Resource: \[!Ref MySQLLogin, !Ref RedshiftLogin\]", 'Resource: "*"', "ExecutionRole: secretsmanager:GetSecretValue on everything"),
    "a role for anybody": ("Principal: {Service: ecs-tasks.amazonaws.com}", 'Principal: "*"', "LoaderRole: anybody is allowed"),
    "a gateway for the root user alone": (
        r'Principal: "\*" # a gateway.*\n.*\n',
        'Principal: {AWS: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}\n',
        "S3Endpoint: a gateway lets roles of this account in",
    ),
    "a gateway for anybody": (r"            Condition: \{StringEquals: \{aws:PrincipalAccount.*\n", "", "S3Endpoint: a gateway lets roles of this account in"),
    "a gateway for another account": ("aws:PrincipalAccount: !Ref AWS::AccountId", 'aws:PrincipalAccount: "123456789012"', "S3Endpoint: a gateway lets"),
    "a managed policy": (
        "  LoaderRole:\n(.*\n)    Type: AWS::IAM::Role\n    Properties:\n",
        "  LoaderRole:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonS3FullAccess]\n",
        "LoaderRole: managed policies",
    ),
    "a public workgroup": (r"PubliclyAccessible: false\n      EnhancedVpc", "PubliclyAccessible: true\n      EnhancedVpc", "Workgroup: it is public"),
    "COPY over the internet": ("EnhancedVpcRouting: true", "EnhancedVpcRouting: false", "Workgroup: COPY would leave the network"),
    "Redshift without TLS": ('require_ssl, ParameterValue: "true"', 'require_ssl, ParameterValue: "false"', "Workgroup: it may be read without TLS"),
    "no limit of the cost": ("BreachAction: deactivate", "BreachAction: log", "Workgroup: nothing limits its cost"),
    "a public MySQL": (r"PubliclyAccessible: false\n      DBSubnet", "PubliclyAccessible: true\n      DBSubnet", "MySQL: it is public"),
    "a MySQL without encryption": ("StorageEncrypted: true", "StorageEncrypted: false", "MySQL: it is not encrypted"),
    "a password in the template": ("ManageMasterUserPassword: true", "MasterUserPassword: tiger", "MySQL: its password"),
    "a password as a parameter": (r"Parameters:\n  Project", "Parameters:\n  MySQLPassword: {Type: String}\n  Project", "MySQLPassword: a secret is no parameter"),
    "a secret written down": (
        r"Description: The Redshift user that lands and builds\n",
        "Description: The Redshift user\n      SecretString: tiger\n",
        "RedshiftLogin: a secret is generated",
    ),
    "no row binlog": ("binlog_format: ROW", "binlog_format: STATEMENT", "MySQLParameters: binlog_format is not ROW"),
    "no binlog at all": ("BackupRetentionPeriod: 7", "BackupRetentionPeriod: 0", "MySQL: without backups there is no binlog"),
    "an open port": (
        r"SourceSecurityGroupId: !Ref LoaderSecurityGroup, Description: the loader\}\n      SecurityGroupEgress:\n        - \{IpProtocol: tcp, FromPort: 3306",
        "CidrIp: 0.0.0.0/0}\n      SecurityGroupEgress:\n        - {IpProtocol: tcp, FromPort: 3306",
        "MySQLSecurityGroup: open to everybody",
    ),
    "everything may go out": (
        r"      SecurityGroupEgress:\n.*DestinationPrefixListId.*\n\n  # The source",
        "\n  # The source",
        "RedshiftSecurityGroup: everything may go out",
    ),
    "a password of Redshift's": ("ManageAdminPassword: true", "AdminUserPassword: tiger", "Namespace: its password"),
    "a public subnet": (r"MapPublicIpOnLaunch: false\n(.*)private-b", r"MapPublicIpOnLaunch: true\n\1private-b", "SubnetB: a public subnet"),
    "a way to the internet": ("Resources:\n", "Resources:\n  Gateway:\n    Type: AWS::EC2::InternetGateway\n", "Gateway: a way to the internet"),
    "an alarm that nobody hears": (r"      AlarmActions: \[!Ref Alarms\]\n  StorageAlarm", "  StorageAlarm", "ComputeAlarm: an alarm that nobody hears"),
}  # fmt: skip


def test_the_template_is_clean() -> None:
    assert faults(TEXT) == []


@pytest.mark.parametrize("risk", RISKS)
def test_a_risk_is_found(risk: str) -> None:
    pattern, instead, expected = RISKS[risk]
    changed, times = re.subn(pattern, instead, TEXT, count=1)
    assert times == 1
    assert [fault for fault in faults(changed) if fault.startswith(expected)]


def test_cfn_lint_finds_each_mistake_and_nothing_else(tmp_path: Path) -> None:
    if not CFN_LINT.exists():
        pytest.skip("cfn-lint is not there: make lint-infra installs it")
    for number, (before, after, _) in enumerate(MISTAKES.values()):
        assert TEXT.count(before) >= 1
        (tmp_path / f"{number}.yml").write_text(TEXT.replace(before, after, 1), encoding="utf-8")
    files = [str(TEMPLATE), *map(str, sorted(tmp_path.glob("*.yml")))]
    done = subprocess.run(
        [CFN_LINT, "--format", "json", *files], capture_output=True, text=True, check=False, timeout=300
    )
    found: dict[str, set[str]] = {}
    for match in json.loads(done.stdout):
        found.setdefault(Path(match["Filename"]).stem, set()).add(match["Rule"]["Id"])
    assert TEMPLATE.stem not in found
    for number, (title, (_, _, code)) in enumerate(MISTAKES.items()):
        assert any(rule.startswith(code) for rule in found.get(str(number), ())), (title, found.get(str(number)))


def test_the_function_in_the_template_is_python() -> None:
    code = re.search(r"ZipFile: \|\n((?:          .*\n|\n)+)", TEXT)
    assert code
    ast.parse("\n".join(line[10:] for line in code[1].splitlines()))


def test_the_page_names_every_parameter_and_output() -> None:
    page = (TEMPLATE.parent / "DEPLOY.md").read_text(encoding="utf-8")
    parameters = re.findall(r"^  (\w+):$", TEXT.split("Parameters:\n")[1].split("\nConditions:")[0], re.MULTILINE)
    outputs = re.findall(r"^  (\w+):$", TEXT.split("\nOutputs:\n")[1], re.MULTILINE)
    assert len(parameters) > 5
    assert len(outputs) > 5
    assert [name for name in parameters + outputs if f"`{name}`" not in page] == []


def test_the_page_gives_the_user_what_the_landing_needs() -> None:
    """To keep its lock while it reads, to copy by the role alone, to see the grants that it makes again; dbt's docs."""
    page = (TEMPLATE.parent / "DEPLOY.md").read_text(encoding="utf-8")
    statements = [line.strip() for line in page.splitlines() if line.startswith("       ") and line.endswith(";")]
    for statement in (
        "create user dbt password '...' session timeout 86400;",
        "revoke assumerole on all from public for all;",
        "grant assumerole on 'COPYROLEARN' to dbt for copy;",
        "alter user dbt syslog access unrestricted;",
        "grant select on svv_table_info to dbt;",
    ):
        assert statement in statements
