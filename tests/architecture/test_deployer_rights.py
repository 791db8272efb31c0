"""The policy of the deployer in docs/deploy.md names everything that Terraform makes."""

import re
from typing import Final

import pytest

from dev.operate.stage import hash_key_parameter
from tests.support.documented import DOCS, actions, deployer_policy

MAKES: Final = {
    "aws_apigatewayv2_api": "apigateway:POST",
    "aws_apigatewayv2_authorizer": "apigateway:POST",
    "aws_apigatewayv2_integration": "apigateway:POST",
    "aws_apigatewayv2_route": "apigateway:POST",
    "aws_apigatewayv2_stage": "apigateway:POST",
    "aws_cloudformation_stack": "cloudformation:CreateStack",
    "aws_cloudwatch_dashboard": "cloudwatch:PutDashboard",
    "aws_cloudwatch_log_group": "logs:CreateLogGroup",
    "aws_cloudwatch_log_metric_filter": "logs:PutMetricFilter",
    "aws_cloudwatch_metric_alarm": "cloudwatch:PutMetricAlarm",
    "aws_cloudwatch_query_definition": "logs:PutQueryDefinition",
    "aws_dynamodb_table": "dynamodb:CreateTable",
    "aws_iam_role": "iam:CreateRole",
    "aws_iam_role_policy": "iam:PutRolePolicy",
    "aws_lambda_alias": "lambda:CreateAlias",
    "aws_lambda_function": "lambda:CreateFunction",
    "aws_lambda_function_url": "lambda:CreateFunctionUrlConfig",
    "aws_lambda_permission": "lambda:AddPermission",
    "aws_sns_topic": "sns:CreateTopic",
    "aws_sns_topic_subscription": "sns:Subscribe",
}
"""The action that makes each kind of resource."""

SWITCHES_ON_ACCESS_LOGS: Final = {
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies"),
    "logs:DescribeLogGroups",
}
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html"""

SELECTS_A_KEY: Final = {
    *("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"),
    "kms:CreateGrant",
}
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html"""


def test_the_policy_allows_creating_every_resource() -> None:
    """The policy allows the making of every kind of resource."""
    terraform = [file.read_text(encoding="utf-8") for file in (DOCS.parent / "terraform").glob("*.tf")]
    kinds = {kind for text in terraform for kind in re.findall(r'^resource "(aws_\w+)"', text, re.MULTILINE)}

    assert kinds == MAKES.keys()
    assert set(MAKES.values()) <= actions(deployer_policy())


def test_the_policy_allows_access_logs() -> None:
    """The policy has the rights that API Gateway needs for access logs, which no emulator checks."""
    assert actions(deployer_policy()) >= SWITCHES_ON_ACCESS_LOGS


def test_the_policy_can_create_but_not_read_the_hash_key() -> None:
    """The policy covers only the parameters that `make deploy` makes, and reads no value."""
    (statement,) = (one for one in deployer_policy()["Statement"] if "ssm:" in str(one))

    assert set(statement["Action"]) == {"ssm:PutParameter", "ssm:DeleteParameter"}
    assert statement["Resource"].endswith(f":parameter{hash_key_parameter('*')}")


@pytest.mark.parametrize("action", sorted(SELECTS_A_KEY))
def test_the_policy_allows_dynamodb_to_use_a_customer_key(action: str) -> None:
    """The policy allows what DynamoDB does with the key on behalf of the principal that selects it."""
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"^```json\n([^`]*<kms_key_arn>[^`]*)^```", page, re.MULTILINE)

    assert f'"{action}"' in statement
