"""Addresses of the pages."""

from django.urls import path

from aggregates.api.arrived import arrivals
from aggregates.api.description import api, openapi
from aggregates.api.litellm import litellm
from aggregates.api.managing import discounts as api_discounts
from aggregates.api.managing import invitations as api_invitations
from aggregates.api.managing import keys as api_keys
from aggregates.api.managing import members as api_members
from aggregates.api.managing import organization as api_organization
from aggregates.api.managing import prices as api_prices
from aggregates.api.managing import repricings as api_repricings
from aggregates.api.managing import views as api_views
from aggregates.api.notes import notes
from aggregates.api.otlp.logs import logs
from aggregates.api.otlp.metrics import metrics
from aggregates.api.otlp.traces import traces
from aggregates.api.reading import read_units
from aggregates.api.usage import usage
from aggregates.ops.allowances import Allowance, Lane, allow
from aggregates.web.views import saml, sign_in
from aggregates.web.views.account import (
    AddApp,
    AddPasskey,
    ConfirmCode,
    ConfirmPasskey,
    ConfirmPassword,
    Factors,
    NewRecoveryCodes,
    RecoveryCodes,
    RemoveApp,
    RemovePasskey,
    SecondFactor,
    end_other_sessions,
    end_session,
    session_list,
)
from aggregates.web.views.arrivals import arrivals_page
from aggregates.web.views.audit import audit_csv, audit_page
from aggregates.web.views.calls import call, call_list
from aggregates.web.views.changes import changes, within
from aggregates.web.views.connecting import connect, first_call
from aggregates.web.views.dashboard import dashboard, subgroups, values
from aggregates.web.views.documents import document, document_list
from aggregates.web.views.email_address import ConfirmEmail, Email
from aggregates.web.views.exports import calls_csv, focus_csv, usage_csv, usage_html, usage_xlsx
from aggregates.web.views.finding import found
from aggregates.web.views.first_account import first_account
from aggregates.web.views.groups import groups
from aggregates.web.views.home import home
from aggregates.web.views.imports import cancel_import, import_list, import_page
from aggregates.web.views.joining import follow, join
from aggregates.web.views.keys import key_list, revoke_key, rotate_key
from aggregates.web.views.log_in import (
    LogIn,
    LogInWithPasskey,
    LogOut,
    NewPassword,
    NewPasswordSet,
    Password,
    Reset,
    ResetSent,
)
from aggregates.web.views.members import (
    change_role,
    leave,
    limit_member,
    make_password_link,
    member_list,
    remove_member,
    resend_invitation,
    revoke_invitation,
)
from aggregates.web.views.notes import delete_note, note_list
from aggregates.web.views.organizations import new_organization
from aggregates.web.views.platform import platform
from aggregates.web.views.prices import comparison, discounts, price_list, remove_discount, remove_price
from aggregates.web.views.repricing import past, repricing, undo_repricing
from aggregates.web.views.sample import add_sample, remove_sample
from aggregates.web.views.saved_views import delete_view, open_view, rename_view, save_changes, view_list
from aggregates.web.views.settings import data, general

door = allow(Allowance(Lane.DOOR))  # where passwords are hashed

urlpatterns = [
    path("api/", api, name="api"),
    path("api/v1/openapi.json", openapi, name="openapi"),
    path("api/v1/usage", usage, name="record-usage"),
    path("api/v1/units", read_units, name="read-units"),
    path("api/v1/notes", notes, name="read-notes"),
    path("api/v1/litellm", litellm, name="record-litellm"),
    path("api/v1/arrivals", arrivals, name="read-arrivals"),
    path("api/v1/members", api_members.member_list, name="api-members"),
    path("api/v1/members/<int:number>", api_members.member, name="api-member"),
    path("api/v1/invitations", api_invitations.invitation_list, name="api-invitations"),
    path("api/v1/invitations/<int:number>", api_invitations.invitation, name="api-invitation"),
    path("api/v1/keys", api_keys.key_list, name="api-keys"),
    path("api/v1/keys/<int:number>", api_keys.key, name="api-key"),
    path("api/v1/keys/<int:number>/rotate", api_keys.rotation, name="api-rotate-key"),
    path("api/v1/prices", api_prices.price_list, name="api-prices"),
    path("api/v1/prices/<int:number>", api_prices.price, name="api-price"),
    path("api/v1/discounts", api_discounts.discount_list, name="api-discounts"),
    path("api/v1/discounts/<int:number>", api_discounts.discount, name="api-discount"),
    path("api/v1/published-prices", api_prices.published, name="api-published-prices"),
    path("api/v1/past-calls", api_repricings.past, name="api-past-calls"),
    path("api/v1/repricings", api_repricings.repricing_list, name="api-repricings"),
    path("api/v1/repricings/<int:number>", api_repricings.repricing, name="api-repricing"),
    path("api/v1/repricings/<int:number>/undo", api_repricings.undoing, name="api-undo-repricing"),
    path("api/v1/organization", api_organization.settings, name="api-organization"),
    path("api/v1/views", api_views.view_list, name="api-views"),
    path("api/v1/views/<int:number>", api_views.view, name="api-view"),
    path("v1/traces", traces, name="record-traces"),
    path("v1/logs", logs, name="record-logs"),
    path("v1/metrics", metrics, name="discard-metrics"),
    path("api/public/otel/v1/traces", traces, name="record-langfuse-traces"),
    path("docs/", document_list, name="docs"),
    path("docs/<path:name>/", document, name="document"),
    path("", home, name="home"),
    # Under the names that allauth knows.
    path("login/", door(LogIn.as_view()), name="account_login"),
    path("login/second-factor/", SecondFactor.as_view(), name="mfa_authenticate"),
    path("login/passkey/", LogInWithPasskey.as_view(), name="mfa_login_webauthn"),
    path("login/with/<slug:provider_id>/", sign_in.begin, name="sign-in"),
    path("login/with/<slug:provider_id>/callback/", sign_in.end, name="openid_connect_callback"),
    path("login/with/<slug:organization_slug>/acs/", saml.consume, name="saml_acs"),
    path("login/with/<slug:organization_slug>/acs/finish/", saml.finish, name="saml_finish_acs"),
    path("login/with/<slug:organization_slug>/metadata/", saml.metadata, name="saml_metadata"),
    path("login/with/<slug:organization_slug>/sls/", saml.no_log_out, name="saml_sls"),  # allauth needs its name
    path("account/second-factors/", Factors.as_view(), name="mfa_index"),
    path("account/second-factors/app/", AddApp.as_view(), name="mfa_activate_totp"),
    path("account/second-factors/app/remove/", RemoveApp.as_view(), name="mfa_deactivate_totp"),
    path("account/second-factors/passkeys/add/", AddPasskey.as_view(), name="mfa_add_webauthn"),
    path("account/second-factors/passkeys/<int:pk>/remove/", RemovePasskey.as_view(), name="mfa_remove_webauthn"),
    path("account/confirm/passkey/", ConfirmPasskey.as_view(), name="mfa_reauthenticate_webauthn"),
    path("account/second-factors/codes/", RecoveryCodes.as_view(), name="mfa_view_recovery_codes"),
    path("account/second-factors/codes/new/", NewRecoveryCodes.as_view(), name="mfa_generate_recovery_codes"),
    path("account/confirm/", door(ConfirmPassword.as_view()), name="account_reauthenticate"),
    path("account/confirm/code/", ConfirmCode.as_view(), name="mfa_reauthenticate"),
    path("account/email/", Email.as_view(), name="account_email"),
    path("account/email/<str:key>/", ConfirmEmail.as_view(), name="account_confirm_email"),
    path("account/sessions/", session_list, name="sessions"),
    path("account/sessions/end/", end_other_sessions, name="end-other-sessions"),
    path("account/sessions/<int:number>/end/", end_session, name="end-session"),
    path("logout/", LogOut.as_view(), name="account_logout"),
    path("password/", door(Password.as_view()), name="account_change_password"),
    path("password/reset/", Reset.as_view(), name="account_reset_password"),
    path("password/reset/sent/", ResetSent.as_view(), name="account_reset_password_done"),
    path("password/reset/done/", NewPasswordSet.as_view(), name="account_reset_password_from_key_done"),
    path(
        "password/reset/<slug:uidb36>/<slug:key>/", door(NewPassword.as_view()), name="account_reset_password_from_key"
    ),
    path("first/<str:token>/", door(first_account), name="first-account"),
    path("join/", door(join), name="join"),
    path("join/<str:secret>/", follow, name="follow-invitation"),
    path("o/<slug:slug>/", dashboard, name="dashboard"),
    path("o/<slug:slug>/changes/", changes, name="changes"),
    path("o/<slug:slug>/changes/within/", within, name="within"),
    path("o/<slug:slug>/calls/", call_list, name="calls"),
    path("o/<slug:slug>/calls/<int:number>/", call, name="call"),
    path("o/<slug:slug>/calls.csv", calls_csv, name="calls-csv"),
    path("o/<slug:slug>/usage.csv", usage_csv, name="usage-csv"),
    path("o/<slug:slug>/usage.xlsx", usage_xlsx, name="usage-xlsx"),
    path("o/<slug:slug>/usage.html", usage_html, name="usage-html"),
    path("o/<slug:slug>/focus.csv", focus_csv, name="focus-csv"),
    path("o/<slug:slug>/groups/", groups, name="groups"),
    path("o/<slug:slug>/find/", found, name="find"),
    path("o/<slug:slug>/values/", values, name="values"),
    path("o/<slug:slug>/subgroups/", subgroups, name="subgroups"),
    path("o/<slug:slug>/views/", view_list, name="views"),
    path("o/<slug:slug>/views/<int:number>/", open_view, name="open-view"),
    path("o/<slug:slug>/views/<int:number>/save/", save_changes, name="save-view"),
    path("o/<slug:slug>/views/<int:number>/rename/", rename_view, name="rename-view"),
    path("o/<slug:slug>/views/<int:number>/delete/", delete_view, name="delete-view"),
    path("o/<slug:slug>/notes/", note_list, name="notes"),
    path("o/<slug:slug>/notes/<int:number>/delete/", delete_note, name="delete-note"),
    path("o/<slug:slug>/arrivals/", arrivals_page, name="arrivals"),
    path("o/<slug:slug>/connect/", connect, name="connect"),
    path("o/<slug:slug>/connect/first/", first_call, name="first-call"),
    path("o/<slug:slug>/sample/", add_sample, name="add-sample"),
    path("o/<slug:slug>/sample/remove/", remove_sample, name="remove-sample"),
    path("o/<slug:slug>/keys/", key_list, name="keys"),
    path("o/<slug:slug>/keys/<int:number>/rotate/", rotate_key, name="rotate-key"),
    path("o/<slug:slug>/keys/<int:number>/revoke/", revoke_key, name="revoke-key"),
    path("o/<slug:slug>/prices/", price_list, name="prices"),
    path("o/<slug:slug>/prices/discounts/", discounts, name="discounts"),
    path("o/<slug:slug>/prices/discounts/<int:number>/remove/", remove_discount, name="remove-discount"),
    path("o/<slug:slug>/prices/past/", past, name="past-calls"),
    path("o/<slug:slug>/prices/past/<int:number>/", repricing, name="repricing"),
    path("o/<slug:slug>/prices/past/<int:number>/undo/", undo_repricing, name="undo-repricing"),
    path("o/<slug:slug>/prices/<int:number>/remove/", remove_price, name="remove-price"),
    path("o/<slug:slug>/prices/comparison/", comparison, name="price-comparison"),
    path("o/<slug:slug>/audit/", audit_page, name="audit"),
    path("o/<slug:slug>/audit.csv", audit_csv, name="audit-csv"),
    path("o/<slug:slug>/imports/", import_list, name="imports"),
    path("o/<slug:slug>/imports/<int:number>/", import_page, name="import"),
    path("o/<slug:slug>/imports/<int:number>/cancel/", cancel_import, name="cancel-import"),
    path("o/<slug:slug>/settings/", general, name="settings"),
    path("o/<slug:slug>/data/", data, name="data"),
    path("o/<slug:slug>/members/", member_list, name="members"),
    path("o/<slug:slug>/members/leave/", leave, name="leave"),
    path("o/<slug:slug>/members/<int:number>/role/", change_role, name="change-role"),
    path("o/<slug:slug>/members/<int:number>/password/", make_password_link, name="password-link"),
    path("o/<slug:slug>/members/<int:number>/limits/", limit_member, name="limit-member"),
    path("o/<slug:slug>/members/<int:number>/remove/", remove_member, name="remove-member"),
    path("o/<slug:slug>/invitations/<int:number>/resend/", resend_invitation, name="resend-invitation"),
    path("o/<slug:slug>/invitations/<int:number>/revoke/", revoke_invitation, name="revoke-invitation"),
    path("platform/", platform, name="platform"),
    path("platform/organizations/new/", new_organization, name="new-organization"),
]
