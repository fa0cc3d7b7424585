package control

func setProperty(c *Call) error { return needsManager(c) }
