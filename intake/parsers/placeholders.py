"""
Tells a placeholder that a template did not expand from the id of a problem.

A placeholder is the same in each call, so that taken for an id it would merge all problems into one, and the end of one
would end them all. The rule knows the punctuation of templates, not their names: a name in brackets behind a sign, in
doubled or angle brackets, or between two equal signs. GUIDs in braces, sets of Prometheus' labels, addresses of mail,
percent-encoding, prices and routes such as /users/{id} are ids.
"""

import re
from string import punctuation

# The possessive quantifiers keep it linear on hostile input.
# A word of a template, such as EVENT.ID, .Labels.instance, service.problem_id, id|default or ITEM.VALUE1
_NAME = r"[.\s]*+[A-Za-z_][\w.\- |]*+"
_GUID = re.compile(r"\{[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}", re.IGNORECASE)
_ANYWHERE = re.compile(
    "|".join(
        (
            r"\{\{|\{%|<%",  # {{ id }}, {% id %} and <%= id %> of Jinja, Go, Handlebars, ERB
            r"[$%#@!]\{",  # ${id}, %{[alert][id]}, #{id}, @{id}
            r"\{[$#?!@=]\s*[A-Za-z_]",  # {$MACRO}, {#LLD} and {?expression} of Zabbix, {!Field}
            r"\$\(",  # $(id)
            r"%\(\w+\)[a-z]",  # %(id)s
            r"%![a-zA-Z]\(",  # %!s(MISSING), which Go's fmt writes
            rf"\[\[{_NAME}\]\]",
            r"\{[A-Z][A-Z0-9_]*\.[^{}]*\}",  # {EVENT.TAGS."Service name"}
            r"(?<![\w\])])\{\d\d?\}(?![A-Za-z])",  # {0}, but not LDAP's {1}mdb
            r"<[A-Z][A-Z_]+>|<[A-Za-z]+(?: [A-Za-z]+)+>",  # <MISSING VALUE>, <no value>
            r"(?<![\w\\$])\$[A-Za-z_][\w.]*\$(?!\w)",  # $SERVICEPROBLEMID$, $service.problem_id$
            r"(?<![\w%])%[A-Za-z_][\w.\-]*%(?![\w\\])",  # %id%, but not the percent-encoding of a letter, nor %TEMP%\x
            r"(?<!\w)@[A-Za-z_][\w.\-]*@(?!\w)",  # @id@
        )
    )
)
_IN_BRACES = re.compile(rf"(?<!/)\{{{_NAME}(?:\[[\w.\-]*+\])*+\s*+\}}")  # {event_id}, {event[id]}
_ROUTE = re.compile(r"(?:[A-Z]+ )?/[^\s?]*")  # GET /files/{name}.{ext}
# In an id of one word alone, since texts may quote variables: "Undefined variable $user"
_IN_A_WORD = re.compile(r"(?<![\w\\/$])\$[A-Za-z_]")  # $CODE, alert-$id
_SPACE = re.compile(r"\s")
_WHOLE = re.compile(
    r"(?P<sign>[^\w\s\"'/.\-_:=()\[\]{}<>]{1,2})[A-Za-z_][\w. \-]*(?P=sign)"  # *monitorID*, ##id##, ~id~
    r"|%[A-Za-z_][\w.]*|%\d\$[a-z]"  # %sensorid, %Device.Address, %s
    r"|<(?!.*(?:@|</))[A-Za-z_].*>",  # <error expanding template: …>, but not the id of a mail or markup
    re.DOTALL,
)
_BRACKETS = "<>[](){}\"'*"
# What templates write for a value that is not there, within brackets or without
_NOTHING = {"null", "none", "nil", "no value", "undefined", "object object", "nan", "infinity", "-infinity", "n/a"}
_NOTHING |= {"unknown", "unavailable"}  # Home Assistant


def identifies(identity: str) -> bool:
    """Tells if the text can be the id of a problem: neither a placeholder nor what templates write for no value."""
    if identity.isalnum():
        return identity.casefold() not in _NOTHING
    if not identity.strip(punctuation) or identity.strip(_BRACKETS).casefold() in _NOTHING:
        return False
    text = _GUID.sub("GUID", identity)
    if _ANYWHERE.search(text) or _WHOLE.fullmatch(text):
        return False
    if _IN_BRACES.search(text) and not _ROUTE.fullmatch(text):
        return False
    return not _IN_A_WORD.search(text) or _SPACE.search(text) is not None
