package control

func show(c *Call) error { return needsManager(c) }
