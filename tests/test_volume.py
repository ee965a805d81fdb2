import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "docker" / "volume.sh"
SETTINGS = "SECRET_KEY='a $b # c'\nPOSTGRES_VOLUME=old\n# no newline at the end\nDEBUG=False"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "docker").mkdir()
    shutil.copy(SCRIPT, tmp_path / "docker")
    compose = tmp_path / "docker" / "compose"
    compose.write_text("#!/bin/sh\n")
    compose.chmod(0o755)
    (tmp_path / ".env.prod").write_text(SETTINGS)
    (tmp_path / ".env.prod").chmod(0o600)
    return tmp_path


def run(project, command):
    return subprocess.run(
        ["bash", "-euc", f". docker/volume.sh; {command}"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_variable_is_replaced_and_the_rest_kept(project):
    assert run(project, "set_variable POSTGRES_VOLUME new").returncode == 0
    file = project / ".env.prod"
    assert file.read_text() == SETTINGS.replace("POSTGRES_VOLUME=old\n", "") + "\nPOSTGRES_VOLUME=new\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_settings_stay_as_they_were_if_they_cannot_be_written(project):
    assert run(project, "trap '' XFSZ; ulimit -f 0; set_variable POSTGRES_VOLUME new").returncode != 0
    assert (project / ".env.prod").read_text() == SETTINGS
    assert not (project / ".env.prod.new").exists()


def test_second_run_is_refused(project):
    second = run(project, "bash -c '. docker/volume.sh' && echo started")
    assert second.returncode != 0
    assert "running already" in second.stderr


@pytest.mark.parametrize("line", ["'a.yml:b.yml'", '"a.yml:b.yml"', "a.yml:b.yml\r", "a.yml\nCOMPOSE_FILE=a.yml:b.yml"])
def test_files_of_compose_are_read_as_compose_reads_them(project, line):
    shutil.copy(SCRIPT.parent / "compose", project / "docker")
    (project / ".env.prod").write_text(f"DEBUG=False\nCOMPOSE_FILE={line}\n", newline="")
    docker = project / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\nprintf "%s" "$COMPOSE_FILE"\n')
    docker.chmod(0o755)
    command = f"unset COMPOSE_FILE; PATH={docker.parent}:$PATH docker/compose ps"
    done = subprocess.run(["sh", "-euc", command], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout == "a.yml:b.yml"
