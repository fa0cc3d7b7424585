package control

func listMachines(c *Call) error { return needsManager(c) }
