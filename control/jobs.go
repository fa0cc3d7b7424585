package control

func listJobs(c *Call) error { return needsManager(c) }

func cancelJobs(c *Call) error { return needsManager(c) }
