"""How Django writes dates where no tag of ours does, as on the admin site; the same forms as `portal.core.times`."""
