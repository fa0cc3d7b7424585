// Package runtest holds `ctl run` against systemd 262: units that a booted machine's manager loads and starts, and ctl.
package runtest

import (
	"testing"

	"ctl/internal/oracle"
)

func TestMain(m *testing.M) { oracle.Main(m) }
