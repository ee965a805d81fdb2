import unicodedata

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

MAX_LENGTH = 150

# Russian letters and the Latin ones that they pass for, in lower case or in capitals.
LOOK_ALIKES = str.maketrans("авеёкмнорстух", "abeekmhopctyx")

# Letters of two alphabets in one name could make it look like another name.
validate_username = RegexValidator(
    r"^([A-Za-z0-9@.+_-]+|[А-ЯЁа-яё0-9@.+_-]+)\Z",
    _("Enter a valid username: Latin or Russian letters (not both), digits and @/./+/-/_ only."),
)


def username_key(username: str) -> str:
    """
    What must be unique: equal for names that differ only in case, Unicode form (UAX #15, NFKC) or look-alike letters.

    An overlong name, which no user can have, is returned as it is: normalization could multiply its length.
    """
    if len(username) > MAX_LENGTH:
        return username
    return unicodedata.normalize("NFKC", username).casefold().translate(LOOK_ALIKES)
