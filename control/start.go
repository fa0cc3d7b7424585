package control

func startUnits(c *Call) error { return needsManager(c) }
