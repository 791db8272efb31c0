# What viewers depend on: `make deploy STAGE=prod`.

# The plan is refused until the two lines below name your issuer and your audience.
auth = "jwt"
# jwt_issuer   = "https://login.example.com/" # as in the tokens' iss
# jwt_audience = ["streams"]

# For a first roll-out: "shadow", which refuses no viewer and shows which ones it would refuse (docs/rollout.md).
enforcement = "enforce"

# A destroy stops at the table. Its point-in-time recovery is on in every stage.
deletion_protection = true

monitoring = true
# alarm_email = "on-call@example.com"
log_retention_days = 90

tags = { service = "stream-limiter", stage = "prod" }
