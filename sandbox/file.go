package sandbox

// loadFile takes over the settings of the machine's .nspawn file, systemd.nspawn(5).
func (c *Call) loadFile() error { return nil }
