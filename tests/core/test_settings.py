import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

SETTINGS = Path("config/settings.py").read_text() + Path("config/environment.py").read_text()
TEMPLATE = Path(".env.template").read_text()
VALID = {"SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "example.org", "DEBUG": "False", "LOG_FILE": "-"}


def check(**environment):
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True)


def test_template_lists_every_variable():
    read = set(re.findall(r'\b(?:text|boolean|integer|items|networks|path_prefix|time_zone)\(\s*"([A-Z_]+)"', SETTINGS))
    assert len(read) > 15
    read.remove("STATIC_ROOT")  # the image sets it for itself
    assert read <= set(re.findall(r"^([A-Z_]+)=", TEMPLATE, re.M))


def test_each_variable_of_the_template_has_a_comment():
    for block in TEMPLATE.strip().split("\n\n"):
        assert block.startswith("# "), block


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SECRET_KEY": ""}, "Set SECRET_KEY"),
        ({"SECRET_KEY": "change-me"}, "Set SECRET_KEY"),
        ({"SECRET_KEY": "development-only-key-that-no-production-start-accepts"}, "Set SECRET_KEY"),
        ({"ALLOWED_HOSTS": ""}, "Set ALLOWED_HOSTS"),
        ({"METRICS_NETWORKS": "10.0.0.1/8"}, "METRICS_NETWORKS takes networks"),
        ({"CORS_ALLOWED_ORIGINS": "https://a.example,*"}, "CORS_ALLOWED_ORIGINS must name"),
        ({"ATTACHMENT_S3_ENDPOINT": "https://s3.example"}, "Set ATTACHMENT_S3_BUCKET"),
        ({"ATTACHMENT_S3_BUCKET": "b", "ATTACHMENT_S3_ACCESS_KEY": "a"}, "Set both of ATTACHMENT_S3_ACCESS_KEY"),
        ({"ATTACHMENT_S3_BUCKET": "b", "ATTACHMENT_S3_ENDPOINT": "s3.example"}, "ATTACHMENT_S3_ENDPOINT must be a URL"),
    ],
)
def test_production_refuses_to_start(environment, sentence):
    run = check(**VALID | environment)
    assert run.returncode != 0
    assert run.stderr.startswith(sentence) and len(run.stderr.splitlines()) == 1


def test_production_starts_with_valid_settings():
    assert check(**VALID).returncode == 0


@pytest.mark.parametrize(("value", "threshold"), [("", 5), ("auto", 5), ("On", 5), ("off", None)])
def test_prepared_statements_can_be_turned_off(value, threshold):
    options = setting(
        "settings.DATABASES['default']['OPTIONS']", POSTGRES_HOST="db", POSTGRES_PREPARED_STATEMENTS=value
    )
    assert options["prepare_threshold"] == threshold


@pytest.mark.parametrize(
    ("query", "threshold"), [("", 5), ("?disable_server_side_cursors=True", None), ("?sslmode=require", 5)]
)
def test_database_url_sets_connection_options(query, threshold):
    code = "import json; from django.conf import settings; print(json.dumps(settings.DATABASES['default']['OPTIONS']))"
    environment = VALID | {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings"}
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"DATABASE_URL": f"postgres://a@b/c{query}"},
        capture_output=True,
        text=True,
    )
    options = json.loads(shown.stdout)
    assert options["prepare_threshold"] == threshold
    assert options.get("sslmode") == ("require" if "sslmode" in query else None)


def read(tmp_path, written):
    """The variables that a .env file sets, in an empty environment."""
    (tmp_path / ".env").write_bytes(written)
    code = "import os, sys, json, pathlib; from config import environment as env; os.environ.clear();"
    code += "env.read_file(pathlib.Path(sys.argv[1])); print(json.dumps(dict(os.environ)))"
    return subprocess.run([sys.executable, "-c", code, tmp_path / ".env"], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        *((b"A=b", "b"), (b"A = b", "b"), (b"  A=b  ", "b"), (b"export A=b", "b"), (b"\xef\xbb\xbfA=b", "b")),
        *((b"A=b\r\n", "b"), (b"A=True # note", "True"), (b"A=b#c", "b#c"), (b"A=#b", "#b"), (b"A= # note", "")),
        *(
            (b"A=", ""),
            (b"A=''", ""),
            (b"A='$b c # d'", "$b c # d"),
            (b'A="b \\"c\\" \\\\ $d" # note', 'b "c" \\ $d'),
        ),
        *((b"A=$b", "$b"), (b"A=b c", "b c"), (b"A=b=c", "b=c"), (b"A=it's", "it's"), ("A=ж".encode(), "ж")),
        *((b"# note\n\nA=b\n#B=c", "b"), (b"A= 'b'", "b")),
    ],
)
def test_line_of_the_env_file_is_read(tmp_path, line, value):
    run = read(tmp_path, line)
    assert (run.stderr, json.loads(run.stdout or "{}").get("A")) == ("", value)


@pytest.mark.parametrize("line", [b"A", b"A='s3cret", b'A="s3cret', b"A='s3c'ret", b"A B=s3cret", b"A=s3c\0ret"])
def test_malformed_line_is_named_and_not_shown(tmp_path, line):
    run = read(tmp_path, b"B=c\n" + line)
    assert run.stderr.splitlines()[-1].endswith(".env, line 2: write NAME=value, or NAME='value'.")
    assert "s3c" not in run.stderr


def test_env_file_in_another_encoding(tmp_path):
    assert "save it as UTF-8" in read(tmp_path, "A=b".encode("utf-16")).stderr.splitlines()[-1]


def setting(expression, **environment):
    code = f"import json; from django.conf import settings; print(json.dumps({expression}))"
    environment = VALID | {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings"} | environment
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_value_is_taken_literally():
    key = "$" + "x" * 60
    assert setting("settings.SECRET_KEY", SECRET_KEY=key) == key
    password = setting("settings.DATABASES['default']['PASSWORD']", POSTGRES_HOST="db", POSTGRES_PASSWORD="$ecret-1")
    assert password == "$ecret-1"


@pytest.mark.parametrize("name", ["ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS"])
def test_spaces_around_commas_are_ignored(name):
    assert setting(f"settings.{name}", **{name: " https://a.example ,https://b.example, ,"}) == [
        "https://a.example",
        "https://b.example",
    ]


@pytest.mark.parametrize("password", ["a/b", "a@b", "a#b", "100%", "a?b", "a:b", "a/@#%:?b", "$a", "пароль"])
@pytest.mark.parametrize("quoted", [False, True])
def test_password_in_database_url(password, quoted):
    url = f"postgres://u:{quote(password, safe='') if quoted else password}@h:5433/db?sslmode=require"
    database = setting("settings.DATABASES['default']", DATABASE_URL=url)
    parts = [database[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")]
    assert parts == ["u", password, "h", "5433", "db"]


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        *(("postgresql://h/db", "h", ""), ("postgres://u@[::1]:5432/db", "::1", "5432")),
        *(("postgres:///db", "", ""), ("postgres://u@%2Frun%2Fpg/db", "/run/pg", "")),
        *(("postgres://u@a:1,b:2/db", "a,b", "1,2"), ("postgres://u@a,b:2/db", "a,b", "2")),
    ],
)
def test_host_in_database_url(url, host, port):
    database = setting("settings.DATABASES['default']", DATABASE_URL=url)
    assert (database["HOST"], database["PORT"].strip(",")) == (host, port)


@pytest.mark.parametrize(
    ("url", "attribute"),
    [
        *(("postgres://h/db", None), ("postgres://a,b/db", "read-write")),
        *(
            ("postgres://a,b/db?target_session_attrs=any", "any"),
            ("postgres://h/db?target_session_attrs=primary", "primary"),
        ),
    ],
)
def test_of_several_hosts_the_primary_is_wanted(url, attribute):
    assert (
        setting("settings.DATABASES['default']['OPTIONS']", DATABASE_URL=url).get("target_session_attrs") == attribute
    )


def test_replica_is_absent_by_default():
    assert setting("[list(settings.DATABASES), settings.DATABASE_ROUTERS]", POSTGRES_HOST="db") == [["default"], []]


@pytest.mark.parametrize(
    ("hosts", "balance", "attribute"), [("standby", None, None), ("a,b:5433", "random", "prefer-standby")]
)
def test_replica(hosts, balance, attribute):
    url = f"postgres://reader:x@{hosts}/incidents?sslmode=require"
    environment = {"POSTGRES_HOST": "db", "POSTGRES_PREPARED_STATEMENTS": "off", "DATABASE_REPLICA_URL": url}
    entry = setting("settings.DATABASES['replica']", **environment)
    assert (entry["USER"], entry["OPTIONS"]["sslmode"], entry["OPTIONS"]["prepare_threshold"]) == (
        "reader",
        "require",
        None,
    )
    assert entry["OPTIONS"].get("load_balance_hosts") == balance
    assert entry["OPTIONS"].get("target_session_attrs") == attribute


@pytest.mark.parametrize("path", ["db.sqlite3", "/var/db.sqlite3"])
def test_path_in_database_url(path):
    assert setting("settings.DATABASES['default']['NAME']", DATABASE_URL=f"sqlite:///{path}") == path


@pytest.mark.parametrize(
    "wrong",
    [
        *({"DEBUG": "s3cret"}, {"USE_HTTPS": "s3cret"}, {"TRUSTED_PROXIES": "s3cret"}, {"TRUSTED_PROXIES": "-1"}),
        *({"FORCE_SCRIPT_NAME": f"{path}s3cret"} for path in ("", "/a b/", "//", "/api/", "https://h/", "/a?")),
        *({"TIME_ZONE_DISPLAY": "s3cret"}, {"TIME_ZONE_DISPLAY": "../s3cret"}),
        *({"ACCESS_TOKEN_LIFETIME_MINUTES": "1.5"}, {"REFRESH_TOKEN_LIFETIME_DAYS": "9" * 30}),
        *({"DATABASE_URL": f"postgres://u:s3cret{rest}"} for rest in ("@h:port/db", "@h", "", "@h:1/", "@h:/x@y")),
        {"POSTGRES_HOST": "h", "DATABASE_REPLICA_URL": "mysql://u:s3cret@h/db"},
        {"POSTGRES_HOST": "h", "DATABASE_REPLICA_URL": "postgres://u:s3cret@h:5432/incidents"},
        *({"DATABASE_REPLICA_URL": "postgres://u:s3cret@h/db"}, {"DATABASE_REPLICA_WAIT_MS": "5001"}),
        {"POSTGRES_HOST": "h", "DATABASE_REPLICA_URL": "sqlite:///s3cret"},
        *({"DATABASE_URL": "mysql://u:s3cret@h/db"}, {"POSTGRES_HOST": "h", "POSTGRES_PORT": "0"}),
    ],
)
def test_malformed_value_is_one_sentence_that_names_it(wrong):
    run = check(**VALID | wrong)
    assert run.returncode != 0
    (sentence,) = run.stderr.splitlines()
    assert list(wrong)[-1] in sentence and "s3cret" not in sentence


def test_nginx_sends_no_files_of_a_bucket():
    assert setting("settings.ATTACHMENT_X_ACCEL", ATTACHMENT_X_ACCEL="/attachments/") == "/attachments/"
    bucket = {"ATTACHMENT_S3_BUCKET": "b", "ATTACHMENT_S3_ENDPOINT": "http://localhost:9000"}
    assert setting("settings.ATTACHMENT_X_ACCEL", ATTACHMENT_X_ACCEL="/attachments/", **bucket) == ""


@pytest.mark.parametrize(("folder", "code"), [("/tmp/media", 0), ("/dev/null/media", 1)])
def test_a_folder_of_attachments_that_is_not_writable_is_an_error_of_the_deployment(folder, code):
    environment = VALID | {"PATH": os.environ["PATH"], "MEDIA_ROOT": folder}
    command = [sys.executable, "manage.py", "check", "--deploy", "--tag", "attachments"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == code and ("incidents.E001" in run.stderr) is bool(code), run.stderr
