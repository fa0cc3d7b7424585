package control

func serviceLog(c *Call) error { return needsManager(c) }

func managerLog(c *Call) error { return needsManager(c) }
