"""Prices, accounts and budgets."""

from django.urls import path

from billing.views import accounts, budgets, prices

urlpatterns = [
    path("prices/", prices.prices, name="prices"),
    path("prices/fees/", prices.fees, name="fees"),
    path("prices/fees/<uuid:fee_id>/take-back/", prices.take_fee_back, name="take_fee_back"),
    path(
        "prices/versions/<uuid:price_id>/take-back/", prices.take_price_back, name="take_price_back"
    ),
    path("prices/of/<path:name>/", prices.price, name="price"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/grants/new/", accounts.grant, name="grant"),
    path("accounts/transfers/", accounts.transfers, name="transfers"),
    path(
        "accounts/transfers/<uuid:transfer_id>/reverse/",
        accounts.reverse_transfer,
        name="reverse_transfer",
    ),
    path("budgets/", budgets.budgets, name="budgets"),
    path("budgets/new/", budgets.new_budget, name="new_budget"),
    path("budgets/<uuid:budget_id>/", budgets.budget, name="budget"),
    path("budgets/<uuid:budget_id>/end/", budgets.stop_budget, name="stop_budget"),
]
