"""The files of messages become attachments of their incidents: announced at once, and fetched by a job."""

from incidents.attachments.services import announce_attachment
from incidents.models import Attachment, Channel
from telegram.models import File, Message
from telegram.reading.reports import ARCHIVED, NotUnderstoodError, Report
from telegram.receiving import accounts

KINDS = {
    "animation": Attachment.Kind.VIDEO,
    "audio": Attachment.Kind.AUDIO,
    "document": Attachment.Kind.FILE,
    "live_photo": Attachment.Kind.VIDEO,
    "photo": Attachment.Kind.PHOTO,
    "video": Attachment.Kind.VIDEO,
    "video_note": Attachment.Kind.VIDEO,
    "voice": Attachment.Kind.VOICE,
}
ROLES = (Message.Role.REPORT, Message.Role.PART, Message.Role.COMMENT)


def attach(message: Message, report: Report, *, is_new: bool = False) -> None:
    """
    Announces the files of a message that it had not before, in the transaction that has locked its chat.

    An edit that replaces a file adds one: the other was reported too. Raises NotUnderstoodError.
    """
    files = report.files
    if not files or message.role not in ROLES:
        return
    if message.incident_id is None:  # It had none, which would have held the incident.
        raise NotUnderstoodError(ARCHIVED)
    known = set() if is_new else set(File.objects.filter(message=message).values_list("unique_id", flat=True))
    actor = accounts.actor_of(report.author)
    for file in files:
        if file.unique_id in known:
            continue
        attachment = announce_attachment(
            incident_id=message.incident_id,
            kind=KINDS[file.kind],
            name=file.name,
            size=file.size,
            actor=actor,
            channel=Channel.TELEGRAM,
        )
        File.objects.create(attachment=attachment, message=message, file_id=file.id, unique_id=file.unique_id)
