"""Amazon Connect Customer Profiles (domains) as a moto backend, in the form of moto's own services.

It behaves as the API does, as far as that is documented or was observed. The rest is guessed, and listed under
"Guessed". `make verify` tries the guesses on AWS.

Documented (API reference, which is also the documentation in botocore's model, unless another source is named):
- Every constraint on a request: types, required members, enums, patterns, bounds. The HTTP status of each error.
- UpdateDomain: an empty string clears the key and the queue; tags are changed by TagResource and UntagResource only.
- CreateDomain: the default schedule of matching is Saturday at 00:00 UTC.
- RuleBasedMatching.Status: PENDING for an hour in an existing domain, then IN_PROGRESS, then ACTIVE; a new domain
  skips PENDING; while it is IN_PROGRESS the configuration can't be changed.
- DeleteDomain deletes everything in the domain. PutDomainObjectType needs the data store, PutProfileObject the
  object type. ListIntegrations shows hidden integrations with IncludeHidden only.
- At most 50 tags, and no key that begins with "aws:" (the model); CloudFormation's own tags don't count (AWS General
  Reference, tagging).
- The calls a second for each operation (administrator guide, service quotas).
- The policies of a customer's key, queue and bucket must allow profile.amazonaws.com, for the domain's ARN and account
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
 2. Up to one second of unused calls is saved, and a throttled call does not count.
 3. ListDomainObjectTypes and PutDomainObjectType have the quotas of ListProfileObjectTypes and PutProfileObjectType.
 4. CreateDomain needs iam:CreateServiceLinkedRole, and UpdateDomain does not. One edition of the service authorization
    reference lists it for both, another for neither; AmazonConnect_FullAccess has it.
 5. CreateDomain with tags needs profile:TagResource.
 6. "Failed to grant access to key" is also the error if the caller may not create a grant. UpdateDomain creates
    grants for a new key only. The caller needs neither kms:GenerateDataKey nor kms:Decrypt.
 7. The messages for a queue and a bucket whose policy does not allow the service, and that the error is a
    BadRequestException. The service needs only s3:PutObject for a bucket. UpdateDomain checks the key, queue and
    buckets in the request, not those of the domain. The URL of a queue is checked only in the form
    https://HOST/ACCOUNT/NAME.
 8. UpdateDomain with RuleBasedMatching while its status is IN_PROGRESS is a BadRequestException. The whole update is
    refused, even if the value is unchanged. The message is invented.
 9. A new domain's List operations are empty.
10. GetDomain reports CloudFormation's own tags on a domain of the native resource type.
11. GetDomain reports Stats and Tags even if they are empty, and leaves out settings that nobody set.
12. The messages for more than 50 tags, an invalid token, an integration without a Uri, an object type that does not
    exist.
13. GetDomain sees a new domain at once, and a deleted domain's name can be used again at once.

Left out: the quota on the number of domains, the ARNs of integrations and object types, the content of profiles.
"""

from .models import customerprofiles_backends as customerprofiles_backends
