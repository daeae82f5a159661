"""The sections that the clerk makes of the register."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.enums import BudgetWindow
from billing.models import Holder
from billing.operations.budgets import set_budget
from federation.access.models import ApiKey
from federation.access.operations import (
    issue_key,
    remove_limit,
    revoke_key,
    set_limit,
    set_threshold,
)
from federation.catalogue.enums import Capability
from federation.catalogue.models import Alias
from federation.catalogue.operations.aliases import add_alias
from federation.catalogue.operations.registering import add_version
from federation.catalogue.operations.routing import set_routing
from federation.fleet.enums import Engine
from federation.fleet.models import InferenceServer, Site
from federation.fleet.operations.deployments import deploy_model, retire_deployment
from federation.fleet.operations.egress import revoke_egress
from federation.fleet.operations.labels import set_site_labels
from federation.fleet.operations.servers import change_server_state
from federation.journal.actors import SYSTEM
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.members.operations import change_membership_state
from federation.people.enums import Role
from routing.bridge.models import RoutingChange
from routing.bridge.table import (
    build_names,
    build_principals,
    build_servers,
    read_sections,
    read_versions,
)
from routing.core.enums import (
    BudgetScope,
    BudgetUnit,
    LifecycleStage,
    Limiting,
    LimitScope,
    Measure,
    PriorityClass,
    RoutingMode,
    RoutingSetting,
    ServerState,
    Strategy,
)
from routing.core.fairness import SHARES
from routing.core.keys import digest
from routing.core.table import Limit, Model, Principal, Server
from routing.upstream.credentials import load_keys, unseal
from tests.support.factories import (
    OPERATOR,
    make_application,
    make_institution,
    make_key,
    make_model,
    make_server,
    make_site,
    make_user,
    serve_model,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def rennes() -> Institution:
    return make_institution("rennes")


def suspend(institution: Institution) -> None:
    membership = Membership.objects.get(institution=institution)
    change_membership_state(by=SYSTEM, membership=membership, state=MembershipState.SUSPENDED)


def principals() -> dict[str, Principal]:
    return build_principals(1).by_digest


def models() -> dict[str, Model]:
    return {model.name: model for model in build_names(1).names.models.values()}


def servers() -> dict[str, Server]:
    return {server.name: server for server in build_servers(1).servers.values()}


def test_a_persons_budget_is_known_by_an_id_that_names_nobody(rennes: Institution) -> None:
    person = make_user("anne", Role.USER, rennes)
    make_key(make_application(rennes, owner=person))
    set_budget(
        by=OPERATOR,
        owner=Holder.of(person, rennes),
        unit=BudgetUnit.TOKENS,
        most=9,
        window=BudgetWindow.DAY,
    )

    section = build_principals(1)

    (principal,) = section.by_digest.values()
    ((owner, (budget,)),) = section.budgets.items()
    assert (owner, budget.scope, budget.name) == (principal.holder_id, BudgetScope.PERSON, "")
    assert str(person.pk) not in str(section)
    assert person.name not in str(section)


def test_a_key_is_known_by_its_digest_and_all_that_the_router_needs(rennes: Institution) -> None:
    application = make_application(rennes)
    models = [make_model("a"), make_model("b")]
    expires_at = timezone.now() + timedelta(days=1)
    key, secret = issue_key(
        by=SYSTEM,
        application=application,
        name="k",
        priority=PriorityClass.P4,
        routing_mode=RoutingMode.PRIVATE_FIRST,
        models=models,
        origins=["https://chat.example.org"],
        endpoints=["embeddings"],
        networks=["192.0.2.0/24"],
        labels=["SecNumCloud", "HDS", "hds "],
        tells=["carbon"],
        answers_200_when_full=True,
        expires_at=expires_at,
    )

    assert principals() == {
        digest(settings.PEPPER.encode(), secret.reveal()): Principal(
            key_id=str(key.pk),
            institution_id=str(rennes.pk),
            application_id=str(application.pk),
            priority=4,
            routing_mode=RoutingMode.PRIVATE_FIRST,
            models=tuple(str(model.pk) for model in models),
            expires_at=expires_at.timestamp(),
            origins=("https://chat.example.org",),
            endpoints=("embeddings",),
            networks=("192.0.2.0/24",),
            labels=("hds", "secnumcloud"),
            tells=("carbon",),
            answers_200_when_full=True,
        )
    }


def test_a_server_carries_the_labels_of_its_site_and_never_that_of_an_owner(
    rennes: Institution,
) -> None:
    site = serve_model(rennes).server.site
    set_site_labels(by=SYSTEM, site=site, labels=["HDS", "hds", " ISO  27001"])
    (server,) = servers().values()
    assert server.labels == {"hds", "iso 27001"}

    Site.objects.update(labels=["Own", "HDS"])
    (server,) = servers().values()
    assert server.labels == {"hds"}


def test_a_key_without_chosen_models_may_ask_for_all(rennes: Institution) -> None:
    make_key(make_application(rennes))

    (principal,) = principals().values()
    assert principal.models is None


def test_a_key_that_is_revoked_or_expired_is_unknown(rennes: Institution) -> None:
    application = make_application(rennes)
    kept, revoked, expired = (make_key(application)[0] for _ in range(3))
    revoke_key(by=SYSTEM, key=revoked, reason="leak")
    past = timezone.now() - timedelta(seconds=1)
    ApiKey.objects.filter(pk=expired.pk).update(
        created_at=past - timedelta(days=1), expires_at=past
    )

    assert principals().keys() == {kept.digest}


def test_the_keys_of_a_suspended_member_are_unknown(rennes: Institution) -> None:
    reims = make_institution("reims")
    key, _text = make_key(make_application(rennes))
    kept, _secret = make_key(make_application(reims))

    suspend(rennes)

    assert principals().keys() == {kept.digest}
    assert build_principals(1).suspended == {key.digest}


def test_a_consumer_has_keys_and_no_servers() -> None:
    orleans = make_institution("orleans", is_contributor=False)
    make_key(make_application(orleans))

    assert len(principals()) == 1
    assert servers() == {}


def test_a_model_is_told_with_its_current_version_and_what_runs_it(rennes: Institution) -> None:
    reims = make_institution("reims")
    model = make_model(
        "Mistral-Small",
        facts={
            "publisher": "Mistral AI",
            "capabilities": [Capability.CHAT, Capability.TOOLS],
        },
    )
    set_routing(
        by=SYSTEM,
        model=model,
        settings={
            "setting": RoutingSetting.ROUND_ROBIN_REQUEUE,
            "share_p1": 20,
            "longest_wait": 30,
            "forward_priority": True,
        },
    )
    first = serve_model(rennes, model.slug)
    add_version(by=SYSTEM, model=model, revision="v2", context_length=131_072)
    second = serve_model(reims, model.slug)

    told = models()["Mistral-Small"]
    assert told == Model(
        id=str(model.pk),
        name="Mistral-Small",
        stage=LifecycleStage.PRODUCTION,
        created=int(model.created_at.timestamp()),
        owned_by="Mistral AI",
        strategy=Strategy.ROUND_ROBIN,
        limiting=Limiting.GIVEN,
        shares={4: 0.05, 3: 0.05, 2: 0.03, 1: 0.2},
        longest_wait_seconds=30,
        forward_priority=True,
        max_model_len=131_072,
        capabilities=("chat", "tools"),
        deployments=told.deployments,
    )
    assert [(d.id, d.server_id, d.served_name) for d in told.deployments] == [
        (str(row.pk), str(row.server_id), row.served_name) for row in (first, second)
    ]


@pytest.mark.parametrize(
    ("setting", "strategy", "limiting"),
    [
        (RoutingSetting.ROUND_ROBIN, Strategy.ROUND_ROBIN, Limiting.NONE),
        (RoutingSetting.ROUND_ROBIN_REQUEUE, Strategy.ROUND_ROBIN, Limiting.GIVEN),
        (RoutingSetting.LEAST_BUSY_REQUEUE, Strategy.LEAST_BUSY, Limiting.STATISTICS),
        (RoutingSetting.AFFINITY, Strategy.AFFINITY, Limiting.LEARNT),
    ],
)
def test_each_row_of_the_federations_table_is_a_setting(
    setting: RoutingSetting, strategy: Strategy, limiting: Limiting
) -> None:
    set_routing(by=SYSTEM, model=make_model("model"), settings={"setting": setting})

    told = models()["model"]
    assert (told.strategy, told.limiting) == (strategy, limiting)


def test_a_model_without_a_policy_is_told_with_what_the_router_would_do_by_itself() -> None:
    make_model("model")

    told, bare = (
        models()["model"],
        Model(id="", name="", stage=LifecycleStage.PRODUCTION, created=0, owned_by=""),
    )
    assert (told.strategy, told.limiting) == (bare.strategy, bare.limiting)
    assert told.shares == SHARES
    assert (told.longest_wait_seconds, told.forward_priority) == (None, False)


def test_only_the_last_version_of_a_policy_is_told() -> None:
    model = make_model("model")
    for seconds in (10, 20, None, 40):
        set_routing(by=SYSTEM, model=model, settings={"longest_wait": seconds})

    assert models()["model"].longest_wait_seconds == 40


def test_declared_endpoints_go_with_their_deployment(rennes: Institution) -> None:
    model = make_model("embedder")
    server = make_server(make_site(rennes))
    version = model.versions.get()
    deploy_model(
        by=SYSTEM, server=server, version=version, served_name="e", endpoints=["embeddings"]
    )

    (deployment,) = models()["embedder"].deployments
    assert deployment.endpoints == ("embeddings",)


def test_a_proxy_is_asked_for_what_models_answer_and_never_managed(rennes: Institution) -> None:
    deployment = serve_model(rennes, "proxied")
    InferenceServer.objects.filter(pk=deployment.server_id).update(engine=Engine.LITELLM)

    (told,) = models()["proxied"].deployments
    assert "chat/completions" in told.endpoints
    assert "key/generate" not in told.endpoints


def test_an_institutions_weight_is_told_where_it_is_not_one(rennes: Institution) -> None:
    make_institution("reims")
    Institution.objects.filter(pk=rennes.pk).update(weight="2.5")

    assert build_servers(1).weights == {str(rennes.pk): 2.5}


@pytest.mark.parametrize(
    ("stage", "is_listed"),
    [
        (LifecycleStage.PROPOSED, False),
        (LifecycleStage.STAGING, True),
        (LifecycleStage.PRODUCTION, True),
        (LifecycleStage.DEPRECATED, True),
        (LifecycleStage.RETIRED, False),
    ],
)
def test_only_served_stages_have_a_name(stage: LifecycleStage, is_listed: bool) -> None:
    model = make_model("model", stage=stage)
    Alias.objects.create(name="alias", model=model)

    names = build_names(1).names
    assert bool(names.models) == is_listed
    assert names.aliases == ({"model": str(model.pk), "alias": str(model.pk)} if is_listed else {})


def test_names_are_found_whatever_their_case() -> None:
    model = make_model("Qwen/QwQ-32B")
    add_alias(by=SYSTEM, model=model, name="Fast")

    assert build_names(1).names.aliases == {"qwen/qwq-32b": str(model.pk), "fast": str(model.pk)}


def test_a_models_own_name_is_stronger_than_an_alias_that_slipped_in() -> None:
    model, other = make_model("model"), make_model("other")
    Alias.objects.create(name="Other", model=model)

    assert build_names(1).names.aliases["other"] == str(other.pk)


def test_a_model_that_nobody_runs_any_more_stays_listed(rennes: Institution) -> None:
    deployment = serve_model(rennes, "model")

    retire_deployment(by=SYSTEM, deployment=deployment)

    assert models()["model"].deployments == ()


def test_a_retired_server_runs_nothing_and_is_unknown(rennes: Institution) -> None:
    server = serve_model(rennes, "model").server
    for state in (ServerState.DRAINING, ServerState.RETIRED):
        change_server_state(by=SYSTEM, server=server, state=state)

    assert models()["model"].deployments == ()
    assert servers() == {}


def test_a_suspended_contributors_servers_are_unknown(rennes: Institution) -> None:
    serve_model(rennes, "model")

    suspend(rennes)

    assert models()["model"].deployments == ()
    assert servers() == {}


def test_a_server_is_told_with_its_sealed_token_and_its_addresses(rennes: Institution) -> None:
    server = serve_model(
        rennes, "model", url="http://127.0.0.1:9001", credential="hush", max_parallel=12
    ).server
    InferenceServer.objects.filter(pk=server.pk).update(ca_bundle="PEM")

    told = servers()[server.name]
    assert told == Server(
        id=str(server.pk),
        name=server.name,
        institution_id=str(rennes.pk),
        institution="Rennes",
        site=server.site.name,
        engine="vllm",
        base_url="http://127.0.0.1:9001",
        state=ServerState.LIVE,
        credential=told.credential,
        max_parallel=12,
        ca_bundle="PEM",
        grants=(("127.0.0.1", 9001),),
    )
    assert told.credential is not None
    keys = load_keys(settings.ENCRYPTION_KEY)
    assert unseal(told.id, told.credential, keys).reveal() == "hush"


def test_a_permission_that_was_withdrawn_is_not_in_force(rennes: Institution) -> None:
    server = serve_model(rennes, "model").server

    revoke_egress(by=SYSTEM, grant=server.egress_grants.get())

    assert servers()[server.name].grants == ()


def test_a_table_of_any_size_takes_the_same_queries(
    rennes: Institution, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for size in (1, 3):
        for n in range(size):
            serve_model(rennes, f"model-{size}-{n}", credential="hush")
            key, _ = make_key(make_application(rennes), models=[make_model(f"m-{size}-{n}")])
            set_budget(
                by=OPERATOR,
                owner=key,
                unit=BudgetUnit.TOKENS,
                most=9,
                window=BudgetWindow.DAY,
            )

        with django_assert_num_queries(6):
            build_principals(1)
        with django_assert_num_queries(11):
            build_names(1)
        with django_assert_num_queries(8):
            build_servers(1)


def test_an_untouched_register_has_version_1() -> None:
    assert read_versions() == {"principals": 1, "names": 1, "servers": 1}


def test_a_sections_version_is_its_last_change() -> None:
    for section in ("names", "principals", "names"):
        RoutingChange.objects.create(section=section, object_type="t", object_id="1")
    ids = list(RoutingChange.objects.order_by("pk").values_list("pk", flat=True))

    assert read_versions() == {"names": ids[2], "principals": ids[1], "servers": 1}


@pytest.mark.django_db(transaction=True)
def test_sections_carry_the_versions_of_what_they_hold() -> None:
    make_key(make_application(make_institution("rennes")))

    sections = read_sections(("names", "principals"))

    versions = read_versions()
    assert [section.version for section in sections] == [
        versions["names"],
        versions["principals"],
    ]


def test_limits_stand_under_the_ids_that_a_request_carries(rennes: Institution) -> None:
    application = make_application(rennes, name="RAGaRenn")
    key, _ = make_key(application)
    measure = Measure.REQUESTS_PER_MINUTE
    for owner, most in ((key, 1), (application, 2), (rennes, 3)):
        set_limit(by=SYSTEM, owner=owner, measure=measure, most=most)
    set_limit(by=SYSTEM, owner=rennes, measure=measure, most=4)
    gone = set_limit(by=SYSTEM, owner=rennes, measure=Measure.AT_ONCE, most=9)
    remove_limit(by=SYSTEM, limit=gone)

    limits = build_principals(1).limits

    def limit(scope: LimitScope, most: int, name: str) -> tuple[Limit, ...]:
        return (Limit(scope=scope, measure=measure, most=most, name=name),)

    assert limits == {
        str(key.pk): limit(LimitScope.KEY, 1, ""),
        str(application.pk): limit(LimitScope.APPLICATION, 2, "RAGaRenn"),
        str(rennes.pk): limit(LimitScope.INSTITUTION, 4, "Rennes"),
    }


def test_limits_of_keys_that_are_over_are_left_out(rennes: Institution) -> None:
    key, _ = make_key(make_application(rennes))
    set_limit(by=SYSTEM, owner=key, measure=Measure.AT_ONCE, most=1)

    revoke_key(by=SYSTEM, key=key, reason="leak")

    assert build_principals(1).limits == {}


def test_a_key_carries_how_many_it_waits_behind(rennes: Institution) -> None:
    key, _ = make_key(make_application(rennes))
    set_threshold(by=SYSTEM, key=key, threshold=7)

    assert [principal.threshold for principal in principals().values()] == [7]


def test_institutions_that_have_keys_are_known_by_their_short_identifiers(
    rennes: Institution,
) -> None:
    make_institution("reims")
    make_key(make_application(rennes))

    assert build_principals(1).institutions == {"rennes": str(rennes.pk)}
