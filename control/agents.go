package control

// startAgents starts the programs that ask the user for passwords, where there is one to ask.
func (c *Call) startAgents() {}
