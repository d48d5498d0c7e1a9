"""Registers the Customer Profiles backend, which is not part of moto, with moto.

moto finds a backend by a URL pattern in `moto.backend_index` and then imports `moto.NAME`; nothing else refers to it.
"""

from __future__ import annotations

import re
import sys

import moto
from moto import backend_index

from local import customerprofiles
from local.customerprofiles import urls

BACKEND = "customerprofiles"
PACKAGE = customerprofiles.__name__


def register() -> None:
    """Register the backend, for `moto.mock_aws` and for moto's server in this process. May be called again.

    >>> register()
    >>> with moto.mock_aws():
    ...     boto3.client("customer-profiles").create_domain(DomainName="amazon-connect-shop", DefaultExpirationDays=366)
    """
    # The package and its modules (urls imports all of them): imported under moto's name they would be loaded a second
    # time, with domains of their own.
    for name, module in list(sys.modules.items()):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            sys.modules[f"moto.{BACKEND}{name.removeprefix(PACKAGE)}"] = module
    setattr(moto, BACKEND, customerprofiles)
    patterns = [(BACKEND, re.compile(url_base)) for url_base in urls.url_bases]
    # The first ones: moto compares each request with one pattern after another, and it has some 190.
    backend_index.backend_url_patterns[:] = patterns + [
        entry for entry in backend_index.backend_url_patterns if entry[0] != BACKEND
    ]
