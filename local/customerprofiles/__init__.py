"""Amazon Connect Customer Profiles (domains) as a moto backend, in the form of moto's own services.

What it does is what the API does, as far as that is documented or was observed. The rest is guessed, and listed as
such. `make verify` tries the guesses on AWS.

Documented (API reference, which is also the documentation in botocore's model, unless another source is named):
- Every constraint on a request: types, required members, enums, patterns, bounds. The HTTP status of each error.
- UpdateDomain: an empty string clears the key and the queue; tags are changed by TagResource and UntagResource only.
- CreateDomain: matching runs on Saturday at 00:00 UTC unless told otherwise.
- RuleBasedMatching.Status: PENDING for an hour in an existing domain, then IN_PROGRESS, then ACTIVE; a new domain
  skips PENDING; while it is IN_PROGRESS the configuration can't be changed.
- DeleteDomain takes all that is in the domain along. PutDomainObjectType needs the data store, PutProfileObject the
  object type. ListIntegrations shows hidden integrations with IncludeHidden only.
- At most 50 tags, and no key that begins with "aws:" (the model); CloudFormation's own tags don't count (AWS General
  Reference, tagging).
- The calls a second for each operation (administrator guide, service quotas).
- A customer's key, the queue and the bucket have to let profile.amazonaws.com in, for the domain's ARN and account
  (administrator guide, cross-service confused deputy prevention).
- Every domain has a service-linked role of its own (administrator guide, service-linked roles for Customer Profiles).
- An action that is not allowed: AccessDeniedException, with the caller, the action and the resource (IAM user guide,
  access denied error messages).

Observed (public notes of calls to the real API, and Terraform's acceptance test, which runs against it):
- "Domain NAME already exists", BadRequestException.
- "Domain NAME is not found in account ID", ResourceNotFoundException.
- "Failed to grant access to key" and "Error queue URL does not belong to your account ID", BadRequestException.
- The grants on a customer's key are made with the caller's permission (kms:CreateGrant).
- A domain that was made with rule-based matching may change it at once (Terraform's acceptance test).
- A structure that is sent is replaced as a whole.

Guessed:
 1. The order of checks: permission, quota, mistakes in the request, and then what the domain's state allows.
 2. A quota saves up one second of calls, and a throttled call does not count against it.
 3. ListDomainObjectTypes and PutDomainObjectType have the quotas of their siblings.
 4. CreateDomain needs iam:CreateServiceLinkedRole, and UpdateDomain does not (of two editions of the service
    authorization reference, one lists it for both and one for neither; AmazonConnect_FullAccess has it).
 5. CreateDomain with tags needs profile:TagResource.
 6. A caller whose key can't be granted hears "Failed to grant access to key" too, and UpdateDomain makes grants for
    a new key only. The caller needs neither kms:GenerateDataKey nor kms:Decrypt.
 7. The words for a queue and a bucket whose policy does not let the service in, and that they are a
    BadRequestException. Of a bucket the service needs s3:PutObject and nothing else. UpdateDomain checks what it is
    sent, not what the domain has. A queue's URL of another form than https://HOST/ACCOUNT/NAME is taken as it is.
 8. UpdateDomain with RuleBasedMatching while its status is IN_PROGRESS is a BadRequestException, nothing of the update
    is carried out, and an unchanged value is refused too. The words are the stand-in's.
 9. A new domain's List operations are empty.
10. GetDomain reports CloudFormation's own tags on a domain of the native resource type.
11. GetDomain reports Stats and Tags also when there is nothing in them, and a setting that nobody made not at all.
12. The words for more than 50 tags, a token of another making, an integration without a Uri, an absent object type.
13. GetDomain sees what CreateDomain has made at once, and a deleted domain's name can be used again at once.

Left out: the quota on the number of domains, the ARNs of integrations and object types, the content of profiles.
"""

from .models import customerprofiles_backends as customerprofiles_backends
