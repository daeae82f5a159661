"""Prices and accounts."""

from django.urls import path

from billing.views import accounts, prices

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
]
