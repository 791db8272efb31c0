# A stage to try things on: `make deploy STAGE=dev`.

# Callers sign with credentials of the account: the API is on the internet, and other callers are refused.
auth = "iam"

# CloudWatch charges for the dashboard and the alarms.
monitoring         = false
log_retention_days = 7

throttling_rate  = 50
throttling_burst = 100

tags = { service = "stream-limiter", stage = "dev" }
