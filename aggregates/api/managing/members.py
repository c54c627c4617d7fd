"""/api/v1/members: who belongs to the organization, as what."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse

from aggregates.accounts import members
from aggregates.accounts.access import NoAccess, Permission, roles_within
from aggregates.accounts.forms.limits import LimitsForm, fields_of
from aggregates.accounts.forms.members import RoleForm
from aggregates.accounts.members import CannotChange
from aggregates.api.managing.asking import Asked, absent, conflict, resource
from aggregates.api.managing.fields import TEXT, TEXTS, body_of, check
from aggregates.api.managing.lists import listed, one
from aggregates.models import Membership

FIELDS = {"role": TEXT, "projects": TEXTS, "users": TEXTS}


def list_members(asked: Asked) -> HttpResponse:
    return listed(asked, "members", members.members_of(asked.organization), told)


def read_member(asked: Asked, number: int) -> HttpResponse:
    return one(asked, "member", number, members.members_of(asked.organization), told)


def change_member(asked: Asked, number: int) -> HttpResponse:
    """Give a member another role, or another part of the usage to see; what is not said stays."""
    given = body_of(asked.request, FIELDS)
    with members.locked(asked.organization):
        member = members.members_of(asked.organization).filter(pk=number).first()
        if member is None:
            raise absent("member", number)
        role = RoleForm(roles_within(asked.by), {"role": given.get("role", member.role)})
        part = LimitsForm(fields_of(member.limited_to) | given)
        if "role" in given:
            check(role)
        check(part)
        try:
            member = members.change(asked.by, number, role.chosen_role if "role" in given else None, part.limits)
        except NoAccess:
            raise absent("member", number) from None
        except CannotChange as error:
            raise conflict(error) from None
    return JsonResponse(told(member))


def remove_member(asked: Asked, number: int) -> HttpResponse:
    try:
        members.remove(asked.by, number)
    except NoAccess:
        raise absent("member", number) from None
    except CannotChange as error:
        raise conflict(error) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def told(member: Membership) -> dict[str, Any]:
    return {
        "id": member.pk,
        "email": member.user.email,
        "role": member.role,
        **fields_of(member.limited_to),
        "joined_at": member.joined_at,
        "last_seen_at": member.last_seen_at,
    }


member_list = resource(Permission.MEMBERS, GET=list_members)
member = resource(Permission.MEMBERS, GET=read_member, PATCH=change_member, DELETE=remove_member)
