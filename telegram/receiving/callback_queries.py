"""Presses of buttons: a change of an incident by the presser."""

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from incidents.models import Channel, Incident
from incidents.services import change_incident, lock_incidents, with_mains
from intake.inbox import Outcome
from intake.models import Delivery
from telegram import card_states
from telegram.models import Card, ChatAlias, Message
from telegram.reading.updates import CallbackQuery
from telegram.receiving import accounts
from telegram.sending import cards, reminders, sender


def handle(alias: ChatAlias, query: CallbackQuery, delivery: Delivery) -> Outcome:
    """
    Changes the incident, unless it no longer has the status that the card showed, or is urgent or not already.

    The presser is answered once the change is committed. A press that is replayed does nothing: by now it could mean
    another change.
    """
    if delivery.messages.exists():
        return Outcome()
    press = cards.parse_callback(query.data)
    if isinstance(press, cards.PutOff):
        return _put_off(alias, query, press)
    incident = _incident(alias, press) if press else None
    if press is None or incident is None or query.author is None:
        _respond(query, _("This button is not known."))
        return Outcome(Delivery.State.SKIPPED, ["the button is not known"])
    card_states.adopt(alias, incident.pk, query.message_id)
    change = partial(change_incident, incident, actor=accounts.actor_of(query.author), channel=Channel.TELEGRAM)
    if isinstance(press, cards.Mark):
        change(values={"urgent": press.urgent})
        text = _("№ %(number)d is urgent.") if press.urgent else _("№ %(number)d is not urgent.")
        words = "urgent" if press.urgent else "not urgent"
    elif incident.status == press.shown:
        change(values={"status": press.wanted})
        text, words = _("№ %(number)d: %(status)s."), str(press.wanted)
    else:
        text, words = _("Nothing was changed: № %(number)d is “%(status)s” already."), str(press.wanted)
    _respond(query, text % {"number": incident.pk, "status": incident.get_status_display()})
    role = Message.Role.PRESS
    Message.objects.create(alias=alias, delivery=delivery, incident=incident, role=role, words=words)
    return Outcome()


def _put_off(alias: ChatAlias, query: CallbackQuery, press: cards.PutOff) -> Outcome:
    if query.message_id is None or not reminders.put_off(alias.chat, query.message_id, press.by):
        _respond(query, _("There is nothing to put off any more."))
        return Outcome()
    hours = press.by // timedelta(hours=1)
    text = ngettext("The reminder comes in %d hour.", "The reminder comes in %d hours.", hours) % hours
    _respond(query, text)
    return Outcome()


def _incident(alias: ChatAlias, press: cards.Press | cards.Mark) -> Incident | None:
    """Locked. A client may send any data: it must name an incident that has a card in this chat."""
    if not Card.objects.filter(chat=alias.chat, incident=press.number).exists():
        return None
    return lock_incidents(with_mains([press.number])).get(press.number)


def _respond(query: CallbackQuery, text: str) -> None:
    transaction.on_commit(partial(sender.answer_callback_query, query.id, text))
