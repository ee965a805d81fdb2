"""Two reports of one scooter: a press closes the later one as a duplicate, one undoes it, one resolves both."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without"])
def test_a_duplicate(sit_down, device, record, scripts):
    number = f"42{len(device)}{scripts:d}7"  # five digits, of this test alone
    main, later = record(f"Самокат {number} не в сети"), record(f"Самокат {number} пищит")
    desk = sit_down("petrova", device=device, java_script_enabled=scripts)
    with desk.task("a duplicate", 1, f"/api/admin/incidents/incident/{later}/change/") as page:
        desk.press(page.get_by_role("button", name=f"Это дубликат №{main}"))
        expect(page.get_by_text(f"№{later} — дубликат №{main}.")).to_be_visible()
    expect(page.get_by_text("Это дубликат инцидента:")).to_be_visible()
    if scripts:
        assert desk.accessibility() == []
        desk.look("duplicate")
    with desk.task("the status of the main one for both", 2, f"/api/admin/incidents/incident/{main}/change/") as page:
        desk.press(page.get_by_role("button", name="Решить"))
        expect(page.get_by_text(f"Дубликаты остались как были: №{later}.")).to_be_visible()
        if scripts:
            desk.look("offer")
        desk.press(page.get_by_role("button", name="Решить и их"))
        expect(page.get_by_text(f"№{later}: теперь «Решён».")).to_be_visible()
    with desk.task("no duplicate after all", 1, f"/api/admin/incidents/incident/{later}/change/") as page:
        desk.press(page.get_by_role("button", name="Открыть снова"))
        expect(page.get_by_text(f"№{later} — больше не дубликат №{main}.")).to_be_visible()
    if scripts:
        assert desk.accessibility() == []


def test_enter_takes_the_typed_number(operator, record):
    record("Самокат 4200001 не в сети")
    main, later = record("Самокат 4200002 не в сети"), record("Самокат 4200001 пищит")
    page = operator.goto(f"/api/admin/incidents/incident/{later}/change/")
    page.get_by_label("Дубликат №", exact=True).fill(str(main))
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"№{later} — дубликат №{main}.")).to_be_visible()
