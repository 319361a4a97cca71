import pytest

from qpsmtpd.errors import ConfigError


def test_it_refuses_and_names_the_remedy(load):
    with pytest.raises(ConfigError, match="logging/json"):
        load("logging/connection_id")
