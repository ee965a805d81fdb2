import unicodedata

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

MAX_LENGTH = 150

# Russian letters and the Latin letters that look like them, in lower or upper case.
LOOK_ALIKES = str.maketrans("авеёкмнорстух", "abeekmhopctyx")

# Mixed alphabets would allow homographs: names that look like another name.
validate_username = RegexValidator(
    r"^([A-Za-z0-9@.+_-]+|[А-ЯЁа-яё0-9@.+_-]+)\Z",
    _("Enter a valid username: Latin or Russian letters (not both), digits and @/./+/-/_ only."),
)


def username_key(username: str) -> str:
    """
    Maps usernames that differ only in case, Unicode form (NFKC, UAX #15) or look-alike letters to one key.

    An overlong name, which no user can have, is returned unchanged: normalization could make it many times longer.
    """
    if len(username) > MAX_LENGTH:
        return username
    return unicodedata.normalize("NFKC", username).casefold().translate(LOOK_ALIKES)
