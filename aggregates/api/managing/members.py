"""/api/v1/members: who belongs to the organization, as what."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse

from aggregates.accounts import members
from aggregates.accounts.access import NoAccess, Permission, roles_within
from aggregates.accounts.forms.limits import LimitsForm, fields_of
from aggregates.accounts.forms.members import RoleForm
from aggregates.accounts.members import CannotChange
from aggregates.api.managing.fields import TEXT, TEXTS, body_of, check
from aggregates.api.managing.lists import item_of, page_of
from aggregates.api.managing.resources import ManagingRequest, absent, conflict, resource
from aggregates.models import Membership

FIELDS = {"role": TEXT, "projects": TEXTS, "users": TEXTS}


def list_members(request: ManagingRequest) -> HttpResponse:
    return page_of(request, "members", members.members_of(request.organization), as_json)


def read_member(request: ManagingRequest, number: int) -> HttpResponse:
    return item_of(request, "member", number, members.members_of(request.organization), as_json)


def change_member(request: ManagingRequest, number: int) -> HttpResponse:
    """Give a member another role, or another part of the usage to see; what is not said stays."""
    body = body_of(request.http, FIELDS)
    with members.locked(request.organization):
        member = members.members_of(request.organization).filter(pk=number).first()
        if member is None:
            raise absent("member", number)
        role = RoleForm(roles_within(request.by), {"role": body.get("role", member.role)})
        part = LimitsForm(fields_of(member.limited_to) | body)
        if "role" in body:
            check(role)
        check(part)
        try:
            member = members.change(request.by, number, role.chosen_role if "role" in body else None, part.limits)
        except NoAccess:
            raise absent("member", number) from None
        except CannotChange as error:
            raise conflict(error) from None
    return JsonResponse(as_json(member))


def remove_member(request: ManagingRequest, number: int) -> HttpResponse:
    try:
        members.remove(request.by, number)
    except NoAccess:
        raise absent("member", number) from None
    except CannotChange as error:
        raise conflict(error) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def as_json(member: Membership) -> dict[str, Any]:
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
