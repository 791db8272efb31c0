"""The table, for local stores, which Terraform does not manage. `terraform/table.tf` defines the real one."""

from typing import Any

from adapters.dynamodb.items import EXPIRES_AT, USER_ID


def ensure_table(client: Any, name: str) -> None:
    """Create the table if it does not exist.

    Args:
        client: boto3's DynamoDB client.
        name: the table's name.
    """
    try:
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": USER_ID, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": USER_ID, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except client.exceptions.ResourceInUseException:
        return
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    client.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES_AT}
    )
