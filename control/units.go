package control

func listUnits(c *Call) error { return needsManager(c) }
