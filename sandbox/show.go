package sandbox

// showPlan prints what would be done.
func (c *Call) showPlan(p *prepared) error {
	d, err := c.describe(p.dir)
	if err != nil {
		return err
	}
	for _, s := range d.Steps() {
		c.print(s.Do.String() + " " + s.Target + " " + s.Type + "\n")
	}
	return nil
}
