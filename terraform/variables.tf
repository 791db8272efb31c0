# Name and location

variable "name" {
  description = "Name of the service. With the stage, it is the prefix of every name in the account."
  type        = string
  default     = "stream-limiter"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name))
    error_message = "name must be 1 to 32 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "stage" {
  description = "Name of this deployment of the service, such as dev or prod. Each stage has its own table, functions and API."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,15}$", var.stage))
    error_message = "stage must be 1 to 16 lower-case letters and digits, and start with a letter."
  }
}

variable "tags" {
  description = "Tags for every resource that supports them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && length(value) <= 256 && !startswith(lower(key), "aws:")])
    error_message = "tags must have keys of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table until this is turned off."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of your KMS key that encrypts the table and the logs; null uses keys owned by AWS. The key's policy must let CloudWatch Logs of the region use it: docs/security.md."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias."
  }
}

variable "permissions_boundary" {
  description = "ARN of a managed policy that limits the role of every function; null sets no limit. It must allow what the functions do: docs/security.md."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of a managed policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

# The functions

variable "reserved_concurrency" {
  description = "Maximum instances of each function, reserved for it in the account; -1 sets no maximum."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency >= -1 && var.reserved_concurrency <= 10000 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be a whole number from -1 to 10000."
  }
}

variable "package_path" {
  description = "Path of the zip with the functions' code, such as a released one; null uses build/stream-limiter.zip of the repository, built by `make package`."
  type        = string
  default     = null

  validation {
    condition     = var.package_path == null || can(regex("\\.zip$", var.package_path))
    error_message = "package_path must name a .zip file."
  }
}

variable "runtime" {
  description = "Lambda runtime of the functions. It must match the Python version that the package was built for. python3.14 needs version 6.20 or later of the AWS provider."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.11, python3.12, python3.13 or python3.14."
  }
}

variable "architecture" {
  description = "Processor architecture of the functions. It must match the package. arm64 costs a fifth less than x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_size" {
  description = "Memory of each function in MiB. CPU share and price per second are proportional to it: docs/performance.md."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be a whole number from 128 to 10240."
  }
}

variable "snap_start" {
  description = "Whether Lambda restores functions from a snapshot of an initialized one (Python 3.12 or later). Shortens cold starts, is charged per kept snapshot and per restore, and requires boto3 as store_client."
  type        = bool
  default     = false
  nullable    = false
}

variable "store_client" {
  description = "Client for DynamoDB: boto3, lean, or auto, which uses the lean client if the function's credentials are in its environment (not with SnapStart)."
  type        = string
  default     = "auto"
  nullable    = false

  validation {
    condition     = contains(["auto", "boto3", "lean"], var.store_client)
    error_message = "store_client must be auto, boto3 or lean."
  }
}

variable "tracing" {
  description = "Whether Lambda sends traces of the functions to X-Ray, which charges for them."
  type        = bool
  default     = false
  nullable    = false
}

# Callers

variable "auth" {
  description = "How callers are authenticated: jwt (a claim of the token is the user), iam (signed requests of a trusted backend) or none (only if the network keeps other callers out)."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["none", "jwt", "iam"], var.auth)
    error_message = "auth must be none, jwt or iam."
  }
}

variable "jwt_issuer" {
  description = "Issuer of the tokens under auth = jwt, exactly as in their iss claim; its keys are found through OpenID Connect discovery. It must sign with RSA, such as RS256, and set kid in each token: API Gateway responds to any other token with 401."
  type        = string
  default     = null

  validation {
    condition     = var.jwt_issuer == null || can(regex("^(https://[^ ]+|http://(127\\.0\\.0\\.1|localhost)(:[0-9]+)?(/[^ ]*)?)$", var.jwt_issuer))
    error_message = "jwt_issuer must be an https URL (or http on loopback)."
  }

  validation {
    condition     = (var.auth == "jwt") == (var.jwt_issuer != null)
    error_message = "jwt_issuer must be given with auth = jwt, and only with it."
  }
}

variable "jwt_audience" {
  description = "Audiences under auth = jwt: a token must name at least one of them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (var.auth == "jwt") == (length(var.jwt_audience) > 0)
    error_message = "jwt_audience must be given with auth = jwt, and only with it."
  }

  validation {
    condition     = alltrue([for audience in var.jwt_audience : length(trimspace(audience)) > 0])
    error_message = "jwt_audience must not contain an empty name."
  }
}

variable "jwt_scopes" {
  description = "Scopes under auth = jwt: a token must have at least one of them. Empty requires none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = var.auth == "jwt" || length(var.jwt_scopes) == 0
    error_message = "jwt_scopes may be given only with auth = jwt."
  }
}

variable "user_claim" {
  description = "Claim of a token that identifies the user, such as custom:household: all tokens with the same value share one limit. A token without the claim is refused."
  type        = string
  default     = "sub"
  nullable    = false

  validation {
    condition     = length(var.user_claim) >= 1 && length(var.user_claim) <= 128
    error_message = "user_claim must be 1 to 128 characters."
  }
}

variable "limit_claim" {
  description = "Claim of a token that holds its user's limit, a whole number from 0 to 20. Without the claim the limit is max_streams."
  type        = string
  default     = "maxStreams"
  nullable    = false

  validation {
    condition     = length(var.limit_claim) >= 1 && length(var.limit_claim) <= 128
    error_message = "limit_claim must be 1 to 128 characters."
  }
}

variable "group_limits_claim" {
  description = "Claim of a token that holds its user's own group limits, such as \"uhd=2,away=1\". Groups that it does not name keep their limit in group_limits."
  type        = string
  default     = "groupLimits"
  nullable    = false

  validation {
    condition     = length(var.group_limits_claim) >= 1 && length(var.group_limits_claim) <= 128
    error_message = "group_limits_claim must be 1 to 128 characters."
  }
}

variable "cors_origins" {
  description = "Origins of the web pages that may call the API, such as https://watch.example.com. Empty allows none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[a-zA-Z0-9.-]+(:[0-9]+)?$", origin))])
    error_message = "cors_origins must be origins like https://watch.example.com: no path, no wildcard."
  }
}

# The API

variable "throttling_rate" {
  description = "Requests per second that the API admits on average, over all callers; more get 429. Above 10000 the account's quota must be raised."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.throttling_rate > 0 && var.throttling_rate <= 10000000
    error_message = "throttling_rate must be above 0 and at most 10000000."
  }
}

variable "throttling_burst" {
  description = "Requests that the API admits in a burst above the rate."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.throttling_burst >= 1 && var.throttling_burst <= 5000000 && floor(var.throttling_burst) == var.throttling_burst
    error_message = "throttling_burst must be a whole number from 1 to 5000000."
  }
}

# Policy

variable "max_streams" {
  description = "Concurrent streams per user; 0 blocks every user."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.max_streams >= 0 && var.max_streams <= 20 && floor(var.max_streams) == var.max_streams
    error_message = "max_streams must be a whole number from 0 to 20."
  }
}

variable "group_limits" {
  description = "Concurrent streams per user in each group, such as { uhd = 2, away = 1 }, in addition to max_streams; 0 blocks the group. A start names the groups of its stream."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, _ in var.group_limits : can(regex("^[A-Za-z0-9._-]{1,32}$", name))])
    error_message = "group_limits must have names of 1 to 32 characters of A-Z a-z 0-9 . _ -"
  }

  validation {
    condition     = alltrue([for limit in values(var.group_limits) : limit >= 0 && limit <= 20 && floor(limit) == limit])
    error_message = "group_limits must be whole numbers from 0 to 20."
  }
}

variable "group_labels" {
  description = "Groups that are counted and shown, and have no limit."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.group_labels : can(regex("^[A-Za-z0-9._-]{1,32}$", name))])
    error_message = "group_labels must be names of 1 to 32 characters of A-Z a-z 0-9 . _ -"
  }

  validation {
    condition     = length(setintersection(var.group_labels, keys(var.group_limits))) == 0
    error_message = "group_labels must not contain a group of group_limits."
  }

  validation {
    condition     = length(var.group_labels) + length(var.group_limits) <= 16
    error_message = "group_labels and group_limits must have at most 16 groups in total."
  }
}

variable "lease_seconds" {
  description = "Seconds that a named stream keeps its slot without a heartbeat."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.lease_seconds >= 1 && var.lease_seconds <= 86400 && floor(var.lease_seconds) == var.lease_seconds
    error_message = "lease_seconds must be a whole number from 1 to 86400."
  }
}

variable "heartbeat_seconds" {
  description = "Seconds between two heartbeats of a player, fractions allowed. null means a third of the lease."
  type        = number
  default     = null

  validation {
    condition     = var.heartbeat_seconds == null ? true : var.heartbeat_seconds > 0
    error_message = "heartbeat_seconds must be above 0."
  }

  validation {
    condition     = var.heartbeat_seconds == null ? true : var.heartbeat_seconds < var.lease_seconds
    error_message = "heartbeat_seconds must be shorter than lease_seconds."
  }
}

variable "grace_seconds" {
  description = "Seconds that an expired stream still counts as live, to allow for clock differences between hosts."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.grace_seconds >= 0 && var.grace_seconds <= 60 && floor(var.grace_seconds) == var.grace_seconds
    error_message = "grace_seconds must be a whole number from 0 to 60."
  }
}

variable "anonymous_seconds" {
  description = "Seconds after a user's last anonymous start until the user's anonymous streams are presumed to have ended; 0 means never."
  type        = number
  default     = 43200
  nullable    = false

  validation {
    condition     = var.anonymous_seconds >= 0 && var.anonymous_seconds <= 31536000 && floor(var.anonymous_seconds) == var.anonymous_seconds
    error_message = "anonymous_seconds must be a whole number from 0 to 31536000."
  }
}

variable "anonymous" {
  description = "Whether a stream may be started without a streamId: allow only counts it, refuse responds with 400. Existing anonymous streams can be ended either way."
  type        = string
  default     = "allow"
  nullable    = false

  validation {
    condition     = contains(["allow", "refuse"], var.anonymous)
    error_message = "anonymous must be allow or refuse."
  }
}

variable "unknown_fields" {
  description = "How to treat unknown fields in a request: refuse responds with 400, ignore leaves them out. A misspelled field of the API, such as streamID, is refused either way, and so is every unknown one of an operator."
  type        = string
  default     = "refuse"
  nullable    = false

  validation {
    condition     = contains(["refuse", "ignore"], var.unknown_fields)
    error_message = "unknown_fields must be refuse or ignore."
  }
}

variable "on_limit" {
  description = "What happens to a start at the limit: reject refuses it, evict_oldest ends as few of the user's named streams as possible, the oldest first."
  type        = string
  default     = "reject"
  nullable    = false

  validation {
    condition     = contains(["reject", "evict_oldest"], var.on_limit)
    error_message = "on_limit must be reject or evict_oldest."
  }
}

variable "enforcement" {
  description = "Whether the limit is enforced: enforce refuses starts above it, shadow only records what it would have refused."
  type        = string
  default     = "enforce"
  nullable    = false

  validation {
    condition     = contains(["enforce", "shadow"], var.enforcement)
    error_message = "enforcement must be enforce or shadow."
  }
}

variable "on_store_failure" {
  description = "Response to a start or heartbeat while DynamoDB is unavailable: closed refuses it with 503, open admits it unverified."
  type        = string
  default     = "closed"
  nullable    = false

  validation {
    condition     = contains(["closed", "open"], var.on_store_failure)
    error_message = "on_store_failure must be closed or open."
  }
}

# Playback tokens. No variable holds a key, because it would be in Terraform's state: docs/security.md.

variable "playback_key_parameter" {
  description = "Name of an SSM parameter of the same region that holds the keys of playback tokens, as `make playback-key` creates it: a SecureString under AWS's own key or under kms_key_arn. Empty issues no tokens."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.playback_key_parameter == "" || can(regex("^(/[A-Za-z0-9_.-]+)+$", var.playback_key_parameter))
    error_message = "playback_key_parameter must be a name that begins with a slash, such as /stream-limiter/prod/playback-key."
  }

  validation {
    condition     = var.playback_key_parameter == "" || var.lease_seconds <= 300
    error_message = "lease_seconds must be at most 300 with a playback_key_parameter, because a playback token lives as long as its lease."
  }
}

variable "group_paths" {
  description = "Groups by the path prefix that the edge opens only to their streams, such as { \"/uhd/\" = \"uhd\" }. Playback tokens then contain the groups of their stream. `make playback-key ARGS=paths` copies the paths to the edge."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for prefix, _ in var.group_paths : can(regex("^/([A-Za-z0-9._~-]+/)+$", prefix)) && !can(regex("/\\.{1,2}/", prefix)) && length(prefix) <= 256])
    error_message = "group_paths must have path prefixes of at most 256 characters of A-Z a-z 0-9 . _ ~ - that begin and end with a slash, without empty or dot segments."
  }

  validation {
    condition     = alltrue([for group in values(var.group_paths) : contains(setunion(var.group_labels, keys(var.group_limits)), group)])
    error_message = "group_paths must map to groups of group_limits or group_labels."
  }

  validation {
    condition     = length(var.group_paths) <= 26
    error_message = "group_paths must have at most 26 paths, because the edge reads them from one value of 1 KB."
  }
}

variable "token_overlap" {
  description = "Streams beyond the limit that may have an unexpired playback token, such as streams that have just ended. 2 is enough if players keep their streamId."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.token_overlap >= 1 && var.token_overlap <= 20 && floor(var.token_overlap) == var.token_overlap
    error_message = "token_overlap must be a whole number from 1 to 20."
  }
}

variable "open_tokens" {
  description = "Whether a stream admitted unverified, under on_store_failure = open, gets a playback token. Such tokens are not counted."
  type        = bool
  default     = false
  nullable    = false
}

variable "playback_cookie_domain" {
  description = "Parent domain that the API and the CDN share, such as example.com: responses then also set the playback token as a cookie for it. Empty sets no cookie."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.playback_cookie_domain) <= 253 && can(regex("^(|[a-z0-9-]+(\\.[a-z0-9-]+)+)$", var.playback_cookie_domain))
    error_message = "playback_cookie_domain must be a domain in lower case with at least one dot, such as example.com, of at most 253 characters."
  }
}

variable "heartbeat_url" {
  description = "Whether heartbeats get a URL without API Gateway, where a playback token replaces the login, at about 55 % of the price. Needs a playback_key_parameter and a reserved_concurrency."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.heartbeat_url || var.playback_key_parameter != ""
    error_message = "heartbeat_url needs a playback_key_parameter, because playback tokens authenticate its callers."
  }

  validation {
    condition     = !var.heartbeat_url || var.reserved_concurrency >= 1
    error_message = "heartbeat_url needs a reserved_concurrency of at least 1, because anyone can call the URL and use up the account's instances."
  }

  validation {
    condition     = !var.heartbeat_url || var.playback_cookie_domain == ""
    error_message = "heartbeat_url cannot be used with a playback_cookie_domain, because browsers accept no cookie for that domain from the URL."
  }
}

variable "session_seconds" {
  description = "Seconds for which a playback token can be renewed at the heartbeat URL before its player needs the login again; never longer than the login."
  type        = number
  default     = 43200
  nullable    = false

  validation {
    condition     = var.session_seconds >= 60 && var.session_seconds <= 43200 && floor(var.session_seconds) == var.session_seconds
    error_message = "session_seconds must be a whole number from 60 to 43200."
  }
}

# The logs

variable "log_level" {
  description = "Lowest level that the functions log."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = contains(["debug", "info", "warning", "error"], var.log_level)
    error_message = "log_level must be debug, info, warning or error."
  }
}

variable "heartbeat_log_sample" {
  description = "Log one of this many successful heartbeats; failures and refusals are always logged, and metrics stay exact. Above 1, Lambda's own lines about each heartbeat are left out too: docs/events.md."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.heartbeat_log_sample >= 1 && var.heartbeat_log_sample <= 100 && floor(var.heartbeat_log_sample) == var.heartbeat_log_sample
    error_message = "heartbeat_log_sample must be a whole number from 1 to 100."
  }
}

variable "log_hash_key" {
  description = "Secret key of the hash that represents a user in logs. Empty uses a random key per process, so hashes of two processes do not match."
  type        = string
  default     = ""
  sensitive   = true
  nullable    = false

  validation {
    condition     = length(var.log_hash_key) <= 256
    error_message = "log_hash_key must be at most 256 characters."
  }
}

variable "log_hash_key_parameter" {
  description = "Name of an SSM parameter of the same region that holds that key instead, to keep it out of the state: a SecureString under AWS's own key or under kms_key_arn. `make deploy` creates one if neither is given; a plan with neither warns."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.log_hash_key_parameter == "" || can(regex("^(/[A-Za-z0-9_.-]+)+$", var.log_hash_key_parameter))
    error_message = "log_hash_key_parameter must be a name that begins with a slash, such as /stream-limiter-prod-log-hash-key."
  }

  validation {
    condition     = var.log_hash_key_parameter == "" || nonsensitive(var.log_hash_key == "")
    error_message = "log_hash_key_parameter and log_hash_key must not both be given."
  }
}

variable "log_retention_days" {
  description = "Days that every log is kept: one of the periods that CloudWatch offers."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

# Alarms

variable "alarm_email" {
  description = "E-mail address that alarms are sent to, through a topic created for it; AWS asks the recipient to confirm. null creates no topic."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "alarm_email must be an e-mail address."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of an existing SNS topic that alarms are sent to."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic."
  }
}

variable "runbook_url" {
  description = "URL of docs/runbook.md; each alarm links to its section."
  type        = string
  default     = "docs/runbook.md"
  nullable    = false

  validation {
    condition     = length(var.runbook_url) >= 1 && length(var.runbook_url) <= 512
    error_message = "runbook_url must be 1 to 512 characters."
  }
}

variable "monitoring" {
  description = "Whether to create the dashboard, the alarms, their metric filters on the access log, and the saved queries. CloudWatch charges for them, and the emulator supports only some."
  type        = bool
  default     = true
  nullable    = false
}
