package control

func showEnvironment(c *Call) error { return needsManager(c) }

func setEnvironment(c *Call) error { return needsManager(c) }

func importEnvironment(c *Call) error { return needsManager(c) }
