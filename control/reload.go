package control

func daemonReload(c *Call) error { return needsManager(c) }

func serviceWatchdogs(c *Call) error { return needsManager(c) }
