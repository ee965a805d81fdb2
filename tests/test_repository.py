"""Line endings in a clone of the repository."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_scripts_have_lf_in_a_clone_with_autocrlf(tmp_path):
    source, clone = tmp_path / "source", tmp_path / "clone"
    scripts = [file for file in (ROOT / "docker").iterdir() if file.is_file()]
    (source / "docker").mkdir(parents=True)
    for file in [*scripts, ROOT / ".gitattributes"]:
        shutil.copy(file, source / file.relative_to(ROOT))
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "scripts"]):
        subprocess.run(["git", *identity, *command], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", source, clone], check=True)
    assert [file.name for file in scripts if b"\r\n" in (clone / file.relative_to(ROOT)).read_bytes()] == []
    assert len(scripts) > 5
