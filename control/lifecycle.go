package control

func cleanUnits(c *Call) error { return needsManager(c) }

func freezeUnits(c *Call) error { return needsManager(c) }

func resetFailed(c *Call) error { return needsManager(c) }
