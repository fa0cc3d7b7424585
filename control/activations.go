package control

func listAutomounts(c *Call) error { return needsManager(c) }

func listPaths(c *Call) error { return needsManager(c) }

func listSockets(c *Call) error { return needsManager(c) }

func listTimers(c *Call) error { return needsManager(c) }
