"""The status, changed by one press in a row or of many incidents at once; told, and undone by one press."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core import signing
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from desk.change_list import MAX_AT_ONCE
from desk.incident_forms import ReasonForm
from desk.incident_page import of_incident
from incidents.actors import Named
from incidents.exceptions import NotADuplicate
from incidents.history import STATUS_OR_TAKER, full_names, last_status_changes, name_authors
from incidents.models import UNRESOLVED, Channel, Incident, IncidentChange, Status
from incidents.services import add_comments, change_incident, lock_incidents, with_mains

SALT = "incidents.admin.moves"  # an older path: pages that are open have moves that were signed with it
MAX_AGE = timedelta(days=1)  # of signed moves
MAX_NAMED = 10  # incidents in a message
FOLLOW_LABELS = {Status.RESOLVED: gettext_lazy("Resolve them too"), Status.CLOSED: gettext_lazy("Close them too")}


class Move(NamedTuple):
    """
    What an operator wants of an incident: from the status that the page showed to another.

    An undo has the id of the change that it undoes, and who had taken the incident before that, or "". Where it undoes
    that the incident was handed over, the status stays. `duplicate_of` is the main incident of one that is closed as a
    duplicate, or that an undo makes one again.
    """

    pk: int
    shown: str
    status: str
    undoes: int | None = None
    taken_by: str | None = None
    duplicate_of: int | None = None


@of_incident
def status_view(model_admin: ModelAdmin, request: HttpRequest, incident: Incident) -> HttpResponse:
    """Takes one press: sets `status` if the incident's status is still `shown`."""
    # A button sends one value of its own: the list's buttons have `shown` in the query.
    shown, status = request.POST.get("shown") or request.GET.get("shown"), request.POST.get("status")
    if shown not in Status.values or status not in Status.values:
        raise BadRequest("status and shown must be statuses")
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    # Pressed in a row of a list, it leads back to that row.
    page = next_page(request) + (f"#incident-{incident.pk}" if "row" in request.GET else "")
    _move_with_reason(request, [Move(incident.pk, shown, status)], page)
    return HttpResponseRedirect(page)


def moves_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Carries out signed moves: a confirmed action, or the undoing of one."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    try:
        moves = signing.loads(request.POST.get("moves", ""), salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        messages.error(request, _("This page is too old: nothing was changed."))
    else:
        _move_with_reason(request, [Move(*values) for values in moves], next_page(request))
    return HttpResponseRedirect(next_page(request))


def _move_with_reason(request: HttpRequest, moves: list[Move], page: str) -> None:
    form = ReasonForm(request.POST)
    if form.is_valid():
        move(request, moves, page, form.cleaned_data["reason"])
    else:
        messages.error(request, " ".join([_("Nothing was changed."), *form.errors["reason"]]))


def sign(moves: Iterable[Move]) -> str:
    # As the release before has them, where it can carry them out
    values = [tuple(each) if each.duplicate_of else tuple(each)[:-1] for each in moves]
    return signing.dumps(values, salt=SALT, compress=True)


def next_page(request: HttpRequest, draft: QueryDict | None = None) -> str:
    """Returns the path in `next` of a form, as it was sent or as a draft, if it is of this site; else the list."""
    path = (draft or request.POST).get("next", "")
    return path if url_has_allowed_host_and_scheme(path, None) else reverse("admin:incidents_incident_changelist")


def move(request: HttpRequest, moves: Iterable[Move], page: str, reason: str = "") -> None:
    """
    Changes all incidents whose status is still what was shown, and none where anything fails; tells what it did.

    `page` is where an undo leads back to. The reason becomes a comment on each incident that is changed.
    """
    wanted = {each.pk: each for each in moves}
    try:
        undo, kept = _move(wanted, Named(request.user.get_username()), reason)
    except NotADuplicate as exc:
        messages.error(request, f"{exc} {_('Nothing was changed.')}")
        return
    if undo:
        handed_over = [
            describe_taken(each.pk, wanted[each.pk].taken_by or "") for each in undo if each.shown == each.status
        ]
        changed = _describe([each for each in undo if each.shown != each.status])
        tell(request, " ".join([*handed_over, changed, *_describe_links(wanted, undo)]), undo, page)
        _offer_duplicates(request, [wanted[each.pk] for each in undo], page)
    if kept:
        messages.warning(request, " ".join(map(describe_kept, kept[:MAX_NAMED])) + _and_more(len(kept)))
        # A second press finds the reason that the first one recorded.
        if reason and not IncidentChange.objects.filter(incident__in=kept, changes__comment__1=reason).exists():
            messages.warning(request, _("Your reason was not recorded there: “%s”") % reason)


@transaction.atomic
def _move(wanted: dict[int, Move], actor: Named, reason: str) -> tuple[list[Move], list[Incident]]:
    """Returns the moves that undo what was changed, and the incidents that were not. Raises NotADuplicate."""
    moved, kept = [], []
    mains = [each.duplicate_of for each in wanted.values() if each.duplicate_of]
    incidents = lock_incidents([*with_mains(wanted), *mains])
    takers = {pk: incident.taken_by for pk, incident in incidents.items()}
    last_changes = last_status_changes(wanted)
    links = {pk: incident.duplicate_of_id for pk, incident in incidents.items()}
    for incident in incidents.values():
        each = wanted.get(incident.pk)
        if each is None:
            continue
        # The same status may be another person's change by now.
        if incident.status != each.shown or each.undoes not in (None, last_changes[incident.pk]):
            kept.append(incident)
        elif each.shown != each.status or each.undoes:
            change_incident(
                incident,
                values={"status": each.status} if each.shown != each.status else {"taken_by": each.taken_by or ""},
                actor=actor,
                channel=Channel.ADMIN,
                taken_by=each.taken_by,
                duplicate_of=each.duplicate_of,
            )
            moved.append(each)
    if reason:
        add_comments((each.pk for each in moved), reason, actor=actor, channel=Channel.ADMIN)
    changes = last_status_changes(each.pk for each in moved)
    undo = [Move(each.pk, each.status, each.shown, changes[each.pk], takers[each.pk], links[each.pk]) for each in moved]
    return undo, kept


def moves_of_duplicates(mains: Iterable[int], status: Status) -> list[Move]:
    """Returns the moves that give the duplicates of these incidents a status, where they have another one."""
    duplicates = Incident.objects.filter(duplicate_of__in=list(mains)).exclude(status=status).order_by("pk")
    return [Move(pk, shown, status) for pk, shown in duplicates.values_list("pk", "status")[:MAX_AT_ONCE]]


def _offer_duplicates(request: HttpRequest, moved: list[Move], page: str) -> None:
    """Asks whether the duplicates of incidents that are now resolved or closed become so, too."""
    for status, label in FOLLOW_LABELS.items():
        mains = [each.pk for each in moved if each.status == status and each.undoes is None]
        if mains and (moves := moves_of_duplicates(mains, status)):
            names = ", ".join(f"№{each.pk}" for each in moves[:MAX_NAMED]) + _and_more(len(moves))
            text = _("Duplicates were left as they are: %s.") % names
            context = {"text": text, "moves": sign(moves), "next": page, "label": label}
            messages.info(request, render_to_string("admin/incidents/incident/undo.html", context, request))


def _describe_links(wanted: dict[int, Move], undo: list[Move]) -> list[str]:
    sentences = []
    for each in undo[:MAX_NAMED]:
        before, after = each.duplicate_of, wanted[each.pk].duplicate_of
        if after:
            text = _("%(number)s is a duplicate of №%(main)d.")
        elif before and each.shown in UNRESOLVED:
            text = _("%(number)s is no longer a duplicate of №%(main)d.")
        else:
            continue
        sentences.append(text % {"number": f"№{each.pk}", "main": after or before})
    return sentences


def tell(request: HttpRequest, text: str, undo: list[Move], page: str) -> None:
    """Says what was done, with a button that undoes it."""
    context = {"text": text, "moves": sign(undo), "next": page}
    messages.success(request, render_to_string("admin/incidents/incident/undo.html", context, request))


def describe_taken(pk: int, taker: str) -> str:
    name = full_names([taker]).get(taker, taker) or "—"
    return _("%(number)s: taken by %(name)s.") % {"number": f"№{pk}", "name": name}


def _describe(undo: list[Move]) -> str:
    numbers = defaultdict(list)
    for each in undo:
        numbers[each.shown].append(each.pk)
    sentences = []
    for status, pks in numbers.items():
        label = Status(status).label
        if len(pks) == 1:
            sentences.append(_("%(number)s: now “%(status)s”.") % {"number": f"№{pks[0]}", "status": label})
            continue
        names = name(pks)
        text = ngettext(
            "%(names)s: now “%(status)s”, %(count)d incident.",
            "%(names)s: now “%(status)s”, %(count)d incidents.",
            len(pks),
        )
        sentences.append(text % {"names": names, "status": label, "count": len(pks)})
    return " ".join(sentences)


def name(pks: list[int]) -> str:
    """Names the first incidents, and says how many more there are."""
    return ", ".join(f"№{pk}" for pk in pks[:MAX_NAMED]) + _and_more(len(pks))


def describe_kept(incident: Incident) -> str:
    change = incident.changes.filter(STATUS_OR_TAKER).order_by("-id").first()
    text = _("%(incident)s was not changed: its status is now “%(status)s”, set by %(actor)s.")
    if change:
        name_authors([change])
        if change.taker_names:
            text = _("%(incident)s was not changed: it is now taken by %(taker)s, set by %(actor)s.")
    return text % {
        "incident": incident,
        "status": incident.get_status_display(),
        "actor": change.author if change else "—",
        "taker": change.taker_names[1] if change and change.taker_names else "",
    }


def _and_more(count: int) -> str:
    return _(" and %d more") % (count - MAX_NAMED) if count > MAX_NAMED else ""


def read_chosen(request: HttpRequest, chosen: QuerySet[Incident]) -> tuple[list[Incident], list[str]] | None:
    """Returns what was chosen in the list, and what is to be said of it; None, and says so, if it is too much."""
    incidents = list(chosen.order_by("pk")[: MAX_AT_ONCE + 1])
    if len(incidents) > MAX_AT_ONCE:
        message = _("At most %d incidents can be changed at once: choose fewer. Nothing was changed.")
        messages.error(request, message % MAX_AT_ONCE)
        return None
    # A concurrent change may have moved an incident out of the filtered list.
    gone = len(set(request.POST.getlist(ACTION_CHECKBOX_NAME)) - {str(incident.pk) for incident in incidents})
    if gone and request.POST.get("select_across") != "1":
        return incidents, [ngettext("%d is no longer in this list.", "%d are no longer in this list.", gone) % gone]
    return incidents, []


def set_status(
    model_admin: ModelAdmin, request: HttpRequest, chosen: QuerySet[Incident], status: Status
) -> TemplateResponse | None:
    """Asks first, as an action of the list: its page has the moves that the operator confirms."""
    if (read := read_chosen(request, chosen)) is None:
        return None
    incidents, notes = read
    changing = [incident for incident in incidents if incident.status != status]
    if unchanged := len(incidents) - len(changing):
        already = ngettext("%d has that status already.", "%d have that status already.", unchanged) % unchanged
        notes = [already, *notes]
    if not changing:
        model_admin.message_user(request, " ".join([_("Nothing was changed."), *notes]), messages.WARNING)
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Are you sure?"),
        "opts": model_admin.opts,
        "incidents": changing,
        "notes": notes,
        "status": status,
        "moves": sign(Move(incident.pk, incident.status, status) for incident in changing),
        "next": request.get_full_path(),
        "reason_form": ReasonForm() if status == Status.CLOSED else None,
    }
    return TemplateResponse(request, "admin/incidents/incident/set_status.html", context)
