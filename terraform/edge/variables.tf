variable "name" {
  description = "Name of the service. With the stage, it is the prefix of the names of the function and its store, which must be unique in the account."
  type        = string
  default     = "stream-limiter"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name))
    error_message = "name must be 1 to 32 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "stage" {
  description = "Name of the stage whose tokens the function checks, such as dev or prod."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,15}$", var.stage))
    error_message = "stage must be 1 to 16 lower-case letters and digits, and start with a letter."
  }
}
