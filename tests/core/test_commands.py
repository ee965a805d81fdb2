import re
from pathlib import Path


def test_every_management_command_is_called_by_a_test():
    commands = {path.stem for path in Path().glob("[a-z]*/management/commands/[a-z]*.py")}
    sources = [path.read_text("utf-8") for path in Path("tests").rglob("*.py") if path != Path(__file__)]
    calls = re.compile(r'(?:call_command\(|"manage\.py", )"(\w+)"')
    assert commands - {name for source in sources for name in calls.findall(source)} == set()
    assert commands
