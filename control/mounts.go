package control

func bindMount(c *Call) error { return needsManager(c) }

func mountImage(c *Call) error { return needsManager(c) }
