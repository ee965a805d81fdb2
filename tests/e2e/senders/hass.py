"""Runs the core of Home Assistant on a directory: `hass` itself needs the frontend, a hundred megabytes more."""

import asyncio
import sys

from homeassistant import bootstrap, loader
from homeassistant.config import async_hass_config_yaml
from homeassistant.config_entries import ConfigEntries
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.setup import async_setup_component


async def main(directory: str) -> None:
    hass = HomeAssistant(directory)
    hass.config.skip_pip = True  # all that it needs is installed
    loader.async_setup(hass)
    hass.config_entries = ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    config = await async_hass_config_yaml(hass)
    await async_process_ha_core_config(hass, config["homeassistant"])
    for domain in config:
        assert await async_setup_component(hass, domain, config), domain
    await hass.async_start()
    await hass.async_block_till_done(wait_background_tasks=False)
    print("Home Assistant has started", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1]))
