"""Makes moto know the Customer Profiles backend that is kept outside its tree.

moto finds a backend by a URL pattern in `moto.backend_index` and then imports `moto.NAME`; nothing else refers to it.
"""

from __future__ import annotations

import re
import sys

import moto
from moto import backend_index

from local import customerprofiles
from local.customerprofiles import exceptions, models, request, responses, urls

BACKEND = "customerprofiles"


def register() -> None:
    """Register the backend, for `moto.mock_aws` and for moto's server in this process. May be called again.

    >>> register()
    >>> with moto.mock_aws():
    ...     boto3.client("customer-profiles").create_domain(DomainName="customers", DefaultExpirationDays=366)
    """
    sys.modules[f"moto.{BACKEND}"] = customerprofiles
    # Its modules too: imported under moto's name they would be loaded a second time, with domains of their own.
    for module in (exceptions, models, request, responses, urls):
        sys.modules[module.__name__.replace(customerprofiles.__name__, f"moto.{BACKEND}")] = module
    setattr(moto, BACKEND, customerprofiles)
    patterns = [(BACKEND, re.compile(url_base)) for url_base in urls.url_bases]
    backend_index.backend_url_patterns[:] = [
        entry for entry in backend_index.backend_url_patterns if entry[0] != BACKEND
    ] + patterns
