package control

func listDependencies(c *Call) error { return needsManager(c) }
