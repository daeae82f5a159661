"""The portal's JSON interface, `/manage/api`: its parts are the rooms'; `openapi.json` there describes it."""

from ninja import NinjaAPI

from dashboards.api import router as usage

api = NinjaAPI(
    title="ILaaS",
    version="1",
    description="Usage of a key. More is to follow.",
    docs_url=None,  # its page would load scripts from elsewhere
    urls_namespace="manage",
)
api.add_router("/usage", usage)
