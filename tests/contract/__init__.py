import pytest

# So that a difference is shown, not only that there is one.
pytest.register_assert_rewrite("tests.contract.comparison")
