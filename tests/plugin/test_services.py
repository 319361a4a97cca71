import pytest

from qpsmtpd.hooks.chain import step
from qpsmtpd.plugin.services import Services


class Store:
    def __init__(self):
        self.asked = []

    def namespace(self, name):
        self.asked.append(name)
        return f"store of {name}"


def test_services_are_what_was_given():
    store = Store()
    services = Services("config", "log", clock="clock", store=store, dns="dns", process="process")
    given = (services.config, services.logger, services.clock, services.dns, services.process)
    assert given == ("config", "log", "clock", "dns", "process")
    assert services.store is store
    assert services.wait is step


def test_a_service_is_made_when_it_is_first_used():
    made = []

    def make():
        made.append(1)
        return "dns"

    services = Services(None, None, factories={"dns": make, "store": Store})
    assert made == []
    assert (services.dns, services.dns, made) == ("dns", "dns", [1])
    assert services.store is services.store


def test_a_service_that_nobody_makes():
    services = Services(None, None)
    with pytest.raises(AttributeError, match="this process has no service 'dns'"):
        _ = services.dns
    with pytest.raises(AttributeError, match="this process has no service 'store'"):
        _ = services.store


def test_namespaces_are_kept_until_the_store_is_another():
    services = Services(None, None, store=Store())
    assert services.namespace("karma") == services.namespace("karma") == "store of karma"
    assert services.store.asked == ["karma"]
    services.store = Store()
    assert services.namespace("karma") == "store of karma"
    assert services.store.asked == ["karma"]


def test_services_can_be_replaced():
    services = Services(None, None, dns="blocking")
    services.dns = "loop"
    services.wait = list
    assert (services.dns, services.wait) == ("loop", list)
