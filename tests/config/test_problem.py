"""Problems are errors that can be collected."""

from qpsmtpd.config import Problem
from qpsmtpd.errors import ConfigError


def test_a_problem_says_what_its_error_says():
    error = ConfigError("is empty; fill it", file="/etc/x", line=3)
    problem = Problem.of(error)
    assert str(problem) == str(error) == "/etc/x:3: is empty; fill it"
    assert (problem.error().file, problem.error().line) == ("/etc/x", 3)
    assert not problem.warning
