"""The admin's pages of chats, cards and accounts, and what the pages of incidents and users show of Telegram."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from core.admin import GuardedAdmin, ListAdmin
from core.forms import GuardedForm
from desk.change_list import BoundedPaginator
from desk.registry import ORIGINS_SHOWN, Failures, Origin, failures, origins
from desk.retry import RetryAdmin
from desk.templatetags import desk
from identity.admin import Section, sections
from identity.models import User
from identity.time_zones import TimeZoneInput, validate_time_zone
from incidents.models import Attachment, Incident
from intake.admin import incidents_of
from intake.models import Delivery
from telegram import card_states
from telegram.bot_api import client
from telegram.models import Account, Bot, Card, Chat, File, Message
from telegram.reading.reports import message_link
from telegram.receiving import accounts, fetching
from telegram.sending import reminders, sender

EMPTY = "—"


class ChatForm(GuardedForm):
    class Meta:
        widgets = {"time_zone": TimeZoneInput}

    def clean_time_zone(self) -> str:
        validate_time_zone(self.cleaned_data["time_zone"])
        return self.cleaned_data["time_zone"]


@admin.register(Chat)
class ChatAdmin(GuardedAdmin, RetryAdmin):
    """Superusers allow chats and set them up."""

    form = ChatForm
    list_display = ("name", "telegram_id", "allowed", "sending", "retry_button", "rights", "mode", "source")
    phone_hidden = ("telegram_id", "rights", "mode", "source")
    list_filter = ("allowed", "mode", "source")
    search_fields = ("title", "telegram_id")
    readonly_fields = ("name", "telegram_id", "kind", "rights", "sending", "ignored_updates")
    fieldsets = (
        (None, {"fields": ("name", "telegram_id", "kind", "allowed", "mode", "source")}),
        (_("What the bot writes"), {"fields": ("language", "time_zone", "remind_after_minutes")}),
        (_("State"), {"fields": ("rights", "sending", "ignored_updates")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Chat | None = None) -> bool:
        return bool(request.user.is_superuser)

    def save_model(self, request: HttpRequest, obj: Chat, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "remind_after_minutes" in form.changed_data:
            reminders.plan(obj)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def needs_retry(self, obj: Chat) -> bool:
        return bool(obj.pause_reason)

    def retry(self, queryset: QuerySet[Chat]) -> None:
        sender.resume(queryset)

    @admin.display(description=_("chat"), ordering="title")
    def name(self, chat: Chat) -> str:
        return str(chat)

    @admin.display(description=_("type"))
    def kind(self, chat: Chat) -> str:
        kinds = {
            "private": _("private chat"),
            "group": _("group"),
            "supergroup": _("supergroup"),
            "channel": _("channel"),
        }
        return str(kinds.get(chat.type, EMPTY))

    @admin.display(description=_("what the bot may do"))
    def rights(self, chat: Chat) -> str:
        if chat.membership in ("left", "kicked"):
            return str(_("nothing: it is not in the chat"))
        if not chat.can_send:
            return str(_("read, not write"))
        return str(_("read everything and write") if chat.is_admin else _("write; read what privacy mode lets it see"))

    @admin.display(description=_("sending"))
    def sending(self, chat: Chat) -> str:
        if chat.pause_reason:
            return str(_("refused: %s") % chat.pause_reason)
        if chat.paused_until and chat.paused_until > timezone.now():
            until = timezone.localtime(chat.paused_until)
            return str(_("waits until %s, as Telegram told it") % f"{until:%Y-%m-%d %H:%M:%S}")
        return str(_("works"))

    @admin.display(description=_("ignored updates"))
    def ignored_updates(self, chat: Chat) -> int:
        return chat.ignored


class CardStateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"
    STATES = {
        "failed": Q(state=Card.State.FAILED),
        "resting": Q(due_at__isnull=False) & ~Q(chat__pause_reason=""),
        "waiting": Q(due_at__isnull=False, chat__pause_reason=""),
    }

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [("failed", _("failed")), ("resting", _("the chat is paused")), ("waiting", _("waits to be sent"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Card]) -> QuerySet[Card]:
        return queryset.filter(self.STATES.get(self.value() or "", Q()))


@admin.register(Card)
class CardAdmin(RetryAdmin):
    list_display = ("incident", "chat", "state", "retry_button", "error", "message", "due_at")
    phone_hidden = ("error", "message", "due_at")
    list_filter = (CardStateFilter, "outside_topic", "chat")
    list_select_related = ("incident", "chat")
    ordering = ("-id",)
    paginator = BoundedPaginator
    show_full_result_count = False
    fields = readonly_fields = (
        "incident", "chat", "state", "due_at", "error", "outside_topic", "remind_at", "message", "retry_button"
    )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Card | None = None) -> bool:
        return False

    def needs_retry(self, obj: Card) -> bool:
        return obj.state == Card.State.FAILED

    def retry(self, queryset: QuerySet[Card]) -> None:
        card_states.retry(queryset)

    @admin.display(description=_("state"))
    def state(self, card: Card) -> str:
        return _state(card)

    @admin.display(description=_("message"))
    def message(self, card: Card) -> SafeString | str:
        return _link(_card_link(card))


class FileStateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"
    STATES = {"failed": fetching.FAILED, "pending": Q(attachment__state=Attachment.State.PENDING)}

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [("failed", _("failed")), ("pending", _("waits to be fetched"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[File]) -> QuerySet[File]:
        return queryset.filter(self.STATES.get(self.value() or "", Q()))


@admin.register(File)
class FileAdmin(RetryAdmin):
    """Files of messages: those that could not be fetched are fetched again by a press."""

    list_display = ("attachment", "incident", "state", "retry_button", "reason", "from_message", "due_at")
    phone_hidden = ("reason", "from_message", "due_at")
    list_filter = (FileStateFilter,)
    list_select_related = ("attachment__incident", "message")
    ordering = ("-attachment",)
    paginator = BoundedPaginator
    show_full_result_count = False
    fields = readonly_fields = (
        "attachment", "incident", "state", "reason", "due_at", "from_message", "retry_button"
    )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: File | None = None) -> bool:
        return False

    def needs_retry(self, obj: File) -> bool:
        is_failed = obj.attachment.state == Attachment.State.FAILED and obj.attachment.deleted_at is None
        return is_failed and bool(obj.file_id)

    def retry(self, queryset: QuerySet[File]) -> None:
        fetching.retry(queryset)

    @admin.display(description=_("incident"))
    def incident(self, file: File) -> str:
        return str(file.attachment.incident)

    @admin.display(description=_("state"))
    def state(self, file: File) -> str:
        return file.attachment.get_state_display()

    @admin.display(description=_("error"))
    def reason(self, file: File) -> str:
        return file.attachment.error or file.error

    @admin.display(description=_("message"))
    def from_message(self, file: File) -> SafeString | str:
        return _link(file.message.link)


@admin.register(Account)
class AccountAdmin(ListAdmin):
    """Accounts are linked by a code that the user sends to the bot, and unlinked here."""

    list_display = ("telegram_id", "person")
    list_select_related = ("user",)
    search_fields = ("telegram_id", "user__username")

    @admin.display(description=Account._meta.get_field("user").verbose_name, ordering="user")
    def person(self, account: Account) -> SafeString:
        return desk.person(account.user.username, account.user.get_full_name().strip() or account.user.username)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False


def messages_and_cards(request: HttpRequest, incident: Incident) -> Iterator[Origin]:
    roles = (Message.Role.PRESS, Message.Role.COMMENT)
    messages = incident.messages.exclude(role__in=roles).select_related("alias__chat").order_by("pk")[:ORIGINS_SHOWN]
    for message in messages:
        yield Origin(str(message.alias.chat), message.get_role_display(), message.link)
    for card in incident.cards.select_related("chat").order_by("pk")[:ORIGINS_SHOWN]:
        yield Origin(str(card.chat), _("card, %s") % _describe(card), _card_link(card))


def incidents_of_messages(delivery: Delivery) -> QuerySet[Incident]:
    messages = delivery.messages.values("incident")[:100]
    return Incident.objects.filter(pk__in=messages).order_by()


@admin.display(description=_("accounts"))
def telegram(user: User) -> str:
    return ", ".join(str(account.telegram_id) for account in user.telegram_accounts.all()) or EMPTY


@require_POST
@admin.site.admin_view
def link_code_view(request: HttpRequest, pk: int) -> HttpResponse:
    users = admin.site.get_model_admin(User)
    user = users.get_object(request, str(pk))
    if user is None:
        raise Http404
    if not users.has_change_permission(request, user):
        raise PermissionDenied
    code = accounts.new_code(user)
    users.log_change(request, user, "One-time code for Telegram.")
    bot = Bot.objects.filter(pk=client.bot_id()).first()
    text = _("Within an hour, send “/start %(code)s” to %(bot)s in private: the account becomes this user's.")
    users.message_user(request, text % {"code": code, "bot": bot or _("the bot")}, messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:identity_user_change", args=[pk]))


origins.append(messages_and_cards)
failures += [
    Failures(_("chats that refuse messages"), Chat, ~Q(pause_reason=""), {"pause_reason__gt": ""}),
    Failures(_("cards that failed"), Card, Q(state=Card.State.FAILED), {"state": "failed"}),
    Failures(_("files that could not be fetched"), File, fetching.FAILED, {"state": "failed"}),
]
incidents_of.append(incidents_of_messages)
sections.append(
    Section(
        "Telegram",
        fields=(telegram,),
        button=_("One-time code for Telegram"),
        url=path("<int:pk>/telegram-code/", link_code_view, name="telegram_link_code"),
    )
)


def _state(card: Card) -> str:
    is_due = card.state not in (Card.State.SHOWN, Card.State.FAILED)
    return str(_("the chat is paused")) if is_due and card.chat.pause_reason else card.get_state_display()


def _describe(card: Card) -> str:
    return f"{_state(card)}: {card.error}" if card.error else _state(card)


def _link(url: str | None) -> SafeString | str:
    if not url:
        return ""
    return format_html('<a href="{}" rel="noopener">{}</a>', url, url.removeprefix("https://"))


def _card_link(card: Card) -> str | None:
    if not card.message_id or not card.is_sent:
        return None
    return message_link(card.chat.telegram_id, card.chat.username, card.message_id, card.thread_id)
