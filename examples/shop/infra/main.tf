# The shop's infrastructure on one machine: the folders that it lives in. Only the provider that is built into Terraform is used, so
# `terraform init` downloads nothing.

terraform {
  required_version = ">= 1.4"
  backend "local" {}
}

variable "root" {
  type        = string
  description = "The folder of this environment; ci/lib.sh says which."

  validation {
    condition     = startswith(var.root, "/")
    error_message = "root must be an absolute path."
  }
}

resource "terraform_data" "folder" {
  for_each = toset(["releases", "data", "log", "run"])
  input    = "${var.root}/${each.key}"

  provisioner "local-exec" {
    command     = "mkdir -p \"$FOLDER\""
    environment = { FOLDER = self.input }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "rm -rf \"$FOLDER\""
    environment = { FOLDER = self.input }
  }
}

output "folders" {
  value = [for f in terraform_data.folder : f.output]
}
