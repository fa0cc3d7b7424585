package control

func killUnits(c *Call) error { return needsManager(c) }
