package control

func status(c *Call) error { return needsManager(c) }
