package managertest

import (
	"testing"

	"ctl/internal/oracle"
)

// many makes and starts 5,000 units, which have no processes.
const many = `cd /run/systemd/system
printf '[Unit]\nDescription=No. %%i\n' >many@.target
i=0
while [ $i -lt 5000 ]; do i=$((i+1)); echo "Wants=many@$i.target"; done >lines
{ echo '[Unit]'; cat lines; } >many.target
rm lines
systemctl daemon-reload
systemctl start many.target`

// TestMany asks about 5,000 units.
func TestMany(t *testing.T) {
	m := oracle.Boot(t, "")
	m.Shell(t, many)
	compareLists(t, m, "testdata/many/*.txt")
}
