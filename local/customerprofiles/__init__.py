"""Amazon Connect Customer Profiles (domains) as a moto backend, in the form of moto's own services."""

from .models import customerprofiles_backends as customerprofiles_backends
