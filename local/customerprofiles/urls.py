"""customerprofiles base URL and path."""

from .responses import CustomerProfilesResponse

url_bases = [
    r"https?://profile\.(.+)\.amazonaws\.com",
]

# Names may hold an encoded slash, which the server decodes before it looks at these patterns; such a request
# has to reach the service all the same, because it is the service that refuses the name.
url_paths = {
    "{0}/domains/?$": CustomerProfilesResponse.dispatch,
    "{0}/domains/(?P<DomainName>.+)$": CustomerProfilesResponse.dispatch,
    "{0}/tags/(?P<resourceArn>.+)$": CustomerProfilesResponse.dispatch,
}
