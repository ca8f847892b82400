"""Who may do what at which address: one line an address, and an address without a line fails the suite.

To add one, copy the pattern from the message of the failing test, and say for each method what it needs:

    "runs/<uuid:pk>/stop/": route({"pk": "run.pk"}, post=of_project(RUN_CONTROL)),

- `{"pk": "run.pk"}` fills the holes of the pattern from the cast (`tests/access/cast.py`; add to it what you miss).
- `of_project(permission)`  the address names a thing of Acme's project Shop.
- `of_team(permission)`     it names a thing of Acme that belongs to no project.
- `of_pool(permission)`     it names a pool that Acme may use, or its host; `ADMIN` is for the portal's admin alone.
- `own(permission)`         it names nothing: a list, or a new thing in a team of one's own.
- `public`, `logged_in`, `closed`  what they say.
- Keywords are the body (`scenario="@scenario.pk"` means that attribute of the cast), `query="a=b"` the query.

Nothing more is needed: who is tried, with which methods, and what each must get is in `test_routes.py`.
"""

from __future__ import annotations

from apps.teams.roles import AUDIT_VIEW, PROJECT_EDIT, RUN_CONTROL, RUN_START, SCENARIO_EDIT, TOKEN_MANAGE, VIEW
from tests.access.needs import ADMIN, Route, closed, logged_in, of_pool, of_project, of_team, own, public, route

RUN = {"pk": "run.pk"}
SCENARIO = {"pk": "scenario.pk"}
DATA = {**SCENARIO, "name": "data.name"}
API_DATA = {"ref": "scenario.pk", "name": "data.name"}
PROJECT_PAGE = {"team_slug": "acme.slug", "project_slug": "shop.slug"}
TEAM_PAGE = {"slug": "acme.slug"}
LAB_PAGE = {"name": "lab.name"}
BOX_PAGE = {**LAB_PAGE, "host": "box.name"}
BOX = {"ref": "box.name"}

ROUTES: dict[str, Route] = {
    # --- the portal itself
    "healthz": route(get=public),
    "readyz": route(get=public),
    # --- accounts
    "accounts/login/": route(get=public, post=public),
    "accounts/logout/": route(get=public, post=public),
    "accounts/inactive/": route(get=public),
    "accounts/reauthenticate/": route(get=logged_in, post=logged_in),
    "accounts/password/change/": route(get=logged_in, post=logged_in),
    "accounts/password/reset/": route(get=public, post=public),
    "accounts/password/reset/done/": route(get=public),
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": route(
        {"uidb36": "1", "key": "wrong"}, get=public, post=public
    ),
    "accounts/password/reset/key/done/": route(get=public),
    "accounts/signup/": route(get=closed, post=closed),
    "accounts/email/": route(get=closed, post=closed),
    "accounts/confirm-email/": route(get=closed, post=closed),
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": route({"key": "wrong"}, get=closed, post=closed),
    "accounts/password/set/": route(get=closed, post=closed),
    # --- pages
    "": route(get=logged_in),
    "t/<slug:team_slug>/<slug:project_slug>/": route(PROJECT_PAGE, get=of_project()),
    "t/<slug:team_slug>/<slug:project_slug>/settings/": route(
        PROJECT_PAGE, get=of_project(PROJECT_EDIT), post=of_project(PROJECT_EDIT)
    ),
    "t/<slug:team_slug>/<slug:project_slug>/delete/": route(
        PROJECT_PAGE, get=of_project(PROJECT_EDIT), post=of_project(PROJECT_EDIT)
    ),
    "teams/<slug:slug>/members/": route(TEAM_PAGE, get=of_team()),
    "teams/<slug:slug>/tokens/": route(TEAM_PAGE, get=of_team(TOKEN_MANAGE), post=of_team(TOKEN_MANAGE)),
    "teams/<slug:slug>/tokens/<uuid:pk>/revoke/": route(
        {**TEAM_PAGE, "pk": "read_token.pk"}, get=of_team(TOKEN_MANAGE), post=of_team(TOKEN_MANAGE)
    ),
    "teams/<slug:slug>/projects/new/": route(TEAM_PAGE, get=of_team(PROJECT_EDIT), post=of_team(PROJECT_EDIT)),
    "runs/": route(get=logged_in),
    "runs/active/": route(get=logged_in),
    "runs/<uuid:pk>/": route(RUN, get=of_project()),
    "runs/<uuid:pk>/stop/": route(RUN, post=of_project(RUN_CONTROL)),
    "runs/<uuid:pk>/abort/": route(RUN, post=of_project(RUN_CONTROL)),
    "runs/<uuid:pk>/report/": route(RUN, get=of_project()),
    "runs/<uuid:pk>/files/<str:name>": route({**RUN, "name": "stats.csv"}, get=of_project()),
    "scenarios/": route(get=logged_in),
    "t/<slug:team_slug>/<slug:project_slug>/scenarios/new/": route(
        PROJECT_PAGE, get=of_project(SCENARIO_EDIT), post=of_project(SCENARIO_EDIT)
    ),
    "t/<slug:team_slug>/<slug:project_slug>/scenarios/validate/": route(PROJECT_PAGE, post=of_project(SCENARIO_EDIT)),
    "scenarios/<uuid:pk>/": route(SCENARIO, get=of_project(), post=of_project(SCENARIO_EDIT)),
    "scenarios/<uuid:pk>/load/": route(SCENARIO, get=of_project(), post=of_project(SCENARIO_EDIT)),
    "scenarios/<uuid:pk>/data/": route(SCENARIO, get=of_project(), post=of_project(SCENARIO_EDIT)),
    "scenarios/<uuid:pk>/data/<str:name>/": route(DATA, get=of_project(), post=of_project(SCENARIO_EDIT)),
    "scenarios/<uuid:pk>/data/<str:name>/delete/": route(
        DATA, get=of_project(SCENARIO_EDIT), post=of_project(SCENARIO_EDIT)
    ),
    "scenarios/<uuid:pk>/data/<str:name>/restore/": route(DATA, post=of_project(SCENARIO_EDIT, version=1)),
    "scenarios/<uuid:pk>/data/<str:name>/content": route(DATA, get=of_project()),
    "scenarios/<uuid:pk>/settings/": route(SCENARIO, get=of_project(), post=of_project(SCENARIO_EDIT)),
    "scenarios/<uuid:pk>/delete/": route(SCENARIO, get=of_project(SCENARIO_EDIT), post=of_project(SCENARIO_EDIT)),
    "scenarios/<uuid:pk>/versions/<int:number>/": route({**SCENARIO, "number": "version.number"}, get=of_project()),
    "scenarios/<uuid:pk>/diff/": route(SCENARIO, get=of_project()),
    "scenarios/<uuid:pk>/runs/": route(SCENARIO, get=of_project()),
    "scenarios/<uuid:pk>/run/": route(SCENARIO, get=of_project(RUN_START), post=of_project(RUN_START)),
    "scenarios/<uuid:pk>/run/plan/": route(SCENARIO, post=of_project(RUN_START)),
    # --- pages of pools
    "pools/": route(get=logged_in),
    "pools/new/": route(get=own(ADMIN), post=own(ADMIN)),
    "pools/find/teams/": route(get=own(ADMIN)),
    "pools/find/projects/": route(get=own(ADMIN)),
    "pools/<slug:name>/": route(LAB_PAGE, get=of_pool()),
    "pools/<slug:name>/settings/": route(LAB_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/ids/": route(LAB_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/split/": route(LAB_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/default/": route(LAB_PAGE, post=of_pool(ADMIN)),
    "pools/<slug:name>/delete/": route(LAB_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/join/": route(LAB_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN, host_name="box-2")),
    "pools/<slug:name>/keys/<uuid:pk>/revoke/": route(
        {**LAB_PAGE, "pk": "key.pk"}, get=of_pool(ADMIN), post=of_pool(ADMIN)
    ),
    "pools/<slug:name>/hosts/<str:host>/": route(BOX_PAGE, get=of_pool(), post=of_pool(ADMIN)),
    "pools/<slug:name>/hosts/<str:host>/move/": route(BOX_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/hosts/<str:host>/approve/": route(BOX_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/hosts/<str:host>/drain/": route(BOX_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/hosts/<str:host>/activate/": route(BOX_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    "pools/<slug:name>/hosts/<str:host>/remove/": route(BOX_PAGE, get=of_pool(ADMIN), post=of_pool(ADMIN)),
    # --- REST: the API itself
    "api/docs/": route(get=logged_in),
    "api/v1/schema/": route(get=logged_in),
    "api/^(?P<path>[\\s\\S]*)$": route(
        {"path": "v1/nothing/"}, get=closed, post=closed, put=closed, patch=closed, delete=closed
    ),
    # --- REST: teams
    "api/v1/projects/": route(get=own(), post=own(PROJECT_EDIT, name="New")),
    "api/v1/projects/<str:ref>/": route(
        {"ref": "shop.slug"}, get=of_project(), patch=of_project(PROJECT_EDIT), delete=of_project(PROJECT_EDIT)
    ),
    "api/v1/tokens/": route(get=own(TOKEN_MANAGE), post=own(TOKEN_MANAGE, name="new", scope="read")),
    "api/v1/tokens/<str:ref>/": route(
        {"ref": "read_token.pk"}, get=of_team(TOKEN_MANAGE), delete=of_team(TOKEN_MANAGE)
    ),
    "api/v1/audit/": route(get=own(AUDIT_VIEW)),
    # --- REST: scenarios
    "api/v1/scenarios/": route(
        get=own(), post=of_project(SCENARIO_EDIT, project="@shop.pk", name="New", locustfile="print()")
    ),
    "api/v1/scenarios/<str:ref>/": route(
        {"ref": "scenario.pk"}, get=of_project(), patch=of_project(SCENARIO_EDIT), delete=of_project(SCENARIO_EDIT)
    ),
    "api/v1/scenarios/<str:ref>/versions/": route(
        {"ref": "scenario.pk"}, get=of_project(), post=of_project(SCENARIO_EDIT, locustfile="print()")
    ),
    "api/v1/scenarios/<str:ref>/versions/<int:number>/": route(
        {"ref": "scenario.pk", "number": "version.number"}, get=of_project()
    ),
    "api/v1/scenarios/<str:ref>/validate/": route({"ref": "scenario.pk"}, post=of_project(RUN_START)),
    "api/v1/scenarios/<str:ref>/data/": route({"ref": "scenario.pk"}, get=of_project(), post=of_project(SCENARIO_EDIT)),
    "api/v1/scenarios/<str:ref>/data/<str:name>/": route(
        API_DATA, get=of_project(), patch=of_project(SCENARIO_EDIT, at_end="stop"), delete=of_project(SCENARIO_EDIT)
    ),
    "api/v1/scenarios/<str:ref>/data/<str:name>/versions/": route(
        API_DATA, get=of_project(), post=of_project(SCENARIO_EDIT, version=1)
    ),
    "api/v1/scenarios/<str:ref>/data/<str:name>/content": route(API_DATA, get=of_project()),
    "api/v1/scenarios/<str:ref>/data/<str:name>/preview/": route(API_DATA, get=of_project()),
    # --- REST: pools
    "api/v1/pools/": route(get=logged_in, post=own(ADMIN, name="fresh")),
    "api/v1/pools/<str:ref>/": route({"ref": "lab.name"}, get=of_pool(), patch=of_pool(ADMIN), delete=of_pool(ADMIN)),
    "api/v1/pools/<str:ref>/space/": route({"ref": "lab.name"}, get=of_pool()),
    "api/v1/pools/<str:ref>/split/": route({"ref": "lab.name"}, post=of_pool(ADMIN, first=1, last=9)),
    "api/v1/pools/<str:ref>/join-keys/": route(
        {"ref": "lab.name"}, get=of_pool(ADMIN), post=of_pool(ADMIN, host_name="box-2")
    ),
    "api/v1/pools/<str:ref>/join-keys/<uuid:pk>/": route({"ref": "lab.name", "pk": "key.pk"}, delete=of_pool(ADMIN)),
    "api/v1/hosts/": route(get=logged_in),
    "api/v1/hosts/<str:ref>/": route(BOX, get=of_pool(), patch=of_pool(ADMIN, slots=2), delete=of_pool(ADMIN)),
    "api/v1/hosts/<str:ref>/move/": route(BOX, post=of_pool(ADMIN, pool="local")),
    "api/v1/hosts/<str:ref>/approve/": route(BOX, post=of_pool(ADMIN)),
    "api/v1/hosts/<str:ref>/drain/": route(BOX, post=of_pool(ADMIN)),
    "api/v1/hosts/<str:ref>/activate/": route(BOX, post=of_pool(ADMIN)),
    # --- REST: runs
    "api/v1/runs/": route(get=own(), post=of_project(RUN_START, scenario="@scenario.pk")),
    "api/v1/runs/<uuid:pk>/": route(RUN, get=of_project(), patch=of_project(RUN_CONTROL, users=5)),
    "api/v1/runs/<uuid:pk>/stop/": route(RUN, post=of_project(RUN_CONTROL)),
    "api/v1/runs/<uuid:pk>/abort/": route(RUN, post=of_project(RUN_CONTROL)),
    "api/v1/runs/<uuid:pk>/events/": route(RUN, get=of_project(), post=of_project(RUN_CONTROL, text="hello")),
    "api/v1/runs/<uuid:pk>/endpoints/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/failures/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/failures/<int:index>/samples/": route({**RUN, "index": "failure.index"}, get=of_project()),
    "api/v1/runs/<uuid:pk>/exceptions/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/identities/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/workers/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/log/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/series/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/summary/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/heatmap/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/distribution/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/phases/": route(RUN, get=of_project()),
    "api/v1/runs/<uuid:pk>/<runfile:name>": route({**RUN, "name": "stats.csv"}, get=of_project()),
}

SOCKETS: dict[str, Route] = {
    "ws/runs/<uuid:run_id>/": route({"run_id": "run.pk"}, get=of_project(VIEW)),
}
