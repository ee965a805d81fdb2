"""Updates of other kinds are kept, told, and stop nothing."""

import json

import pytest

from intake.inbox import process_pending, replay
from intake.models import Delivery
from telegram import chats
from telegram.reading.updates import OTHER_UPDATES
from telegram.receiving import updates
from tests.helpers.telegram_messages import ANNA, GROUP, message
from tests.helpers.updates import again, deliveries, descriptions, everything, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
STRANGERS = {"id": -1005556667778, "type": "supergroup", "title": "Чужие"}


@pytest.mark.parametrize(
    "kind",
    ["poll", "poll_answer", "chat_join_request", "message_reaction", "chat_boost", "purchased_paid_media"],
)
def test_kinds_that_are_not_asked_for(group, kind):
    take(kind, {"chat": GROUP, "id": "1"})
    assert (descriptions(), deliveries()) == ([], [("skipped", f"not handled: {kind}")])


@pytest.mark.parametrize("kind", ["business_message", "guest_message"])
def test_messages_whose_ids_coincide_with_others_are_not_mixed_up(group, kind):
    write(text="one")
    take(kind, message(text="two"))
    assert descriptions() == ["one"]
    assert deliveries()[-1] == ("skipped", f"not handled: {kind}")


def stored(update):
    """The update as it was stored."""
    assert deliveries()[-1][0] in ("skipped", "faulty")
    body = json.loads(bytes(Delivery.objects.last().body))
    assert body["update_id"] == update["update_id"]
    return body


@pytest.mark.parametrize("kind", sorted(OTHER_UPDATES))
def test_of_kinds_that_are_not_asked_for_no_content_is_stored(group, kind):
    content = message(text="тайна", chat=STRANGERS) | {"query": "тайна", "user": ANNA}
    assert stored(take(kind, content))[kind] == {}
    assert stored(take(kind, content | {"chat": GROUP}))[kind] == {}


def test_of_a_kind_that_is_not_known_the_content_is_kept_where_the_chat_is_allowed(group):
    assert stored(take("something_new", {"chat": GROUP, "text": "x"}))["something_new"]["text"] == "x"
    assert stored(take("something_new", {"chat": STRANGERS, "text": "тайна"}))["something_new"] == {}
    assert stored(take("something_new", {"from": ANNA, "text": "тайна"}))["something_new"] == {}


def test_of_a_press_under_a_message_of_no_chat_the_id_is_kept(group):
    pressed = {"id": "77", "from": ANNA, "inline_message_id": "z", "data": "тайна"}
    assert stored(take("callback_query", pressed))["callback_query"] == {"id": "77"}


def test_such_an_update_is_stored_once(group):
    update = take("business_message", message(text="тайна"))
    again(update)
    take("business_message", message(text="другая"), update_id=update["update_id"])
    assert Delivery.objects.count() == 2


def test_a_kind_that_is_not_known_is_kept_as_a_fault_and_stops_nothing(group):
    take("something_new", {"x": 1})
    write(text="x")
    assert descriptions() == ["x"]
    assert deliveries() == [("faulty", "not handled: an update of an unknown kind: something_new"), ("processed", "")]


@pytest.mark.parametrize("chat", [None, [], {}, {"id": None}, {"id": str(GROUP["id"])}, {"id": 2**70}, {"id": 1.5}])
@pytest.mark.parametrize("kind", ["message", "edited_message", "channel_post", "my_chat_member"])
def test_an_update_without_a_chat_is_a_fault(group, kind, chat):
    take(kind, {"message_id": 1, "date": 1705314600, "text": "x", "chat": chat})
    write(text="next")
    assert (descriptions(), [state for state, _ in deliveries()]) == (["next"], ["faulty", "processed"])


def test_a_button_under_a_message_that_was_sent_inline_is_none_of_ours(group):
    take("callback_query", {"id": "1", "from": ANNA, "inline_message_id": "z", "data": "x"})
    assert deliveries() == [("skipped", "not handled: the chat is not known")]


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[]", b"null", b'{"update_id": 5}', b"[" * 100_000, b'{"update_id": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_update_is_kept_as_it_came(group, body):
    updates.take(body)
    updates.take(body)
    stored = Delivery.objects.get()
    assert (bytes(stored.body), stored.state) == (body, "faulty") and stored.notes


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def test_each_kind_of_fault_is_told_once(group, caplog):
    for number, kind in enumerate(["something_new", "something_new", "something_else", "something_new"]):
        take(kind, {"x": number})
    for number in range(3):
        updates.take(b'{"update_id": %d, "message": []}' % number)
    told = errors(caplog)
    assert len(told) == 3 and "something_new" in told[0] and "something_else" in told[1]


def test_a_replay_of_all_faults_tells_of_each_kind_once_more_at_most(group, caplog):
    for number in range(5):
        take("something_new", {"x": number})
    replay(list(Delivery.objects.values_list("pk", flat=True)))
    process_pending()
    assert {state for state, _ in deliveries()} == {"faulty"}
    assert len(errors(caplog)) <= 2


def test_a_message_of_a_kind_that_is_not_known_is_told(group, caplog):
    for number in (1, 2):
        write(message_id=number, text=None, holo={"x": number})
    assert (len(descriptions()), len(errors(caplog))) == (2, 1)


def test_nul_and_lone_surrogates_are_stored(group):
    write(text="a\x00b\ud83d")
    assert descriptions() == ["a␀b�"]


def test_an_error_that_was_not_foreseen_keeps_the_update(group, monkeypatch):
    monkeypatch.setattr(chats, "find", lambda *args: 1 / 0)
    write(text="x")
    assert descriptions() == ["x"]


def test_the_same_id_with_another_content_is_another_update(group):
    take("message", message(text="one"), update_id=5)
    take("message", message(text="two", message_id=11), update_id=5)
    assert descriptions() == ["one", "two"]


def test_replaying_everything_makes_nothing_twice(group):
    write(text="/incident Насос")
    write(message_id=11, text="Едем", reply_to_message={"message_id": 10})
    for number in (12, 13):
        write(message_id=number, photo=[{}], media_group_id="a", caption=f"Течь {number}")
    write(message_id=0, text="без номера")
    write(message_id=15, text="/incident ещё", reply_to_message={"message_id": 14, "text": "Старое"})
    write(message_id=16, new_chat_title="x")
    before = everything()
    for _ in range(2):
        assert replay(list(Delivery.objects.values_list("pk", flat=True))) == 7
        process_pending()
    assert everything() == before
