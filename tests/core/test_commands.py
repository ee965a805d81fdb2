from pathlib import Path


def test_every_command_has_a_test():
    tests = "".join(path.read_text() for path in Path("tests").rglob("test_*.py"))
    commands = [path.stem for path in Path().glob("[a-z]*/management/commands/[a-z]*.py")]
    assert commands
    assert [name for name in commands if name not in tests] == []
