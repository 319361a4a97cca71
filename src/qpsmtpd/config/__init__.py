"""The configuration: one table of settings, read from control files or from one TOML file."""

from qpsmtpd.config.lookup import Config
from qpsmtpd.config.plugin_line import PluginLine
from qpsmtpd.config.problem import Problem
from qpsmtpd.config.schema import SETTINGS, Setting, Type

__all__ = ["SETTINGS", "Config", "PluginLine", "Problem", "Setting", "Type"]
