package control

func whoami(c *Call) error { return needsManager(c) }
