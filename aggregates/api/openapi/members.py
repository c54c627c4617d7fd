"""Managing members and invitations."""

from aggregates.accounts.invitations import GOOD_FOR
from aggregates.api.openapi.managing import (
    FLAG,
    LIMITS,
    NUMBER_IN_PATH,
    PAGE,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_OR_NULL,
    body,
    list_of,
    of_object,
    operation,
    read_one,
    ref,
)
from aggregates.api.openapi.shared import Schema
from aggregates.models import Role

ROLE: Schema = {"enum": Role.values, "description": "None above that of the key's maker can be given."}
OF_MEMBER: Schema = {
    "id": {"type": "integer"},
    "email": TEXT,
    "role": {"enum": Role.values},
    **LIMITS,
    "joined_at": TIME_OR_NULL,
    "last_seen_at": TIME_OR_NULL | {"description": "When they last looked at a page, to ten minutes."},
}
OF_INVITATION: Schema = {
    "id": {"type": "integer"},
    "email": TEXT_OR_NULL | {"description": "Whom it is for; null: for whoever has the link."},
    "role": {"enum": Role.values},
    **LIMITS,
    "created_at": TIME,
    "created_by": TEXT_OR_NULL | {"description": "Who made it; null: whoever runs the site."},
    "expires_at": TIME,
    "sent_at": TIME_OR_NULL | {"description": "When it last went out by mail."},
}
LINK: Schema = {"link": TEXT_OR_NULL | {"description": "What it is accepted with, told this once; null: by mail."}}
SCHEMAS: Schema = {
    "Member": of_object(OF_MEMBER),
    "Members": list_of("members", "Member"),
    "Invitation": of_object(OF_INVITATION),
    "NewInvitation": of_object(OF_INVITATION | LINK),
    "Invitations": list_of("invitations", "Invitation"),
}
CHANGE = operation(
    "changeMember",
    "Change a member",
    "Give them another role, another part of the usage to see, or both; what is not said stays. Only analysts and "
    "viewers see a part.",
    ref("Member"),
    sent=body({"role": ROLE, **LIMITS}, (), {"role": "viewer", "projects": ["search"]}),
    conflict="It is the last owner, or the role and the part do not go together.",
    parameters=[NUMBER_IN_PATH],
)
REMOVE = operation(
    "removeMember",
    "Remove a member",
    "They see nothing of the organization from now on; keys of theirs that manage are revoked.",
    None,
    status="204",
    conflict="It is the last owner.",
    parameters=[NUMBER_IN_PATH],
)
INVITE = operation(
    "invite",
    "Invite somebody",
    f"The link is good once, for {GOOD_FOR.days} days. One who is invited already is invited anew.",
    ref("NewInvitation"),
    status="201",
    sent=body(
        {
            "email": TEXT_OR_NULL
            | {"maxLength": 254, "description": "Whom it is for; without one, for whoever has the link."},
            "role": ROLE,
            **LIMITS,
            "by_mail": FLAG
            | {"default": False, "description": "Whether the link goes out by mail, where the site sends any."},
        },
        ("role",),
        {"email": "bob@example.com", "role": "analyst"},
    ),
    conflict="They are a member already, or too many invitations are open.",
)
PATHS: Schema = {
    "/api/v1/members": {
        "get": operation("listMembers", "List the members", "All of them.", ref("Members"), parameters=PAGE)
    },
    "/api/v1/members/{id}": {"get": read_one("readMember", "a member", "Member"), "patch": CHANGE, "delete": REMOVE},
    "/api/v1/invitations": {
        "get": operation(
            "listInvitations",
            "List the invitations",
            "Those that nobody accepted or revoked; some have expired.",
            ref("Invitations"),
            parameters=PAGE,
        ),
        "post": INVITE,
    },
    "/api/v1/invitations/{id}": {
        "get": read_one("readInvitation", "an invitation", "Invitation"),
        "delete": operation(
            "revokeInvitation",
            "Revoke an invitation",
            "Its link is good no longer.",
            None,
            status="204",
            parameters=[NUMBER_IN_PATH],
        ),
    },
}
